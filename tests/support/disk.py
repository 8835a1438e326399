"""Keep tests from waiting for the disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

#: What the tests of all workers need at a time, with a wide margin.
_ROOM_BYTES = 2 * 1024**3
_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a private folder in it


def use_memory() -> None:
    """Put temporary files into memory, if there is room for them and ``TMPDIR`` names no other place.

    Thousands of sites are written, and each commit of a delivery waits for the disk. Child processes inherit the place.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return
    status = os.statvfs(_MEMORY)
    if status.f_bavail * status.f_frsize < _ROOM_BYTES or status.f_flag & os.ST_NOEXEC:
        return
    os.environ["TMPDIR"] = str(_MEMORY)
    # Read again.
    tempfile.tempdir = None


def skip_fsync() -> None:
    """Let ``os.fsync`` do nothing in this process.

    It protects against a power cut, which no test simulates: what a killed process has written stays. A test of a
    failing ``fsync`` sets its own.
    """
    os.fsync = lambda descriptor: None
