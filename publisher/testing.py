"""For tests of programs that use ``publisher``: a fixed clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from publisher.clock import Clock

__all__ = ["FixedClock"]


class FixedClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """Return the fixed time, in UTC."""
        return self._now

    def move(self, span: timedelta) -> None:
        """Move the time forward, or back."""
        self._now += span
