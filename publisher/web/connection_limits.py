"""uvicorn's HTTP protocol with timeouts for slow clients and limits for headers."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: How long a client may take to send a request, also the rest of one that has a response already.
_REQUEST_SECONDS: Final = 10
#: A client has to read this many bytes of a response within this time, or the rest of it.
_READ_SECONDS: Final = 30
_READ_BYTES: Final = 32_768
#: Bytes of a request besides its body: headers, chunk framing, trailers. nginx allows 32 KiB by default.
_MAX_FRAMING_BYTES: Final = 65_536


class DeadlineProtocol(HttpToolsProtocol):
    """One connection, with the timeouts and size limits that uvicorn itself does not have.

    All connections are checked once a second, because a timer for each request costs more than a response of a feed.
    """

    #: Counters of this process: connections aborted because of a slow client or a full server, and invalid requests.
    aborted: ClassVar[int] = 0
    invalid: ClassVar[int] = 0
    _is_checking: ClassVar[bool] = False

    _is_in_request = False
    #: Bytes of the current request besides its body; not counted for a request in one piece.
    _framing = 0
    #: Seconds for which the server has waited for the client.
    _waited = 0
    #: By the loop's clock.
    _made_at = 0.0
    #: Unread bytes of the response when the client last read some, and the seconds since then.
    _left = 0
    _stuck = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeouts of a connection."""
        super().connection_made(transport)
        self._made_at = self.loop.time()
        if not DeadlineProtocol._is_checking:
            DeadlineProtocol._is_checking = True
            self.loop.call_later(1, self._check_connections)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes and enforce the limit of headers, framing and trailers."""
        super().data_received(data)
        if self._is_in_request:
            self._framing += len(data)
            if self._framing > _MAX_FRAMING_BYTES:
                self.abort()

    def on_message_begin(self) -> None:
        """Start the limits of a request."""
        self._is_in_request = True
        self._framing = self._waited = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Exclude the body from the limit: endpoints limit it themselves."""
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the limits of a request."""
        self._is_in_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Count an invalid request and respond with status 400."""
        DeadlineProtocol.invalid += 1
        super().send_400_response(msg)

    # -- once a second ---------------------------------------------------------------------------

    def _check_connections(self) -> None:
        try:
            for connection in list(self.connections):
                cast("DeadlineProtocol", connection).check_deadlines()
        finally:
            # An error must not end the checks.
            DeadlineProtocol._is_checking = bool(self.connections)
            if self.connections:
                self.loop.call_later(1, self._check_connections)

    @property
    def is_waiting_for_client(self) -> bool:
        """True while the server waits for a request or for the rest of one."""
        is_responding = self.cycle is not None and not self.cycle.response_complete
        return not is_responding and not self.transport.is_closing()

    @property
    def wait_order(self) -> tuple[int, float]:
        """A sort key: larger for clients that the server has waited for longer."""
        return self._waited, -self._made_at

    def check_deadlines(self) -> None:
        """Close the connection if its client is too slow. Called once a second."""
        # uvicorn closes idle keep-alive connections itself.
        if not self.is_waiting_for_client or self.timeout_keep_alive_task is not None:
            self._waited = 0
        else:
            self._waited += 1
        left = self.transport.get_write_buffer_size()
        if left and self._left - _READ_BYTES < left <= self._left:
            self._stuck += 1
        else:
            self._left, self._stuck = left, 0
        if self._waited > _REQUEST_SECONDS or self._stuck > _READ_SECONDS:
            self.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        # close() would wait until the client has read everything.
        transport: Any = self.transport
        DeadlineProtocol.aborted += 1
        transport.abort()
