"""The clock of background code. Tests pass a fixed clock, or one that runs faster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The system clock, and the base class of others."""

    def now(self) -> datetime:
        """Return the time in UTC. It can jump in both directions when the clock is set."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an unspecified start. Setting the clock does not change it."""
        return time.monotonic()

    def seconds(self, span: timedelta) -> float:
        """Return how many seconds of real time SPAN takes on this clock."""
        return span.total_seconds()


class FixedClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """Return the fixed time, in UTC."""
        return self._now

    def move(self, span: timedelta) -> None:
        """Move the time forward, or back."""
        self._now += span
