"""The endpoint of the site's WebSub hub (https://www.w3.org/TR/websub/)."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from publisher.web.context import Context
from publisher.web.forms import Form, form_page
from publisher.websub.hub import RequestRejected, request_subscription

__all__ = ["hub_routes"]


def hub_routes(context: Context) -> list[Route]:
    """Return the route of the hub; none if the site has no hub."""
    if context.site.hub_url is None:
        return []

    def show(_: Request) -> Response:
        raise HTTPException(405, headers={"Allow": "POST"})

    def subscribe(_: Request, form: Form) -> Response:
        try:
            request_subscription(
                context.site,
                context.db,
                mode=form.text("hub.mode"),
                topic=form.text("hub.topic"),
                callback=form.text("hub.callback"),
                lease=form.text("hub.lease_seconds"),
                secret=form.text("hub.secret"),
                now=context.now(),
            )
        except RequestRejected as error:
            return PlainTextResponse(f"{error}\n", 400)
        context.wake("hub")
        return PlainTextResponse("The request is verified with the callback.\n", 202)

    # Requests from other sites are allowed, because the callback has to confirm each subscription.
    endpoint = form_page(context, "hub", show, subscribe, foreign=subscribe)
    return [Route(context.path_of(context.site.hub_url), endpoint, methods=["GET", "POST"])]
