"""The page of the unsubscribe link, and the one-click POST of mail programs (RFC 8058).

A GET changes nothing: mail scanners and previews follow links.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.model.subscriptions import SubscriptionState
from publisher.subscribers.subscriptions_store import ChangeSource
from publisher.subscriptions.unsubscribe import LinkStatus, link_status, resubscribe_by_link, unsubscribe_by_link
from publisher.web.context import Context
from publisher.web.forms import Form, form_page
from publisher.web.links import DeliveryLink

__all__ = ["UnsubscribePages"]

#: Mail providers post once (RFC 8058) and do not try again, so an unsubscription waits for longer than other forms.
_WAIT_SECONDS: Final = 30.0


class UnsubscribePages:
    """Answers at the address that ``mail.unsubscribe`` names."""

    def __init__(self, context: Context) -> None:
        self._context = context
        mail = context.site.mail
        self._link = DeliveryLink((mail.unsubscribe if mail is not None else None) or "")

    def routes(self) -> list[Route]:
        """Return the route; none where people unsubscribe by mail."""
        if not self._link.path:
            return []
        page = form_page(self._context, "leave", self._look, self._post, is_open=True, wait_seconds=_WAIT_SECONDS)
        return [Route(self._link.path, page, methods=["GET", "POST"])]

    def _look(self, request: Request) -> Response:
        context = self._context
        found = link_status(context.site, context.db, self._link.token_of(request), context.now())
        return self._page(found, is_post=False)

    def _post(self, request: Request, form: Form) -> Response:
        context = self._context
        site, db, copy, now = context.site, context.db, self._link.token_of(request), context.now()
        if "back" in form:
            found, state = resubscribe_by_link(site, db, copy, now), SubscriptionState.ACTIVE
        else:
            # Mail programs post all kinds of bodies: each of them means unsubscribe.
            found = unsubscribe_by_link(site, db, copy, now, everything="all" in form)
            state = SubscriptionState.UNSUBSCRIBED
        if found is not None:
            context.log_change(found.changed, state, ChangeSource.LINK)
        if found is not None and found.was_asked:
            context.wake("confirmation-emails")
            return self._asked(found)
        return self._page(found, is_post=True)

    def _asked(self, found: LinkStatus) -> Response:
        return self._context.message_page(
            "Check your email",
            f"We are sending a message with a link to {found.address}. Open the link and press the button there to get "
            f"{found.title} again.",
            "We send one such message a day at most.",
        )

    def _page(self, found: LinkStatus | None, *, is_post: bool) -> Response:
        say = self._context.message_page
        if found is None:
            line = "The link may be incomplete. Open it from the email itself, or reply to that email."
            return say("Link not found", line, status=404)
        whose = f" ({found.address})" if found.address else ""
        others = "one other newsletter" if found.others == 1 else f"{found.others} other newsletters"
        if found.is_subscribed:
            heading = "Welcome back" if is_post else f"Unsubscribe from {found.title}?"
            lines = [f"You get {found.title}{whose}."]
            buttons = [("leave", f"Unsubscribe from {found.title}")]
            if found.others:
                lines.append(f"You also get {others} of ours.")
                buttons.append(("all", "Unsubscribe from all"))
            return say(heading, *lines, buttons=tuple(buttons))
        lines = [f"You no longer get {found.title}{whose}."]
        if found.others:
            lines.append(f"You still get {others} of ours.")
        buttons = []
        if found.can_undo:
            buttons = [("back", "That was a mistake: subscribe me again")]
        elif found.is_offered:
            buttons = [("back", "Subscribe again: send me a confirmation email")]
        if found.others:
            buttons.append(("all", "Unsubscribe from the others too"))
        return say(f"You have unsubscribed from {found.title}", *lines, buttons=tuple(buttons))
