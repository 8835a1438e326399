"""Where programs ask to be told of changes (https://www.w3.org/TR/websub/#subscriber-sends-subscription-request)."""

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
    """Return where the hub is; nowhere where the site has none."""
    if context.site.hub_url is None:
        return []

    def look(_: Request) -> Response:
        raise HTTPException(405, headers={"Allow": "POST"})

    def ask(_: Request, form: Form) -> Response:
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
        except RequestRejected as refusal:
            return PlainTextResponse(f"{refusal}\n", 400)
        context.wake("hub")
        return PlainTextResponse("The callback is asked whether it was meant.\n", 202)

    # A form of another page may come here: the callback is asked, and it alone can say yes.
    endpoint = form_page(context, "hub", look, ask, foreign=ask)
    return [Route(context.path_of(context.site.hub_url), endpoint, methods=["GET", "POST"])]
