"""The whole of the web: feeds first, pages behind them, the machine's own questions."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from publisher.clock import Clock
from publisher.errors import PublisherError, SettingsError
from publisher.reports.stats import FeedRequestRow, record_feed_requests
from publisher.settings import SETTINGS_FILE, Site, read_site
from publisher.web.context import Context, NullLog
from publisher.web.feed_request_counter import FeedRequestCounter
from publisher.web.feeds import Feeds, Message, Receive, Scope, Send, send_response
from publisher.web.metrics import Metrics
from publisher.web.page_cache import PageCache
from publisher.web.pages import make_pages
from publisher.web.rate_limits import network_of

__all__ = ["Web"]

#: Seconds between two looks at the settings' file, and between two times that what was counted is kept.
_LOOK: Final = 1.0
_KEEP: Final = 60.0
#: What stands for somebody in an address: whoever reads the log is not to have it.
_PASS: Final = re.compile(r"[A-Za-z2-7]{26,}")


class Web:
    """An ASGI application. It takes up changed settings by itself; bad ones it leaves alone."""

    def __init__(
        self,
        site: Site,
        *,
        unready_reason: Callable[[], str] = lambda: "",
        wake: Callable[[str], None] = lambda name: None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        log: Any = None,
        keep: float = 0.0,
    ) -> None:
        """Begin.

        Args:
            site: the settings.
            unready_reason: tells why the process is not ready, for ``/readyz``; empty where it is.
            wake: told the name of a runner's job that has something to do now.
            clock: what time it is; this machine's by default.
            metrics: where answers are counted.
            log: is told of requests that failed, and of every one where the settings say so.
            keep: seconds for which a page that is the same for everybody is handed out again.
        """
        self._root = site.root
        self._signature = _signature(site.root)
        self._unready_reason = unready_reason
        self._wake = wake
        self._clock = clock or Clock()
        self._metrics = metrics
        self._log = log or NullLog()
        self._request_counter = FeedRequestCounter()
        self._keep_pages = keep
        self._looking: asyncio.Task[None] | None = None
        self._apply_settings(site)

    def _apply_settings(self, site: Site) -> None:
        self._site = site
        self._context = Context(site, clock=self._clock, wake=self._wake, log=self._log)
        self._feeds = Feeds(site, on_response=self._count_response)
        self._pages = PageCache(make_pages(self._context, self._feeds), self._keep_pages)
        entry: Callable[[Any, Any, Any], Awaitable[None]] = self._logged if site.web.access_log else self._answer
        if site.web.proxies:
            entry = ProxyHeadersMiddleware(entry, trusted_hosts=list(site.web.proxies))
        self._entry = entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or begin and end with the server."""
        if scope["type"] == "http":
            await self._entry(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)

    def _answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # No coroutine of its own: the way to a feed is short.
        path = scope["path"]
        if path.startswith(self._feeds.prefix):
            return self._feeds(scope, receive, send)
        is_head = scope["method"] == "HEAD"
        if path == "/healthz":
            return send_response(send, 200, _PLAIN, b"alive\n", is_head=is_head)
        if path == "/readyz":
            unready_reason = self._unready_reason()
            return send_response(
                send, 503 if unready_reason else 200, _PLAIN, f"{unready_reason or 'ready'}\n".encode(), is_head=is_head
            )
        return self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._pages(scope, receive, watched)
        except Exception as error:
            # Who asked has been told that it is our fault; why, is said here.
            self._log.error("request failed", path=_shown(scope), reason=f"{type(error).__name__}: {error}")
        if self._metrics is not None:
            self._metrics.count_response("page", status, time.monotonic() - began)

    def _count_response(self, name: str, scope: Scope, asked: Any, status: int) -> None:
        self._request_counter.count_request(name, scope, asked, status)
        if self._metrics is not None:
            self._metrics.count_response("feed", status)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and say so: of who asked only the network, of the address nothing that is a secret."""
        began, status, size = time.monotonic(), 500, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        await self._answer(scope, receive, watched)
        client = scope.get("client")
        self._log.info(
            "request",
            method=scope["method"],
            path=_shown(scope),
            status=status,
            bytes=size,
            ms=round((time.monotonic() - began) * 1000, 1),
            network=network_of(client[0]) if client else "",
        )

    def close(self) -> None:
        """Let go of the store."""
        self._context.close()

    # -- a life beside requests ------------------------------------------------------------------

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.startup":
            pass
        self._looking = asyncio.create_task(self._look())
        await send({"type": "lifespan.startup.complete"})
        while (await receive())["type"] != "lifespan.shutdown":
            pass
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        self.keep()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _look(self) -> None:
        kept = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK)
            try:
                if time.monotonic() - kept >= _KEEP:
                    kept = time.monotonic()
                    rows = self._request_counter.take_rows(self._context.now().astimezone(self._site.tz))
                    await asyncio.to_thread(self._keep, rows)
                self._look_at_settings()
            except Exception as error:
                # Whatever it was this time: who looks no more would never hear of settings again.
                self._log.error("background check failed", reason=f"{type(error).__name__}: {error}")

    def _look_at_settings(self) -> None:
        mark = _signature(self._root)
        if mark != self._signature:
            self._signature = mark
            # What is wrong with them the runner says, and every command.
            with contextlib.suppress(SettingsError):
                site = read_site(self._root)
                self.close()
                self._apply_settings(site)

    def keep(self) -> None:
        """Write down what was counted."""
        self._keep(self._request_counter.take_rows(self._context.now().astimezone(self._site.tz)))

    def _keep(self, rows: Sequence[FeedRequestRow]) -> None:
        try:
            record_feed_requests(self._context.db, rows)
        except PublisherError as error:
            self._log.error("statistics not saved", reason=str(error))


_PLAIN = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


def _shown(scope: Scope) -> str:
    """Return a request's path without what stands for somebody; what follows ``?`` is left out altogether."""
    return _PASS.sub("…", scope["path"])[:200]


def _signature(root: Path) -> tuple[int, int]:
    try:
        found = (root / SETTINGS_FILE).stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
