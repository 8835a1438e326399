"""The endpoint of the site's WebSub hub (https://www.w3.org/TR/websub/)."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from publisher import RequestRejected
from publisher.web.context import WebContext
from publisher.web.forms import Form, form_page
from publisher.web.openapi import TEXT, ApiRoute, Operation


def hub_routes(context: WebContext) -> list[ApiRoute]:
    """Return the route of the hub; none if the site has no hub."""
    if context.site.hub_url is None:
        return []

    def show(_: Request) -> Response:
        raise HTTPException(405, headers={"Allow": "POST"})

    def subscribe(_: Request, form: Form) -> Response:
        try:
            context.publisher.websub.request_subscription(
                mode=form.text("hub.mode"),
                topic=form.text("hub.topic"),
                callback=form.text("hub.callback"),
                lease=form.text("hub.lease_seconds"),
                secret=form.text("hub.secret"),
            )
        except RequestRejected as error:
            return PlainTextResponse(f"{error}\n", 400)
        context.wake("hub")
        return PlainTextResponse("The request is verified with the callback.\n", 202)

    # Requests from other sites are allowed, because the callback has to confirm each subscription.
    endpoint = form_page(context, "hub", show, subscribe, foreign=subscribe)
    return [
        ApiRoute(
            context.path_of(context.site.hub_url),
            endpoint,
            get=Operation("Only POST is allowed", (405,)),
            post=Operation(
                "Subscribe to the changes of a feed (WebSub)",
                (202, 400, 408, 413, 415, 429, 503),
                ("text/plain",),
                ("text/html", "text/plain"),
                fields={f"hub.{name}": TEXT for name in ("mode", "topic", "callback", "lease_seconds", "secret")},
                required=("hub.mode", "hub.topic", "hub.callback"),
            ),
        )
    ]
