"""The preferences page, opened by the link in a delivery or by a signed link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from publisher import Access, SubscriptionRequest
from publisher.model.subscriptions import ChangeSource, ConfirmationKind, SubscriptionState
from publisher.web.context import DeliveryLink, WebContext, is_sample_link
from publisher.web.forms import Form, form_page, form_route
from publisher.web.openapi import TEXT, ApiRoute
from publisher.web.subscribe import choice_fields, interest_fields, requested_subscription, zones_by_area


class PreferencesPage:
    """The page at the URL of ``mail.preferences``."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._subscribers = context.publisher.subscribers
        self._link = DeliveryLink(context.site.preferences_url)
        self._actions: dict[str, Callable[[Access, Form], str]] = {
            "save": self._save,
            "pause": self._pause,
            "resume": self._resume,
            "feed": self._feed,
            "unfeed": self._unfeed,
            "move": self._move,
            "download": partial(self._ask, kind=ConfirmationKind.DOWNLOAD),
            "erase": partial(self._ask, kind=ConfirmationKind.ERASE),
        }

    def routes(self) -> list[ApiRoute]:
        """Return the route."""
        page = form_page(self._context, "preferences", self._show, self._post)
        fields = {
            "do": {**TEXT, "enum": list(self._actions)},
            "until": {**TEXT, "format": "date"},
            "for_ever": TEXT,
            "address": {**TEXT, "format": "email"},
            **choice_fields(self._context.site),
        }
        parameters = {self._link.parameter: "The delivery's token", "t": "The token of a signed link"}
        return [form_route(self._link.path, page, "Change preferences", fields, parameters)]

    def _access(self, request: Request) -> Access:
        access = self._subscribers.resolve_access(
            delivery_token=self._link.token_of(request), link_token=request.query_params.get("t", "")
        )
        if access is None:
            raise HTTPException(404)
        return access

    def _show(self, request: Request) -> Response:
        if "t" not in request.query_params and is_sample_link(self._link, request):
            return self._context.sample_page(
                "In the mails of subscribers it leads to their preferences.",
                "To open your preferences, use the link in an email that you got.",
            )
        return self._page(self._access(request).subscriber_id)

    def _post(self, request: Request, form: Form) -> Response:
        access = self._access(request)
        action = self._actions.get(form.text("do"))
        if action is None:
            raise HTTPException(400)
        try:
            return self._page(access.subscriber_id, message=action(access, form))
        except ValueError as error:
            return self._page(access.subscriber_id, error=str(error), status=422)

    def _page(self, subscriber_id: int, *, message: str = "", error: str = "", status: int = 200) -> Response:
        context = self._context
        preferences = self._subscribers.preferences(subscriber_id)
        if preferences is None:
            link = ("Subscribe", f"{context.site.newsletters_url}/join") if context.site.accepts_subscriptions else None
            return context.message_page(
                "You get no newsletters from us", "You are not subscribed to any newsletter.", link=link
            )
        subscriber = preferences.subscriber
        values = {
            "address": preferences.address,
            "digests": list(context.site.digests.items()),
            "fields": interest_fields(context.publisher, subscriber.follows),
            "zones": zones_by_area(),
            "selected": SubscriptionRequest(
                digests=subscriber.digests, follows=subscriber.follows, zone=subscriber.zone
            ),
            "default_zone": context.site.zone,
            "paused_until": preferences.paused_until,
            "is_feed_only": preferences.is_feed_only,
            "feed": preferences.feed,
            "formats": [form.value for form in context.site.feeds.formats],
            "message": message,
            "error": error,
        }
        return context.page("preferences.html.j2", values, status=status)

    # -- actions ---------------------------------------------------------------------------------

    def _save(self, access: Access, form: Form) -> str:
        context = self._context
        preferences = self._subscribers.preferences(access.subscriber_id)
        follows = preferences.subscriber.follows if preferences is not None else {}
        request = requested_subscription(context.publisher, form, follows)
        saved = self._subscribers.save_preferences(access, request)
        if saved is None:
            return ""
        context.log_change(saved.subscribed, SubscriptionState.ACTIVE, ChangeSource.PREFERENCES)
        context.log_change(saved.unsubscribed, SubscriptionState.UNSUBSCRIBED, ChangeSource.PREFERENCES)
        if saved.awaiting:
            context.wake("confirmation-emails")
            titles = ", ".join(context.site.digests[slug].title for slug in saved.awaiting)
            return (
                f"Saved. One step is left for {titles}: we are sending you a message with a link, once a day at most. "
                "Open the link and press the button there."
            )
        if not request.digests:
            return "Saved. You get no more newsletters."
        return "Saved."

    def _pause(self, access: Access, form: Form) -> str:
        day = None
        if not form.text("for_ever"):
            try:
                day = date.fromisoformat(form.text("until"))
            except ValueError:
                raise ValueError("Choose the day on which mail resumes.") from None
            if day.year > self._context.publisher.now().year + 2:
                raise ValueError("Choose a day between tomorrow and a year from now.")
        self._subscribers.pause_mail(access.subscriber_id, day)
        return "Mail is paused."

    def _resume(self, access: Access, form: Form) -> str:
        self._subscribers.resume_mail(access.subscriber_id)
        return "Mail is resumed."

    def _feed(self, access: Access, form: Form) -> str:
        self._subscribers.set_personal_feed(access.subscriber_id, is_on=True)
        return "Your feed is ready. Keep its address secret: anyone who has it can read your feed."

    def _unfeed(self, access: Access, form: Form) -> str:
        self._subscribers.set_personal_feed(access.subscriber_id, is_on=False)
        return "Your feed is removed. Its address no longer works."

    def _move(self, access: Access, form: Form) -> str:
        context, address = self._context, form.text("address")
        try:
            if not context.rate_limiter.is_mailbox_over_limit(address):
                self._subscribers.request_address_change(access.subscriber_id, address)
        except ValueError as error:
            raise ValueError(f"That is not a valid address: {error}") from None
        context.wake("confirmation-emails")
        return (
            "We are sending a message to both addresses, once a day at most. The change needs confirmation from both."
        )

    def _ask(self, access: Access, form: Form, *, kind: ConfirmationKind) -> str:
        self._subscribers.request_data(access.subscriber_id, kind)
        self._context.wake("confirmation-emails")
        return "We are sending you a message with a link, once a day at most, to make sure that it is you."
