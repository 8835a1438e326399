"""Forms: GET shows the page, POST does the work; the body is bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from publisher.web.context import Context

__all__ = ["Form", "form_page"]

#: Bytes and fields that a form may have, and seconds that it may take.
_MOST: Final = 20_000
_FIELDS: Final = 400
_PATIENCE: Final = 10.0


class Form:
    """The fields of a form."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def text(self, name: str, default: str = "") -> str:
        """Return a field's text without white space around it, cut off where nobody writes so much."""
        return self._fields.get(name, [default])[0].strip()[:4000]

    def choices(self, name: str) -> tuple[str, ...]:
        """Return what was chosen of a field, each once."""
        return tuple(dict.fromkeys(self._fields.get(name, [])))


async def _read(request: Request, *, is_strict: bool) -> Form:
    """Return what was posted.

    Raises:
        HTTPException: it is too long, too slow, no form, or not all there.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_strict and kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = b""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > _MOST:
                    raise HTTPException(413)
    except TimeoutError:
        raise HTTPException(408) from None
    except ClientDisconnect:
        # Nobody is there to be answered, and nothing of ours has failed.
        raise HTTPException(400) from None
    try:
        return Form(parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        if is_strict:
            raise HTTPException(413) from None
        return Form({})


def form_page(
    context: Context,
    name: str,
    get: Callable[[Request], Response],
    post: Callable[[Request, Form], Response],
    *,
    foreign: Callable[[Request, Form], Response] | None = None,
    is_open: bool = False,
    wait_seconds: float = 0,
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint.

    Args:
        context: what every page has.
        name: what it is called where posts are counted.
        get: shows the page.
        post: does what was asked.
        foreign: answers what a page of somebody else's has posted; it is refused by default.
        is_open: whether programs may post from anywhere, anything, and as often as they like (RFC 8058).
        wait_seconds: how long a post waits for those before it; 0 for the usual time.
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
