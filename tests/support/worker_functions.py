"""Functions for worker processes, which import this module and nothing else."""

from __future__ import annotations

import os


def double(number: int) -> int:
    """Return twice the number."""
    return number * 2


def die_elsewhere(number: int) -> int:
    """Return the number; with 3, end a process that ``TEST_PARENT`` does not name."""
    if number == 3 and os.environ.get("TEST_PARENT") != str(os.getpid()):
        os._exit(9)
    return number
