"""Ports for servers whose settings need the number before they start: web and mail servers, and sites' own URLs."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

#: Below the ports that Linux gives to connections and to servers on port 0 (net.ipv4.ip_local_port_range).
_PORTS = range(10_000, 32_768)
_FOLDER = Path(tempfile.gettempdir()) / f"publisher-test-ports-{os.getuid()}"

#: Locks of this process; they end with it.
_locks: list[int] = []


def free_port() -> int:
    """Return a port on 127.0.0.1 that nobody listens on, and that no other test process gets while this one runs."""
    _FOLDER.mkdir(exist_ok=True)
    while True:
        port = random.SystemRandom().choice(_PORTS)
        handle = os.open(_FOLDER / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            os.close(handle)
        else:
            _locks.append(handle)
            return port
