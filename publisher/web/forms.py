"""Forms: GET shows the page, POST runs the action. The body is limited in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from publisher.web.context import WebContext
from publisher.web.openapi import FORM_TYPE, ApiRoute, Operation

#: Limits of a posted form.
_MAX_BYTES: Final = 20_000
_MAX_FIELDS: Final = 400
READ_TIMEOUT_SECONDS: Final = 10.0
#: Characters of a text field that are used.
_MAX_TEXT: Final = 4_000
#: Statuses of the responses to a form.
_GET_STATUSES: Final = (200, 404, 410)
_POST_STATUSES: Final = (200, 400, 403, 404, 408, 409, 410, 413, 415, 422, 429, 503)


class Form:
    """The fields of a posted form."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def text(self, name: str, default: str = "") -> str:
        """Return the stripped text of a field, at most 4,000 characters."""
        return self._fields.get(name, [default])[0].strip()[:_MAX_TEXT]

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the distinct values of a field."""
        return tuple(dict.fromkeys(self._fields.get(name, [])))


async def _read(request: Request, *, is_strict: bool) -> Form:
    """Return the posted form.

    Raises:
        HTTPException: the body is too long, too slow, incomplete or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_strict and kind != FORM_TYPE:
        raise HTTPException(415)
    body = b""
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > _MAX_BYTES:
                    raise HTTPException(413)
    except TimeoutError:
        raise HTTPException(408) from None
    except ClientDisconnect:
        # The client is gone: this is no failure of the server.
        raise HTTPException(400) from None
    try:
        return Form(parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        if is_strict:
            raise HTTPException(413) from None
        return Form({})


def form_page(
    context: WebContext,
    name: str,
    get: Callable[[Request], Response],
    post: Callable[[Request, Form], Response],
    *,
    foreign: Callable[[Request, Form], Response] | None = None,
    is_open: bool = False,
    wait_seconds: float = 0,
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for a form.

    Args:
        name: the form's name for rate limits and writer threads.
        foreign: handles a form that another site has posted; 403 by default.
        is_open: accepts any body from any site without a rate limit, as one-click unsubscription needs (RFC 8058).
        wait_seconds: how long a request waits for a writer thread; 0 for the default.
    """

    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            return await run_in_threadpool(get, request)
        if not is_open:
            wait = context.rate_limiter.seconds_to_wait(request, name)
            if wait:
                raise HTTPException(429, headers={"Retry-After": str(wait)})
        form = await _read(request, is_strict=not is_open)
        if is_open or context.rate_limiter.is_same_site(request):
            return await context.writers.run(name, wait_seconds, post, request, form)
        if foreign is None:
            raise HTTPException(403)
        return await context.writers.run(name, wait_seconds, foreign, request, form)

    return endpoint


def form_route(
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    summary: str,
    fields: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, str] | None = None,
    media_types: tuple[str, ...] = ("text/html",),
) -> ApiRoute:
    """Return the route of a form.

    Args:
        endpoint: made by ``form_page``.
        fields: field → its schema.
        parameters: parameter of the path or the query string → its description.
        media_types: the media types of the response to a posted form.
    """
    return ApiRoute(
        path,
        endpoint,
        parameters,
        get=Operation(f"{summary}: the page", _GET_STATUSES),
        post=Operation(summary, _POST_STATUSES, media_types, fields=fields),
    )
