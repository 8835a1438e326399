"""HTTP by uvicorn, with an end to patience: who sends a request or takes an answer drop by drop is let go of."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["PatientProtocol"]

#: Seconds from the first byte of a request to the end of its headers, and without one being taken of an answer.
_HEADERS: Final = 10.0
_ANSWER: Final = 30.0


class PatientProtocol(HttpToolsProtocol):
    """One connection. uvicorn itself waits for headers for ever."""

    #: Connections that were let go of; one number for the whole process.
    let_go = 0
    _timer: asyncio.TimerHandle | None = None
    _is_in_headers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait(_HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request's headers; nearly all come in one piece, and need no clock."""
        super().data_received(data)
        if self._is_in_headers and self._timer is None:
            self._wait(_HEADERS)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._is_in_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop waiting: a body has its own time."""
        self._is_in_headers = False
        if self._timer is not None:
            self._rest()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Begin to wait for an answer to be taken."""
        super().pause_writing()
        self._wait(_ANSWER)

    def resume_writing(self) -> None:
        """Stop waiting."""
        self._rest()
        super().resume_writing()

    def _wait(self, seconds: float) -> None:
        self._rest()
        self._timer = self.loop.call_later(seconds, self._let_go)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_go(self) -> None:
        transport: Any = self.transport
        if transport is not None and not transport.is_closing():
            type(self).let_go += 1
            transport.abort()
