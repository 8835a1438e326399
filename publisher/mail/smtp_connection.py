"""A conversation with an SMTP server (RFC 5321): pipelined (RFC 2920), over TLS, one socket, no thread of its own.

Neither smtplib nor aiosmtplib pipelines; at a round trip of 20 ms that is the difference between one
message in 80 ms and one in 20.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from typing import Final, Self

from publisher.mail.outcome import RelayFault, Reply

__all__ = ["Connection", "ConnectionLost", "ProtocolError", "Relay", "Timeouts"]

_REPLY_LINE: Final = re.compile(rb"([2-5]\d\d)([ -]?)(.*)")
#: Bytes that an answer may have: nobody needs more to say yes or no.
_MAX_REPLY_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds (RFC 5321 §4.5.3.2). A shorter time after the dot makes duplicates."""

    connect: float = 60
    greeting: float = 300
    command: float = 300
    data: float = 120
    block: float = 180
    final: float = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A server that takes mail, and how to come to it."""

    host: str
    port: int
    security: str = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    weight: int = 1

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.host}:{self.port}"


class ConnectionLost(Exception):
    """The connection is gone. ``sent`` bytes of the last write had left."""

    def __init__(self, reason: str, sent: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class ProtocolError(ConnectionLost):
    """The server says what is no answer."""


class Connection:
    """One connection, from greeting to QUIT."""

    def __init__(self, sock: socket.socket, relay: Relay, timeouts: Timeouts) -> None:
        self._socket = sock
        self._relay = relay
        self._timeouts = timeouts
        self._timeouts_set: dict[int, float] = {}
        self._buffer = b""
        #: Name of an extension → its parameters, as EHLO told them.
        self.extensions: dict[str, str] = {}

    @classmethod
    def open(cls, relay: Relay, timeouts: Timeouts | None = None) -> Self:
        """Connect, secure, authenticate.

        Raises:
            RelayFault: that is not to be had, with the reason.
        """
        timeouts = timeouts or Timeouts()
        try:
            sock = socket.create_connection((relay.host, relay.port), timeout=timeouts.connect)
        except OSError as error:
            raise RelayFault(f"cannot connect: {error.strerror or error}") from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = cls(sock, relay, timeouts)
        try:
            connection._begin()
        except BaseException as error:
            connection.close()
            if isinstance(error, ConnectionLost):
                raise RelayFault(error.reason) from error
            raise
        return connection

    def _begin(self) -> None:
        if self._relay.security == "tls":
            self._secure()
        self._expect(self.read(self._timeouts.greeting), "greets us with")
        self._hello()
        if self._relay.security == "starttls":
            if "STARTTLS" not in self.extensions:
                raise RelayFault(
                    'offers no STARTTLS; set its security to "tls" or, on this machine, "none"', is_final=True
                )
            self._expect(self.ask("STARTTLS"), "answers STARTTLS with")
            if self._buffer:
                # Somebody between us and the server has slipped in commands (CVE-2011-0411).
                raise RelayFault("has said more than it may before TLS", is_final=True)
            self._secure()
            self._hello()
        if self._relay.username is not None:
            self._authenticate(self._relay.username, self._relay.password or "")

    def _secure(self) -> None:
        try:
            context = ssl.create_default_context(cafile=self._relay.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._socket.settimeout(self._timeouts.connect)
            self._socket = context.wrap_socket(self._socket, server_hostname=self._relay.host)
        except ssl.SSLCertVerificationError as error:
            raise RelayFault(
                f"its certificate is not to be trusted: {error.verify_message}; name the right host, or its ca_file",
                is_final=True,
            ) from error
        except (OSError, ValueError) as error:
            raise RelayFault(f"TLS cannot be begun: {error}") from error
        self._timeouts_set = {}

    def _hello(self) -> None:
        reply = self.ask(f"EHLO {_client_name(self._socket)}")
        if reply.code >= 400:
            self._expect(self.ask(f"HELO {_client_name(self._socket)}"), "answers HELO with")
            self.extensions = {}
            return
        pairs = (line.partition(" ") for line in reply.lines[1:])
        self.extensions = {name.upper(): rest for name, _, rest in pairs}

    def _authenticate(self, username: str, password: str) -> None:
        offered = self.extensions.get("AUTH", "").upper().split()
        if "PLAIN" in offered:
            token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
            reply = self.ask(f"AUTH PLAIN {token}")
        elif "LOGIN" in offered:
            reply = self.ask("AUTH LOGIN")
            for word in (username, password):
                if reply.code == 334:
                    reply = self.ask(base64.b64encode(word.encode()).decode())
        else:
            raise RelayFault("offers no way to log in that we know (PLAIN, LOGIN)", is_final=True)
        if reply.code != 235:
            raise RelayFault(f"refuses our login: {reply.text}", is_final=reply.code >= 500)

    @staticmethod
    def _expect(reply: Reply, what: str) -> None:
        if not 200 <= reply.code < 300:
            raise RelayFault(f"{what} {reply.text}", is_final=reply.code >= 500)

    @property
    def size_limit(self) -> int | None:
        """Bytes that a message may have (RFC 1870); None where the server names no limit."""
        limit = self.extensions.get("SIZE", "")
        return int(limit) if limit.isdigit() and int(limit) else None

    def ask(self, line: str) -> Reply:
        """Send a command and return the answer.

        Raises:
            Lost: the connection ended.
        """
        self.write(f"{line}\r\n".encode())
        return self.read(self._timeouts.command)

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            Lost: not all of them left; it says how many did.
        """
        self._wait_at_most(socket.SO_SNDTIMEO, self._timeouts.block)
        view, sent = memoryview(data), 0
        try:
            while sent < len(data):
                sent += self._socket.send(view[sent:])
        except OSError as error:
            raise ConnectionLost(_reason(error), sent) from error

    def read(self, seconds: float) -> Reply:
        """Return the next answer, which has to be there within so many seconds.

        Raises:
            Lost: it was not.
            Garbled: it is no answer.
        """
        lines: list[str] = []
        deadline = None
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > _MAX_REPLY_BYTES:
                    raise ProtocolError("its answer has no end")
                # The clock is asked only for answers that come in pieces.
                now = time.monotonic() if self._buffer or lines or deadline is not None else 0.0
                deadline = deadline if deadline is not None else (time.monotonic() + seconds)
                self._fill(seconds if not now else deadline - now)
                continue
            line, self._buffer = self._buffer[:end].rstrip(b"\r"), self._buffer[end + 1 :]
            match = _REPLY_LINE.fullmatch(line)
            if match is None or len(lines) > 200:
                raise ProtocolError(f"it says what is no answer: {line[:80]!r}")
            lines.append(_printable(match[3]))
            if match[2] != b"-":
                return Reply(code=int(match[1]), lines=tuple(lines))

    def _fill(self, seconds: float) -> None:
        if seconds <= 0:
            raise ConnectionLost("silence")
        self._wait_at_most(socket.SO_RCVTIMEO, seconds)
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise ConnectionLost(_reason(error)) from error
        if not data:
            raise ConnectionLost("connection closed by the server")
        self._buffer += data

    def _wait_at_most(self, which: int, seconds: float) -> None:
        """Bound how long the next read or write may take.

        Without TLS the system keeps the time: Python's own way asks it twice for every read and write, and
        lets go of the interpreter each time.
        """
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(seconds)
            return
        if self._timeouts_set.get(which) == seconds:
            return
        if not self._timeouts_set:
            self._socket.settimeout(None)
        whole = int(seconds)
        self._socket.setsockopt(
            socket.SOL_SOCKET, which, struct.pack("ll", whole, max(int((seconds - whole) * 1e6), 0 if whole else 1000))
        )
        self._timeouts_set[which] = seconds

    def quit(self) -> None:
        """Take leave, and close."""
        with contextlib.suppress(ConnectionLost):
            self.write(b"QUIT\r\n")
            self.read(5)
        self.close()

    def close(self) -> None:
        """Close at once."""
        with contextlib.suppress(OSError):
            self._socket.close()


def _client_name(sock: socket.socket) -> str:
    name = socket.gethostname()
    if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name):
        return name
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError | BlockingIOError):
        return "silence"
    return f"connection lost ({error.strerror or error})"


def _printable(line: bytes) -> str:
    """Return a server's words without what a terminal would obey."""
    return "".join(one if one.isprintable() else " " for one in line.decode("utf-8", "replace"))
