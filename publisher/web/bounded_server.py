"""Accept connections, but no more than the process has file descriptors for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn import Server

from publisher.web.protocol import DeadlineProtocol

__all__ = ["BoundedServer", "most_connections"]

#: Descriptors that publishing, mail and the database use beside connections of visitors.
_RESERVE: Final = 300
#: Connections that are accepted in one go, so that requests are answered between two of them.
_BURST: Final = 64
#: Seconds until a full server looks again for room.
_LOOK_AGAIN: Final = 0.2
#: The share of connections that is closed at a time where the server is full.
_CLOSED_SHARE: Final = 20


def most_connections(descriptors: int, *, deliveries: int) -> int:
    """Return how many connections of visitors there may be.

    Args:
        descriptors: the limit of file descriptors of this process.
        deliveries: connections to mail servers that the process opens beside.
    """
    # With a very low limit half of it: a server that accepts nobody helps nobody.
    return max(descriptors - _RESERVE - deliveries, descriptors // 2)


class BoundedServer(Server):
    """A uvicorn server with an upper bound of open connections.

    uvicorn's own ``limit_concurrency`` is asked for each request. A connection that sends no request is
    accepted without a bound, until the process has no descriptor left for a file or a database.
    """

    def __init__(self, config: Any, most: int) -> None:
        """Create a server that keeps at most ``most`` connections open."""
        super().__init__(config)
        self._most = most

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen on the given sockets."""
        await super().startup(sockets=[])
        listeners = [_Listener(self, one, self._most) for one in sockets or []]
        self.servers = cast("list[asyncio.Server]", listeners)


class _Listener:
    """Accepts connections of one socket; has the two methods that uvicorn calls to close a server."""

    def __init__(self, server: BoundedServer, sock: socket.socket, most: int) -> None:
        self._server = server
        self._socket = sock
        self._most = most
        self._loop = asyncio.get_running_loop()
        #: Accepted sockets that have no protocol yet.
        self._begun: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        sock.setblocking(False)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Accept nothing more."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        """Wait for connections that have just been accepted."""
        await asyncio.gather(*self._begun, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_BURST):
            if len(self._server.server_state.connections) + len(self._begun) >= self._most:
                # Further clients wait in the system's queue until there is room, in the next round of the loop.
                if not self._close_slowest():
                    self._pause()
                return
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # The whole system has no descriptor left: the reserve cannot help.
                self._pause()
                return
            sock.setblocking(False)
            task = self._loop.create_task(self._begin(sock))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _begin(self, sock: socket.socket) -> None:
        make: Callable[[], Any] = self._protocol
        try:
            await self._loop.connect_accepted_socket(make, sock)
        except OSError:
            # The client is gone already.
            sock.close()

    def _protocol(self) -> DeadlineProtocol:
        server = self._server
        return DeadlineProtocol(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state, _loop=None
        )

    def _pause(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.call_later(_LOOK_AGAIN, self._resume)

    def _resume(self) -> None:
        if not self._is_closed:
            with contextlib.suppress(ValueError):
                self._loop.add_reader(self._socket, self._accept)

    def _close_slowest(self) -> bool:
        """Close the connections that have waited longest for their client; return whether there were any."""
        connections = cast("list[DeadlineProtocol]", list(self._server.server_state.connections))
        waiting = sorted(
            (one for one in connections if one.is_waiting_for_client), key=lambda one: one.wait_order, reverse=True
        )
        for one in waiting[: max(1, self._most // _CLOSED_SHARE)]:
            one.abort()
        return bool(waiting)
