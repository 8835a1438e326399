"""Keep tests from waiting for the disk."""

from __future__ import annotations

import os


def skip_fsync() -> None:
    """Let ``os.fsync`` do nothing in this process.

    It protects against a power cut, which no test simulates: what a killed process has written stays. A test of a
    failing ``fsync`` sets its own.
    """
    os.fsync = lambda descriptor: None
