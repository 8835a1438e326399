"""The subscribe form, and the page that answers confirmation emails."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import available_timezones

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from publisher import ConfirmationResult, OpenedConfirmation, Publisher, SubscriptionRequest
from publisher.model.subscriptions import ChangeSource, ConfirmationKind, SubscriptionState
from publisher.settings import Site
from publisher.web.context import WebContext
from publisher.web.forms import Form, form_page, form_route
from publisher.web.openapi import TEXT, ApiRoute, Operation

#: Field of an article → chosen labels.
Follows = Mapping[str, tuple[str, ...]]
_AREAS: Final = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
#: Field → its heading on pages.
_HEADINGS: Final = {
    "topics": "Topics",
    "regions": "Regions",
    "brands": "Series",
    "tags": "Tags",
    "authors": "Authors",
}
#: Preselects the browser's time zone; the form works without it.
_SCRIPT: Final = """(function () {
  var list = document.querySelector("select[data-guess]");
  if (!list || list.value) return;
  try {
    var zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (var i = 0; i < list.options.length; i++) if (list.options[i].value === zone) list.value = zone;
  } catch (error) {}
})();
"""


@lru_cache(maxsize=1)
def zones_by_area() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return (area, zone names) of the tz database, for a form."""
    every = sorted(available_timezones())
    return tuple((area, tuple(zone for zone in every if zone.startswith(f"{area}/"))) for area in _AREAS)


def interest_fields(publisher: Publisher, has: Follows) -> list[tuple[str, str, list[str]]]:
    """Return (field, heading, labels) for a form, with the subscriber's earlier choices."""
    return [
        (name, _HEADINGS[name], labels)
        for name, labels in _offered(publisher, has).items()
        if len(labels) > 1 or has.get(name)
    ]


def _offered(publisher: Publisher, has: Follows) -> dict[str, list[str]]:
    return {
        name: sorted({*labels, *has.get(name, ())}, key=str.casefold) if has.get(name) else labels
        for name, labels in publisher.subscribers.interest_choices().items()
    }


def choice_fields(site: Site) -> dict[str, Mapping[str, Any]]:
    """Return the schema of each field that ``requested_subscription`` reads."""
    return {
        "digest": {"type": "array", "items": {**TEXT, "enum": list(site.digests)}},
        "zone": TEXT,
        **{name: {"type": "array", "items": TEXT} for name in _HEADINGS},
    }


def requested_subscription(
    publisher: Publisher, form: Form, has: Follows = MappingProxyType({})
) -> SubscriptionRequest:
    """Return the valid choices of a posted form.

    Saved interests stay valid even if no article has them any more.
    """
    offered = _offered(publisher, has)
    follows = {
        name: tuple(label for label in form.choices(name) if label in set(labels)) for name, labels in offered.items()
    }
    zone = form.text("zone")
    known = any(zone in names for _, names in zones_by_area())
    return SubscriptionRequest(
        digests=tuple(slug for slug in form.choices("digest") if slug in publisher.site.digests),
        follows={name: labels for name, labels in follows.items() if labels},
        zone=zone if known else None,
    )


class SubscribePages:
    """The subscribe form and the confirmation page."""

    def __init__(self, context: WebContext) -> None:
        self._context = context

    def routes(self) -> list[ApiRoute]:
        """Return the routes."""
        context = self._context
        base = context.path_of(context.site.newsletters_url)
        confirm = form_page(context, "confirm", self._show_confirmation, self._confirm)
        routes = [
            form_route(
                f"{base}/confirm",
                confirm,
                "Answer a confirmation email",
                {"yes": TEXT},
                {"t": "The token of the confirmation email's link"},
                ("text/html", "application/json"),
            ),
            ApiRoute(
                f"{base}/zone.js",
                self._script,
                get=Operation("The script that preselects the time zone", (200,), ("text/javascript",)),
            ),
        ]
        if context.site.accepts_subscriptions:
            subscribe = form_page(context, "join", self._show, self._subscribe, foreign=self._embedded)
            fields = {"address": {**TEXT, "format": "email"}, **choice_fields(context.site)}
            parameters = {"digest": "A newsletter to preselect"}
            routes.append(form_route(f"{base}/join", subscribe, "Subscribe", fields, parameters))
        return routes

    async def _script(self, request: Request) -> Response:
        headers = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}
        return Response(_SCRIPT, headers=headers, media_type="text/javascript; charset=utf-8")

    # -- subscribe -------------------------------------------------------------------------------

    def _show(self, request: Request) -> Response:
        site = self._context.site
        chosen = tuple(slug for slug in request.query_params.getlist("digest") if slug in site.digests)
        return self._form(SubscriptionRequest(digests=chosen or tuple(site.digests)[:1]))

    def _form(self, choices: SubscriptionRequest, *, address: str = "", error: str = "", status: int = 200) -> Response:
        context = self._context
        values: dict[str, Any] = {
            "digests": list(context.site.digests.items()),
            "default_zone": context.site.zone,
            "fields": interest_fields(context.publisher, {}),
            "zones": zones_by_area(),
            "selected": choices,
            "address": address,
            "error": error,
        }
        return context.page("join.html.j2", values, status=status)

    def _embedded(self, request: Request, form: Form) -> Response:
        if self._context.rate_limiter.is_from_embedding_site(request):
            return self._subscribe(request, form)
        # A form of another site only fills in ours: people press the button here.
        return self._form(requested_subscription(self._context.publisher, form), address=form.text("address"))

    def _subscribe(self, request: Request, form: Form) -> Response:
        context = self._context
        site, address = context.site, form.text("address")
        choices = requested_subscription(context.publisher, form)
        if not choices.digests and len(site.digests) == 1:
            choices = SubscriptionRequest(digests=tuple(site.digests), follows=choices.follows, zone=choices.zone)
        if not choices.digests:
            return self._form(choices, address=address, error="Choose at least one newsletter.", status=422)
        # A honeypot: people do not see this field, and bots fill it in.
        if not form.text("website") and not context.rate_limiter.is_mailbox_over_limit(address):
            try:
                context.publisher.subscribers.request_subscription(address, choices)
            except ValueError as error:
                return self._form(choices, address=address, error=f"That is not a valid address: {error}", status=422)
            context.wake("confirmation-emails")
        return context.message_page(
            "Check your email",
            f"If {address} can receive our mail, a message with a link arrives there within a few minutes.",
            "Open the link and press the button there: you are subscribed only then. We send one such message a day at "
            "most. If none arrives, look in your spam folder, or try again tomorrow.",
        )

    # -- confirm -----------------------------------------------------------------------------------

    def _open(self, request: Request) -> OpenedConfirmation:
        opened = self._context.publisher.subscribers.open_confirmation(request.query_params.get("t", ""))
        if opened is None:
            raise HTTPException(404)
        return opened

    def _show_confirmation(self, request: Request) -> Response:
        context, opened = self._context, self._open(request)
        email = opened.confirmation
        if not opened.is_valid:
            link = (
                ("Subscribe again", f"{context.site.newsletters_url}/join")
                if email.kind is ConfirmationKind.SUBSCRIBE
                else None
            )
            return context.message_page("This link has expired", "Please ask for a new one.", status=410, link=link)
        if email.kind is ConfirmationKind.SUBSCRIBE:
            digests = context.site.digests
            names = [digests[slug].title for slug in opened.request.digests if slug in digests]
            lines = [f"{email.address} will get: {', '.join(names)}."]
            return context.message_page("One last step", *lines, buttons=(("yes", "Yes, subscribe me"),))
        if email.kind is ConfirmationKind.ERASE:
            lines = [f"We will erase {email.address} and all data about you. This cannot be undone."]
            return context.message_page("Erase your data?", *lines, buttons=(("yes", "Erase my data"),))
        if email.kind is ConfirmationKind.DOWNLOAD:
            return context.message_page(
                "Your data", "A JSON file with all data that we store about you.", buttons=(("yes", "Download it"),)
            )
        lines = [f"Your newsletters will go to {email.request['to']}."]
        return context.message_page("Change your address?", *lines, buttons=(("yes", "Yes, change my address"),))

    def _confirm(self, request: Request, form: Form) -> Response:
        context, opened = self._context, self._open(request)
        if not opened.is_valid:
            return self._show_confirmation(request)
        result = context.publisher.subscribers.answer_confirmation(request.query_params.get("t", ""))
        if result is None:
            raise HTTPException(404)
        context.log_change(result.subscribed, SubscriptionState.ACTIVE, ChangeSource.FORM)
        context.wake("confirmation-emails")
        return self._result_page(opened.confirmation.kind, result)

    def _result_page(self, kind: ConfirmationKind, result: ConfirmationResult) -> Response:
        context = self._context
        link = ("Change what you get and when", result.preferences) if result.preferences else None
        if kind is ConfirmationKind.DOWNLOAD:
            headers = {
                "content-disposition": 'attachment; filename="my-data.json"',
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
            }
            return Response(result.data, headers=headers, media_type="application/json")
        if kind is ConfirmationKind.ERASE:
            return context.message_page(
                "Your data is erased",
                "We keep only a code made from your address, so that no list adds you again. Thank you for reading.",
            )
        if kind is ConfirmationKind.SUBSCRIBE:
            return context.message_page("Welcome", "You are subscribed. You will get the next issue.", link=link)
        if result.trouble:
            return context.message_page("That didn’t work", result.trouble, status=409, link=link)
        if not result.is_done:
            return context.message_page("One more step", "The other address must confirm the change, too.")
        return context.message_page("Done", "Your newsletters now go to the new address.", link=link)
