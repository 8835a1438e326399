"""The whole of the web: feeds, the page where readers leave, the machine's own questions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from publisher.config import SETTINGS_FILE, Site, read_site
from publisher.errors import SettingsError
from publisher.web.feeds import Feeds, Receive, Scope, Send, say
from publisher.web.leave import Leave

__all__ = ["Web"]

#: Seconds between two looks at the settings' file.
_LOOK = 1.0


class Web:
    """An ASGI application. It takes up changed settings by itself; bad ones it leaves alone."""

    def __init__(self, site: Site, *, trouble: Callable[[], str] = lambda: "") -> None:
        """Begin.

        Args:
            site: the settings.
            trouble: tells why the process is not ready, for ``/readyz``; empty where it is.
        """
        self._root = site.root
        self._mark = _mark(site.root)
        self._trouble = trouble
        self._feeds, self._leave = Feeds(site), Leave(site)
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/healthz":
            await say(send, 200, _PLAIN, b"alive\n", is_head=scope["method"] == "HEAD")
        elif path == "/readyz":
            trouble = self._trouble()
            body = f"{trouble or 'ready'}\n".encode()
            await say(send, 503 if trouble else 200, _PLAIN, body, is_head=scope["method"] == "HEAD")
        elif (copy := self._leave.copy_of(scope)) is not None:
            await self._leave.answer(scope, receive, send, copy)
        else:
            await self._feeds(scope, receive, send)

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
        self._leave.close()
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
                    self._leave.close()
                    self._feeds, self._leave = Feeds(site), Leave(site)


_PLAIN = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


def _mark(root: Path) -> tuple[int, int]:
    try:
        found = (root / SETTINGS_FILE).stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
