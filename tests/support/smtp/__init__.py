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


class Hang(Exception):
    """Say nothing more, and keep the connection open."""


class Drop(Exception):
    """End the connection at once."""


@dataclass
class Accepted:
    """A message that the server has answered for with 250."""

    sender: str
    recipient: str
    data: bytes

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.data)["Message-ID"])


@dataclass
class Script:
    """What the server does at each step. A step returns an answer, or raises Hang or Drop; None is the usual answer."""

    #: step ("connect", "ehlo", "auth", "mail", "rcpt", "data", "begin", "body", "dot"), argument, number of the connection → answer.
    at: Callable[[str, str, int], str | None] = lambda step, argument, number: None
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class Server:
    """Listens on a port of its own; one thread a connection."""

    def __init__(
        self, script: Script | None = None, *, certificate: Path | None = None, record: Path | None = None
    ) -> None:
        self.script = script or Script()
        self.certificate = certificate
        self.accepted: list[Accepted] = []
        #: Every word that was said to it.
        self.heard: list[str] = []
        self.connections = 0
        self.open_now = 0
        self.most_open = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._stopped = False
        self._conversations: dict[threading.Thread, _Conversation] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def recipients(self) -> list[str]:
        return sorted(one.recipient for one in self.accepted)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        """End every conversation. A socket is closed by its own thread only.

        Another one could close it before a call that has already read its number: by then the number may be that of a
        socket of another test.
        """
        self._stopped = True
        _shut_down(self._listener)
        self._thread.join()
        self._listener.close()
        with self._lock:
            conversations = dict(self._conversations)
        for conversation in conversations.values():
            _shut_down(conversation.sock)
        for thread in conversations:
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
                conversation = _Conversation(self, sock, self.connections)
                thread = threading.Thread(target=self._serve, args=(conversation,), daemon=True)
                self._conversations[thread] = conversation
            thread.start()

    def _serve(self, conversation: _Conversation) -> None:
        try:
            conversation.run()
        except (Drop, OSError):
            pass
        except Hang:
            while not self._stopped:
                time.sleep(0.05)
        finally:
            with self._lock:
                self.open_now -= 1
                del self._conversations[threading.current_thread()]
            # With unread bytes a close is a reset, as when a server is killed.
            conversation.sock.close()

    def take(self, one: Accepted) -> None:
        with self._lock:
            self.accepted.append(one)


def _shut_down(sock: socket.socket) -> None:
    """End the connection, and wake the thread that waits for it."""
    with suppress(OSError):
        # Not the method of an SSLSocket, which would let its thread go on without encryption.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


@dataclass
class _Conversation:
    server: Server
    sock: socket.socket
    number: int
    buffer: bytes = b""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)

    def run(self) -> None:
        self.answer("connect", "", "220 recorder ESMTP")
        while True:
            line = self.line()
            if line is None:
                return
            self.server.heard.append(line)
            verb, _, rest = line.partition(" ")
            step = verb.upper()
            if step in ("EHLO", "HELO"):
                lines = ["recorder", *self.server.script.extensions]
                usual = "\r\n".join(f"250{'-' if at < len(lines) - 1 else ' '}{one}" for at, one in enumerate(lines))
                self.answer("ehlo", rest, usual)
            elif step == "STARTTLS":
                self.start_tls()
            elif step == "AUTH":
                self.answer("auth", rest, "235 2.7.0 ok")
            elif step == "MAIL":
                self.sender, self.recipients = re.search(r"<(.*?)>", rest)[1], []
                if not self.answer("mail", self.sender, "250 2.1.0 ok").startswith("2"):
                    self.sender = None
            elif step == "RCPT" and self.sender is None:
                self.say("503 5.5.1 MAIL first")
            elif step == "RCPT":
                recipient = re.search(r"<(.*?)>", rest)[1]
                said = self.answer("rcpt", recipient, "250 2.1.5 ok")
                if said.startswith("2"):
                    self.recipients.append(recipient)
            elif step == "DATA":
                if not self.recipients:
                    self.say("554 5.5.1 no valid recipients")
                elif self.answer("data", self.recipients[0], "354 go on").startswith("354"):
                    self.message()
            elif step == "RSET":
                self.sender, self.recipients = "", []
                self.say("250 2.0.0 ok")
            elif step == "QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("500 5.5.2 what?")

    def message(self) -> None:
        recipient = self.recipients[0]
        self.server.script.at("begin", recipient, self.number)
        while b"\r\n.\r\n" not in self.buffer:
            if len(self.buffer) > 100:
                self.server.script.at("body", recipient, self.number)
            if not self.fill():
                raise Drop
        data, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        said = self.server.script.at("dot", recipient, self.number) or "250 2.0.0 taken"
        if said.startswith("250"):
            # Recorded before it is told: what the server answers for, it has.
            self.server.take(Accepted(self.sender, recipient, data + b"\r\n"))
        self.say(said)
        if said.startswith("421"):
            raise Drop
        self.server.script.at("after", recipient, self.number)

    def start_tls(self) -> None:
        said = self.server.script.at("starttls", "", self.number) or "220 2.0.0 go on"
        self.say(said)
        if not said.startswith("220") or self.server.certificate is None:
            raise Drop
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate)
        plain, self.sock = self.sock, context.wrap_socket(self.sock, server_side=True)
        plain.close()

    def answer(self, step: str, argument: str, usual: str) -> str:
        said = self.server.script.at(step, argument, self.number) or usual
        self.say(said)
        if said.startswith("421"):
            raise Drop
        return said

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\r\n")

    def fill(self) -> bool:
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def line(self) -> str | None:
        while b"\r\n" not in self.buffer:
            if not self.fill():
                return None
        found, _, self.buffer = self.buffer.partition(b"\r\n")
        return found.decode("utf-8", "replace")
