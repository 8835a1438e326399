"""Wait for a condition that another process or thread brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: More than a loaded machine needs, and less than the time limit of a test.
_SECONDS = 120.0


def until(condition: Callable[[], Any], seconds: float = _SECONDS) -> Any:
    """Return the first true value of a condition.

    Raises:
        AssertionError: it was not true in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if found := condition():
            return found
        assert time.monotonic() < deadline, "it did not happen"
        # A condition that takes long is asked less often: that would slow down what it waits for.
        time.sleep(max(0.02, 5 * (time.monotonic() - began)))
