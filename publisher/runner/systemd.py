"""Notify systemd about the state of a ``Type=notify`` service (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class SystemdNotifier:
    """Sends the state of the process to the service manager; does nothing without one."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environ is None else environ
        self._address = environment.get("NOTIFY_SOCKET", "")
        is_own_watchdog = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = environment.get("WATCHDOG_USEC", "") if is_own_watchdog else ""
        #: Seconds between keep-alive messages: half of the watchdog's timeout. None without a watchdog.
        self.watchdog = int(period) / 2_000_000 if period.isdigit() and int(period) else None

    def ready(self) -> None:
        """Report that the process is ready."""
        self._notify("READY=1")

    def reloading(self) -> None:
        """Report that settings are being read; call ``ready`` afterwards."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the process is stopping."""
        self._notify("STOPPING=1")

    def keep_alive(self) -> None:
        """Reset the watchdog's timeout."""
        self._notify("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the text that ``systemctl status`` shows."""
        self._notify(f"STATUS={text}")

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        # A leading @ means an abstract socket address of Linux.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            # A full or missing socket must not block the runner.
            sock.setblocking(False)
            sock.sendto(state.encode(), address)
