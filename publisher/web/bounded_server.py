"""Accept connections, but no more than the process has file descriptors for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn import Server

from publisher.web.connection_limits import DeadlineProtocol

#: File descriptors that publishing, mail and the database use.
_RESERVED_DESCRIPTORS: Final = 300
#: Connections accepted at once, before requests are handled again.
_ACCEPTS_PER_ROUND: Final = 64
#: How long a full server accepts no connection.
PAUSE_SECONDS: Final = 0.2
#: A full server closes one connection in this many, the slowest first.
_CLOSED_SHARE: Final = 20


def most_connections(descriptors: int, *, deliveries: int) -> int:
    """Return the maximum number of connections of clients.

    Args:
        descriptors: the limit of file descriptors of this process.
        deliveries: connections to mail servers that this process may open.
    """
    # With a very low limit, half of it: a server that accepts no connection is useless.
    return max(descriptors - _RESERVED_DESCRIPTORS - deliveries, descriptors // 2)


class BoundedServer(Server):
    """A uvicorn server with a maximum number of open connections.

    uvicorn's own ``limit_concurrency`` counts requests. It accepts any number of connections without a request, until
    the process has no descriptor left for a file or a database.
    """

    def __init__(self, config: Any, most: int) -> None:
        """Create a server that keeps at most ``most`` connections open."""
        super().__init__(config)
        self._most = most

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the given sockets."""
        await super().startup(sockets=[])
        listeners = [Listener(self, sock, self._most) for sock in sockets or []]
        self.servers = cast("list[asyncio.Server]", listeners)


class Listener:
    """Accepts connections of one socket; has uvicorn's two methods for closing a server."""

    def __init__(self, server: BoundedServer, sock: socket.socket, most: int) -> None:
        self._server = server
        self._socket = sock
        self._most = most
        self._loop = asyncio.get_running_loop()
        #: Accepted sockets that do not have a protocol yet.
        self._begun: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        sock.setblocking(False)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Accept no further connection."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        """Wait until accepted sockets have their protocol."""
        await asyncio.gather(*self._begun, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_ROUND):
            if len(self._server.server_state.connections) + len(self._begun) >= self._most:
                # Further clients wait in the kernel's queue until the next round of the event loop.
                if not self._close_slowest():
                    self._pause()
                return
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # The whole system has no descriptor left.
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
            # The client has closed the connection.
            sock.close()

    def _protocol(self) -> DeadlineProtocol:
        server = self._server
        return DeadlineProtocol(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state, _loop=None
        )

    def _pause(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if not self._is_closed:
            with contextlib.suppress(ValueError):
                self._loop.add_reader(self._socket, self._accept)

    def _close_slowest(self) -> bool:
        """Close the connections that have waited longest for their client; return whether any did."""
        connections = cast("list[DeadlineProtocol]", list(self._server.server_state.connections))
        waiting = sorted(
            (connection for connection in connections if connection.is_waiting_for_client),
            key=lambda connection: connection.wait_order,
            reverse=True,
        )
        for connection in waiting[: max(1, self._most // _CLOSED_SHARE)]:
            connection.abort()
        return bool(waiting)
