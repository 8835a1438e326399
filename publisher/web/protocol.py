"""HTTP by uvicorn, with an end to patience: with those who send or take drop by drop, and those who never stop."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["PatientProtocol"]

#: Seconds that a client may let us wait: for a request, for the rest of its headers, for the rest of one that is
#: answered already.
_REQUEST: Final = 10
#: Within so many seconds it takes so many bytes of an answer, or all that is left.
_ANSWER: Final = 30
_TAKEN: Final = 32_768
#: Bytes of a request beside its body: headers, the framing of chunks, trailers. nginx takes 32 KiB by default.
_FRAMING: Final = 65_536


class PatientProtocol(HttpToolsProtocol):
    """One connection. uvicorn itself waits for ever, and keeps headers and trailers of any size.

    Once a second all connections are looked at; a clock for each request would cost more than its answer.
    """

    #: Connections that were let go of, and requests that were none; numbers for the whole process.
    let_go: ClassVar[int] = 0
    broken: ClassVar[int] = 0
    _is_looking: ClassVar[bool] = False

    #: Between the first byte of a request and its last.
    _is_in_request = False
    #: Bytes of the request beside its body, as far as it did not come in one piece.
    _framing = 0
    #: Seconds that the client has let us wait.
    _waited = 0
    #: Bytes of an answer that were left when it last took some, and the seconds since then.
    _left = 0
    _stuck = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if not PatientProtocol._is_looking:
            PatientProtocol._is_looking = True
            self.loop.call_later(1, self._look_around)

    def data_received(self, data: bytes) -> None:
        """Take a piece; nearly all requests come in one."""
        super().data_received(data)
        if self._is_in_request:
            self._framing += len(data)
            if self._framing > _FRAMING:
                self._let_go()

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
        PatientProtocol.broken += 1
        super().send_400_response(msg)

    # -- once a second ---------------------------------------------------------------------------

    def _look_around(self) -> None:
        try:
            for one in list(self.connections):
                cast("PatientProtocol", one).look()
        finally:
            # Whatever it was: the next look is a second later.
            PatientProtocol._is_looking = bool(self.connections)
            if self.connections:
                self.loop.call_later(1, self._look_around)

    def look(self) -> None:
        """Let go of a client whose turn it has been for too long."""
        is_our_turn = self.cycle is not None and not self.cycle.response_complete
        # uvicorn has a clock of its own for those who have had their answer and send nothing.
        if is_our_turn or self.timeout_keep_alive_task is not None:
            self._waited = 0
        else:
            self._waited += 1
        left = self.transport.get_write_buffer_size()
        if left and self._left - _TAKEN < left <= self._left:
            self._stuck += 1
        else:
            self._left, self._stuck = left, 0
        if self._waited > _REQUEST or self._stuck > _ANSWER:
            self._let_go()

    def _let_go(self) -> None:
        # A transport that is closing still waits for its last bytes to be taken.
        transport: Any = self.transport
        PatientProtocol.let_go += 1
        transport.abort()
