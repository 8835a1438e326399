"""Pages that are the same for everybody, handed out again for a moment: a rush to one is one look into the store."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from publisher.web.feeds import Message, Receive, Scope, Send

__all__ = ["PageCache"]

#: Bytes of pages that are kept, and of what stands beside each, about.
_MOST: Final = 8_000_000
_BESIDE: Final = 2_000
#: Seconds in which who refreshes a page is alone with that; everybody else gets the one before.
_ALONE: Final = 5.0
_App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class _Page:
    start: Message
    body: bytes
    until: float
    #: Bytes in memory, about.
    size: int


class PageCache:
    """Stands before an application. What it says to be ``public`` may be kept, for a moment that is shorter than it says."""

    def __init__(self, app: _App, seconds: float) -> None:
        """Begin with nothing.

        Args:
            app: makes the pages.
            seconds: for which one is handed out again; 0 for none at all.
        """
        self._app = app
        self._seconds = seconds
        self._pages: OrderedDict[tuple[str, bytes], _Page] = OrderedDict()
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._seconds or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        key = (scope["path"], scope["query_string"])
        page = self._pages.get(key)
        now = time.monotonic()
        if page is not None:
            if page.until > now:
                await send(page.start)
                await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page.body})
                return
            page.until = now + _ALONE
        if scope["method"] == "GET":
            await self._make(key, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _make(self, key: tuple[str, bytes], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and keep the page if it may be kept."""
        messages: list[Message] = []

        async def watched(message: Message) -> None:
            messages.append(message)
            await send(message)

        await self._app(scope, receive, watched)
        if len(messages) == 2 and _may_be_kept(messages[0]):
            body = messages[1].get("body", b"")
            size = _BESIDE + len(body) + len(key[0]) + len(key[1])
            self._keep(key, _Page(messages[0], body, time.monotonic() + self._seconds, size))
        else:
            self._drop(key)

    def _keep(self, key: tuple[str, bytes], page: _Page) -> None:
        self._drop(key)
        self._pages[key] = page
        self._held += page.size
        while self._held > _MOST:
            self._drop(next(iter(self._pages)))

    def _drop(self, key: tuple[str, bytes]) -> None:
        before = self._pages.pop(key, None)
        if before is not None:
            self._held -= before.size


def _may_be_kept(start: Message) -> bool:
    """Tell whether an answer is a whole page for everybody, whatever else a request says."""
    headers: dict[bytes, bytes] = dict(start["headers"])
    is_public = headers.get(b"cache-control", b"").startswith(b"public")
    return bool(start["status"] == 200) and is_public and headers.get(b"content-type", b"").startswith(b"text/html")
