"""The ASGI application: feeds, pages, health checks, changed settings."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from publisher import FeedRequestRow
from publisher.clock import Clock
from publisher.errors import PublisherError
from publisher.settings import RereadSettings, Site
from publisher.web.context import NullLog, WebContext
from publisher.web.feed_request_counter import FeedRequestCounter
from publisher.web.feeds import Feeds, send_response
from publisher.web.metrics import Metrics
from publisher.web.openapi import ApiPath, Operation
from publisher.web.page_cache import PageCache
from publisher.web.pages import make_pages
from publisher.web.rate_limits import network_of

#: Intervals at which the settings file is checked, and at which counted requests are stored.
SETTINGS_CHECK_SECONDS: Final = 1.0
STORE_COUNTS_SECONDS: Final = 60.0
#: A token in a path. The log hides it, because it gives access to a subscription.
_TOKEN: Final = re.compile(r"[A-Za-z2-7]{26,}")
_PLAIN: Final = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
_ALIVE: Final = ApiPath("/healthz", {"get": Operation("Whether the process runs", (200,), ("text/plain",))})
_READY: Final = ApiPath(
    "/readyz",
    {"get": Operation("Whether the process can work", (200, 503), ("text/plain",), ("text/plain",))},
)


@dataclass(eq=False)
class Web:
    """The ASGI application of a site; changed settings take effect, invalid ones are ignored.

    The database is opened by the first request that needs it.
    """

    #: The settings in use.
    site: Site
    _: KW_ONLY
    #: Returns why ``/readyz`` reports 503; empty for 200.
    unready_reason: Callable[[], str] = lambda: ""
    #: Called with the name of a background job that has new work.
    wake: Callable[[str], None] = lambda name: None
    clock: Clock = field(default_factory=Clock)
    #: Counts responses.
    metrics: Metrics | None = None
    #: Receives failed requests, and every request if the settings enable the access log.
    log: InitVar[Any] = None
    #: How long public pages are cached.
    cache_seconds: float = 0.0

    def __post_init__(self, log: Any) -> None:
        self._log = log or NullLog()
        self._settings = RereadSettings(self.site)
        self._request_counter = FeedRequestCounter()
        self._background: asyncio.Task[None] | None = None
        self._apply_settings(self.site)

    def _apply_settings(self, site: Site) -> None:
        self.site = site
        self._context = WebContext(site, clock=self.clock, wake=self.wake, log=self._log)
        self._feeds = Feeds(site, on_response=self._count_response)
        pages = make_pages(self._context, self._feeds, described=(_ALIVE, _READY, self._feeds.api))
        self._pages = PageCache(pages, self.cache_seconds)
        entry: Callable[[Any, Any, Any], Awaitable[None]] = self._logged if site.web.access_log else self._answer
        if site.web.proxies:
            entry = ProxyHeadersMiddleware(entry, trusted_hosts=list(site.web.proxies))
        self._entry = entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request, or to the server's start and shutdown."""
        if scope["type"] == "http":
            await self._entry(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)

    def _answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Returns the feed's coroutine instead of awaiting it: one coroutine less for each request of a feed.
        path = scope["path"]
        if path.startswith(self._feeds.prefix):
            return self._feeds(scope, receive, send)
        is_head = scope["method"] == "HEAD"
        if path == _ALIVE.path:
            return send_response(send, 200, _PLAIN, b"alive\n", is_head=is_head)
        if path == _READY.path:
            unready_reason = self.unready_reason()
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
            # The client has got a page with status 500 already.
            self._log.error("request failed", path=_shown(scope), reason=f"{type(error).__name__}: {error}")
        if self.metrics is not None:
            self.metrics.count_response("page", status, time.monotonic() - began)

    def _count_response(self, name: str, scope: Scope, asked: Any, status: int) -> None:
        self._request_counter.count_request(name, scope, asked, status)
        if self.metrics is not None:
            self.metrics.count_response("feed", status)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, and log the request without tokens and without the client's address."""
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
        """Close the database."""
        self._context.close()

    # -- in the background -------------------------------------------------------------------------

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.startup":
            pass
        self._background = asyncio.create_task(self._run_background())
        await send({"type": "lifespan.startup.complete"})
        while (await receive())["type"] != "lifespan.shutdown":
            pass
        self._background.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._background
        self.store_counts()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _run_background(self) -> None:
        stored_at = time.monotonic()
        while True:
            await asyncio.sleep(SETTINGS_CHECK_SECONDS)
            try:
                if time.monotonic() - stored_at >= STORE_COUNTS_SECONDS:
                    stored_at = time.monotonic()
                    rows = self._request_counter.take_rows(self._context.publisher.now())
                    await asyncio.to_thread(self._store, rows)
                self._check_settings()
            except Exception as error:
                # Without this loop, changed settings would never take effect.
                self._log.error("background check failed", reason=f"{type(error).__name__}: {error}")

    def _check_settings(self) -> None:
        # The runner and every command report invalid settings.
        site = self._settings.current()
        if site is not self.site:
            self.close()
            self._apply_settings(site)

    def store_counts(self) -> None:
        """Store the counted requests."""
        self._store(self._request_counter.take_rows(self._context.publisher.now()))

    def _store(self, rows: Sequence[FeedRequestRow]) -> None:
        try:
            self._context.publisher.reports.record_feed_requests(rows)
        except PublisherError as error:
            self._log.error("statistics not saved", reason=str(error))


def _shown(scope: Scope) -> str:
    """Return a request's path without tokens and without the query string."""
    return _TOKEN.sub("…", scope["path"])[:200]
