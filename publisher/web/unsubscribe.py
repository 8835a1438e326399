"""The unsubscribe page, and one-click unsubscription by mail clients (RFC 8058).

A GET request changes nothing, because mail scanners and link previews follow links.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from publisher import LinkStatus
from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.web.context import DeliveryLink, WebContext, is_sample_link
from publisher.web.forms import Form, form_page, form_route
from publisher.web.openapi import TEXT, ApiRoute

#: Mail providers do not retry a one-click request (RFC 8058), so it waits longer for a writer thread than other forms.
_WAIT_SECONDS: Final = 30.0


class UnsubscribePages:
    """The page at the URL of ``mail.unsubscribe``."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        mail = context.site.mail
        self._link = DeliveryLink((mail.unsubscribe if mail is not None else None) or "")

    def routes(self) -> list[ApiRoute]:
        """Return the route; none if the site unsubscribes by mail only."""
        if not self._link.path:
            return []
        page = form_page(self._context, "leave", self._show, self._post, is_open=True, wait_seconds=_WAIT_SECONDS)
        return [
            form_route(
                self._link.path,
                page,
                "Unsubscribe from a newsletter (RFC 8058)",
                {"List-Unsubscribe": TEXT, "all": TEXT, "back": TEXT},
                {self._link.parameter: "The delivery's token"},
            )
        ]

    def _show(self, request: Request) -> Response:
        context = self._context
        if is_sample_link(self._link, request):
            return context.sample_page(
                "In the mails of subscribers it leads to the page on which they unsubscribe.",
                "To unsubscribe, open the link in the email that you got, or reply to that email.",
            )
        status = context.publisher.subscribers.link_status(self._link.token_of(request))
        return self._page(status, is_post=False)

    def _post(self, request: Request, form: Form) -> Response:
        context = self._context
        token = self._link.token_of(request)
        if "back" in form:
            status, state = context.publisher.subscribers.resubscribe_by_link(token), SubscriptionState.ACTIVE
        else:
            # Mail clients post various bodies; each of them means unsubscribe.
            status = context.publisher.subscribers.unsubscribe_by_link(token, everything="all" in form)
            state = SubscriptionState.UNSUBSCRIBED
        if status is not None:
            context.log_change(status.changed, state, ChangeSource.LINK)
        if status is not None and status.was_asked:
            context.wake("confirmation-emails")
            return self._confirmation_sent(status)
        return self._page(status, is_post=True)

    def _confirmation_sent(self, status: LinkStatus) -> Response:
        return self._context.message_page(
            "Check your email",
            f"We are sending a message with a link to {status.address}. Open the link and press the button there to get "
            f"{status.title} again.",
            "We send one such message a day at most.",
        )

    def _page(self, status: LinkStatus | None, *, is_post: bool) -> Response:
        say = self._context.message_page
        if status is None:
            line = "The link may be incomplete. Open it from the email itself, or reply to that email."
            return say("Link not found", line, status=404)
        address = f" ({status.address})" if status.address else ""
        others = "one other newsletter" if status.others == 1 else f"{status.others} other newsletters"
        if status.is_subscribed:
            heading = "Welcome back" if is_post else f"Unsubscribe from {status.title}?"
            lines = [f"You get {status.title}{address}."]
            buttons = [("leave", f"Unsubscribe from {status.title}")]
            if status.others:
                lines.append(f"You also get {others} of ours.")
                buttons.append(("all", "Unsubscribe from all"))
            return say(heading, *lines, buttons=tuple(buttons))
        lines = [f"You no longer get {status.title}{address}."]
        if status.others:
            lines.append(f"You still get {others} of ours.")
        buttons = []
        if status.can_undo:
            buttons = [("back", "That was a mistake: subscribe me again")]
        elif status.is_offered:
            buttons = [("back", "Subscribe again: send me a confirmation email")]
        if status.others:
            buttons.append(("all", "Unsubscribe from the others too"))
        return say(f"You have unsubscribed from {status.title}", *lines, buttons=tuple(buttons))
