"""A server that sends given replies, for SMTP that no real server speaks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from publisher.mail.smtp_connection import Relay


@dataclass
class Replies:
    """A server that sends one reply after each line, whatever the line is."""

    replies: tuple[bytes, ...]
    lines: list[str] = field(default_factory=list)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def relay(self, **options: str) -> Relay:
        port = self.listener.getsockname()[1]
        return Relay(**{"host": "127.0.0.1", "port": port, "security": "none", **options})

    def serve(self) -> None:
        with suppress(OSError):
            sock, _ = self.listener.accept()
            with sock, sock.makefile("rb") as received:
                for reply in self.replies:
                    sock.sendall(reply)
                    if not (line := received.readline()):
                        return
                    self.lines.append(line.decode("utf-8", "replace").strip())


@contextmanager
def serving(*replies: bytes) -> Iterator[Replies]:
    server = Replies(replies)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join(10)
