"""Short-lived cache of public pages: many requests of one page cost one rendering."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Memory for all pages, and the approximate overhead of each.
_MAX_BYTES: Final = 8_000_000
_OVERHEAD_BYTES: Final = 2_000
#: How long one request may render an expired page while the others still get the old one.
_REFRESH_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Page:
    start: Message
    body: bytes
    expires_at: float
    #: Approximate bytes of memory.
    size: int


class PageCache:
    """Wraps an application and caches its public pages for a shorter time than they allow."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        """Create an empty cache that keeps a page for SECONDS; 0 disables it."""
        self._app = app
        self._seconds = seconds
        self._pages: OrderedDict[tuple[str, bytes], _Page] = OrderedDict()
        self._used_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if not self._seconds or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        key = (scope["path"], scope["query_string"])
        page = self._pages.get(key)
        now = time.monotonic()
        if page is not None:
            if page.expires_at > now:
                await send(page.start)
                await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page.body})
                return
            page.expires_at = now + _REFRESH_SECONDS
        if scope["method"] == "GET":
            await self._render(key, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _render(self, key: tuple[str, bytes], scope: Scope, receive: Receive, send: Send) -> None:
        """Render the page, send it, and cache it if it is public."""
        messages: list[Message] = []

        async def watched(message: Message) -> None:
            messages.append(message)
            await send(message)

        await self._app(scope, receive, watched)
        if len(messages) == 2 and _is_cacheable(messages[0]):
            body = messages[1].get("body", b"")
            size = _OVERHEAD_BYTES + len(body) + len(key[0]) + len(key[1])
            self._add(key, _Page(messages[0], body, time.monotonic() + self._seconds, size))
        else:
            self._drop(key)

    def _add(self, key: tuple[str, bytes], page: _Page) -> None:
        self._drop(key)
        self._pages[key] = page
        self._used_bytes += page.size
        while self._used_bytes > _MAX_BYTES:
            self._drop(next(iter(self._pages)))

    def _drop(self, key: tuple[str, bytes]) -> None:
        before = self._pages.pop(key, None)
        if before is not None:
            self._used_bytes -= before.size


def _is_cacheable(start: Message) -> bool:
    """Return whether a response is a complete public page."""
    headers: dict[bytes, bytes] = dict(start["headers"])
    is_public = headers.get(b"cache-control", b"").startswith(b"public")
    return bool(start["status"] == 200) and is_public and headers.get(b"content-type", b"").startswith(b"text/html")
