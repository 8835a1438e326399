"""An SMTP server that records accepted messages and misbehaves on request."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Self


class Hang(Exception):
    """Send nothing more, and keep the connection open."""


class Drop(Exception):
    """End the connection at once."""


@dataclass
class Accepted:
    """A message that the server accepted with 250."""

    sender: str
    recipient: str
    data: bytes

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.data)["Message-ID"])


@dataclass
class Script:
    """The replies of the server. A step returns a reply, or raises Hang or Drop; None stands for the usual reply."""

    #: step ("connect", "ehlo", "auth", "mail", "rcpt", "data", "begin", "body", "dot"), argument, number of the connection → reply.
    at: Callable[[str, str, int], str | None] = lambda step, argument, number: None
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class Server:
    """Listens on its own port, with one thread per connection."""

    def __init__(
        self, script: Script | None = None, *, certificate: Path | None = None, record: Path | None = None
    ) -> None:
        self.script = script or Script()
        self.certificate = certificate
        self.accepted: list[Accepted] = []
        #: All commands, in order.
        self.commands: list[str] = []
        self.connections = 0
        self.open_now = 0
        self.most_open = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._stopped = False
        self._sessions: dict[threading.Thread, _Session] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def recipients(self) -> list[str]:
        return sorted(one.recipient for one in self.accepted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all sessions. A socket is closed by its own thread only.

        Another thread could close it before a call that has already read its descriptor, which may then belong to a
        socket of another test.
        """
        self._stopped = True
        _shut_down(self._listener)
        self._thread.join()
        self._listener.close()
        with self._lock:
            sessions = dict(self._sessions)
        for session in sessions.values():
            _shut_down(session.sock)
        for thread in sessions:
            thread.join(10)

    def _listen(self) -> None:
        while not self._stopped:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self.open_now += 1
                self.most_open = max(self.most_open, self.open_now)
                session = _Session(self, sock, self.connections)
                thread = threading.Thread(target=self._serve, args=(session,), daemon=True)
                self._sessions[thread] = session
            thread.start()

    def _serve(self, session: _Session) -> None:
        try:
            session.run()
        except (Drop, OSError):
            pass
        except Hang:
            while not self._stopped:
                time.sleep(0.05)
        finally:
            with self._lock:
                self.open_now -= 1
                del self._sessions[threading.current_thread()]
            # Closing with unread bytes resets the connection, as when a server is killed.
            session.sock.close()

    def record(self, message: Accepted) -> None:
        with self._lock:
            self.accepted.append(message)


def _shut_down(sock: socket.socket) -> None:
    """End the connection, and wake the thread that waits for it."""
    with suppress(OSError):
        # The method of an SSLSocket would let its thread continue without encryption.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


@dataclass
class _Session:
    server: Server
    sock: socket.socket
    number: int
    buffer: bytes = b""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)

    def run(self) -> None:  # noqa: C901, PLR0912 - one branch for each command
        self.reply("connect", "", "220 recorder ESMTP")
        while True:
            line = self.line()
            if line is None:
                return
            self.server.commands.append(line)
            verb, _, rest = line.partition(" ")
            step = verb.upper()
            if step in ("EHLO", "HELO"):
                lines = ["recorder", *self.server.script.extensions]
                usual = "\r\n".join(
                    f"250{'-' if index < len(lines) - 1 else ' '}{text}" for index, text in enumerate(lines)
                )
                self.reply("ehlo", rest, usual)
            elif step == "STARTTLS":
                self.start_tls()
            elif step == "AUTH":
                self.reply("auth", rest, "235 2.7.0 ok")
            elif step == "MAIL":
                self.sender, self.recipients = re.search(r"<(.*?)>", rest)[1], []
                if not self.reply("mail", self.sender, "250 2.1.0 ok").startswith("2"):
                    self.sender = None
            elif step == "RCPT" and self.sender is None:
                self.send("503 5.5.1 MAIL first")
            elif step == "RCPT":
                recipient = re.search(r"<(.*?)>", rest)[1]
                reply = self.reply("rcpt", recipient, "250 2.1.5 ok")
                if reply.startswith("2"):
                    self.recipients.append(recipient)
            elif step == "DATA":
                if not self.recipients:
                    self.send("554 5.5.1 no valid recipients")
                elif self.reply("data", self.recipients[0], "354 go on").startswith("354"):
                    self.message()
            elif step == "RSET":
                self.sender, self.recipients = "", []
                self.send("250 2.0.0 ok")
            elif step == "QUIT":
                self.send("221 2.0.0 bye")
                return
            else:
                self.send("500 5.5.2 what?")

    def message(self) -> None:
        recipient = self.recipients[0]
        self.server.script.at("begin", recipient, self.number)
        while b"\r\n.\r\n" not in self.buffer:
            if len(self.buffer) > 100:
                self.server.script.at("body", recipient, self.number)
            if not self.fill():
                raise Drop
        data, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        reply = self.server.script.at("dot", recipient, self.number) or "250 2.0.0 taken"
        if reply.startswith("250"):
            # Recorded before the reply: an accepted message is never missing.
            self.server.record(Accepted(self.sender, recipient, data + b"\r\n"))
        self.send(reply)
        if reply.startswith("421"):
            raise Drop
        self.server.script.at("after", recipient, self.number)

    def start_tls(self) -> None:
        reply = self.server.script.at("starttls", "", self.number) or "220 2.0.0 go on"
        self.send(reply)
        if not reply.startswith("220") or self.server.certificate is None:
            raise Drop
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate)
        plain, self.sock = self.sock, context.wrap_socket(self.sock, server_side=True)
        plain.close()

    def reply(self, step: str, argument: str, usual: str) -> str:
        reply = self.server.script.at(step, argument, self.number) or usual
        self.send(reply)
        if reply.startswith("421"):
            raise Drop
        return reply

    def send(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\r\n")

    def fill(self) -> bool:
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def line(self) -> str | None:
        while b"\r\n" not in self.buffer:
            if not self.fill():
                return None
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("utf-8", "replace")
