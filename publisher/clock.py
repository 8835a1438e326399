"""The time, for code that runs by itself. Tests pass a clock that is set, or that runs faster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time in UTC. It may jump in both directions."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that have passed since some moment, whatever the clock is set to."""
        return time.monotonic()

    def seconds(self, span: timedelta) -> float:
        """Return how many seconds of real time ``span`` takes on this clock."""
        return span.total_seconds()
