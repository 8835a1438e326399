"""The whole of the web: feeds first, pages behind them, the machine's own questions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from publisher.clock import Clock
from publisher.config import SETTINGS_FILE, Site, read_site
from publisher.errors import SettingsError
from publisher.web.context import Context
from publisher.web.feeds import Feeds, Receive, Scope, Send, say
from publisher.web.pages import make_pages

__all__ = ["Web"]

#: Seconds between two looks at the settings' file.
_LOOK = 1.0


class _Silent:
    """Where nobody reads a log."""

    def error(self, event: str, **said: Any) -> None:
        """Say nothing."""

    info = error


class Web:
    """An ASGI application. It takes up changed settings by itself; bad ones it leaves alone."""

    def __init__(
        self,
        site: Site,
        *,
        trouble: Callable[[], str] = lambda: "",
        wake: Callable[[str], None] = lambda name: None,
        clock: Clock | None = None,
        log: Any = None,
    ) -> None:
        """Begin.

        Args:
            site: the settings.
            trouble: tells why the process is not ready, for ``/readyz``; empty where it is.
            wake: told the name of a runner's job that has something to do now.
            clock: what time it is; this machine's by default.
            log: is told of requests that failed.
        """
        self._root = site.root
        self._mark = _mark(site.root)
        self._trouble = trouble
        self._wake = wake
        self._clock = clock or Clock()
        self._log = log or _Silent()
        self._looking: asyncio.Task[None] | None = None
        self._take_up(site)

    def _take_up(self, site: Site) -> None:
        self._site = site
        self._context = Context(site, clock=self._clock, wake=self._wake)
        self._feeds = Feeds(site)
        self._pages: Starlette = make_pages(self._context, self._feeds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or begin and end with the server."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            return
        path = scope["path"]
        if path.startswith(self._feeds.prefix):
            await self._feeds(scope, receive, send)
        elif path == "/healthz":
            await say(send, 200, _PLAIN, b"alive\n", is_head=scope["method"] == "HEAD")
        elif path == "/readyz":
            trouble = self._trouble()
            body = f"{trouble or 'ready'}\n".encode()
            await say(send, 503 if trouble else 200, _PLAIN, body, is_head=scope["method"] == "HEAD")
        else:
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._pages(scope, receive, send)
        except Exception as error:
            # Who asked has been told that it is our fault; why, is said here.
            self._log.error("request failed", path=scope["path"], reason=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Let go of the store."""
        self._context.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.startup":
            pass
        self._looking = asyncio.create_task(self._look())
        await send({"type": "lifespan.startup.complete"})
        while (await receive())["type"] != "lifespan.shutdown":
            pass
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            mark = _mark(self._root)
            if mark != self._mark:
                self._mark = mark
                # What is wrong with them the runner says, and every command.
                with contextlib.suppress(SettingsError):
                    site = read_site(self._root)
                    self.close()
                    self._take_up(site)


_PLAIN = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


def _mark(root: Path) -> tuple[int, int]:
    try:
        found = (root / SETTINGS_FILE).stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
