"""HTTP by uvicorn, with timeouts for slow clients and limits for headers, trailers and framing."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["DeadlineProtocol"]

#: Seconds that a client may take: for a request, for the rest of its headers, for the rest of a request that is
#: answered already.
_REQUEST: Final = 10
#: A client reads this many bytes of an answer within this many seconds, or all that is left.
_ANSWER: Final = 30
_TAKEN: Final = 32_768
#: Bytes of a request beside its body: headers, the framing of chunks, trailers. nginx takes 32 KiB by default.
_FRAMING: Final = 65_536


class DeadlineProtocol(HttpToolsProtocol):
    """One connection. uvicorn itself has no timeout, and keeps headers and trailers of any size.

    All connections are checked once a second; a timer for each request would cost more than its answer.
    """

    #: Connections that were closed because of a slow client or a full server, and requests that are no HTTP;
    #: numbers for the whole process.
    aborted: ClassVar[int] = 0
    invalid: ClassVar[int] = 0
    _is_checking: ClassVar[bool] = False

    #: Between the first byte of a request and its last.
    _is_in_request = False
    #: Bytes of the request beside its body, as far as it did not come in one piece.
    _framing = 0
    #: Seconds that the client has taken.
    _waited = 0
    #: When the connection was made, by the loop's clock.
    _made_at = 0.0
    #: Bytes of an answer that were left when it last took some, and the seconds since then.
    _left = 0
    _stuck = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._made_at = self.loop.time()
        if not DeadlineProtocol._is_checking:
            DeadlineProtocol._is_checking = True
            self.loop.call_later(1, self._check_connections)

    def data_received(self, data: bytes) -> None:
        """Take a piece; nearly all requests come in one."""
        super().data_received(data)
        if self._is_in_request:
            self._framing += len(data)
            if self._framing > _FRAMING:
                self.abort()

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._is_in_request = True
        self._framing = self._waited = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body: who reads it has limits of his own."""
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is all there."""
        self._is_in_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request."""
        DeadlineProtocol.invalid += 1
        super().send_400_response(msg)

    # -- once a second ---------------------------------------------------------------------------

    def _check_connections(self) -> None:
        try:
            for one in list(self.connections):
                cast("DeadlineProtocol", one).check_deadlines()
        finally:
            # Whatever it was: the next look is a second later.
            DeadlineProtocol._is_checking = bool(self.connections)
            if self.connections:
                self.loop.call_later(1, self._check_connections)

    @property
    def is_waiting_for_client(self) -> bool:
        """True where the server waits for the client: for a request, or for the rest of one."""
        is_ours = self.cycle is not None and not self.cycle.response_complete
        return not is_ours and not self.transport.is_closing()

    @property
    def wait_order(self) -> tuple[int, float]:
        """How long the client has kept the server waiting; larger is longer."""
        return self._waited, -self._made_at

    def check_deadlines(self) -> None:
        """Close the connection where its client takes too long."""
        # uvicorn has a timer of its own for clients that have had their answer and send nothing.
        if not self.is_waiting_for_client or self.timeout_keep_alive_task is not None:
            self._waited = 0
        else:
            self._waited += 1
        left = self.transport.get_write_buffer_size()
        if left and self._left - _TAKEN < left <= self._left:
            self._stuck += 1
        else:
            self._left, self._stuck = left, 0
        if self._waited > _REQUEST or self._stuck > _ANSWER:
            self.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        # A transport that is closing still waits for its last bytes to be read.
        transport: Any = self.transport
        DeadlineProtocol.aborted += 1
        transport.abort()
