"""What systemd is told of a service of ``Type=notify`` (sd_notify(3)); nothing where nobody listens."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping

__all__ = ["SystemdNotifier"]


class SystemdNotifier:
    """Tells the service manager how the process is."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        said = os.environ if environ is None else environ
        self._address = said.get("NOTIFY_SOCKET", "")
        mine = said.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = said.get("WATCHDOG_USEC", "") if mine else ""
        #: Seconds between two signs of life: half of what is asked for. None where nobody asks.
        self.watchdog = int(period) / 2_000_000 if period.isdigit() and int(period) else None

    def ready(self) -> None:
        """Tell that the process has begun its work."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Tell that settings are read again; ``ready`` tells when they are."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that the process is about to end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Give a sign of life."""
        self._tell("WATCHDOG=1")

    def status(self, words: str) -> None:
        """Tell what ``systemctl status`` shows."""
        self._tell(f"STATUS={words}")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is one of Linux's abstract ones.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            # Who does not listen keeps nobody from work.
            sock.setblocking(False)
            sock.sendto(state.encode(), address)
