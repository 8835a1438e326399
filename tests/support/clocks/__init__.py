"""Clocks for tests: one that is set by hand, one that runs faster, and one that is adjusted while it runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from publisher.clock import Clock


class ManualClock(Clock):
    """A clock that stands still until it is advanced or set."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        #: Monotonic time, in seconds.
        self.elapsed = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.elapsed

    def advance(self, **span: float) -> None:
        """Advance wall clock and monotonic clock; keywords are those of ``timedelta``."""
        self.at += timedelta(**span)
        self.elapsed += timedelta(**span).total_seconds()

    def jump(self, at: datetime) -> None:
        """Set the wall clock; the monotonic clock stays."""
        self.at = at


class FastClock(Clock):
    """A clock that shows ``start`` at ``epoch`` (seconds since 1970) and runs ``speed`` times as fast as real time."""

    def __init__(self, start: datetime, epoch: float, speed: float) -> None:
        self._start, self._epoch, self._speed = start, epoch, speed

    def now(self) -> datetime:
        return (self._start + timedelta(seconds=(time.time() - self._epoch) * self._speed)).astimezone(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def seconds(self, span: timedelta) -> float:
        return span.total_seconds() / self._speed


class AdjustableClock(Clock):
    """A clock that runs at the speed of real time and can be set."""

    def __init__(self, at: datetime) -> None:
        self.jump(at)

    def now(self) -> datetime:
        return self._at + timedelta(seconds=time.monotonic() - self._since)

    def jump(self, at: datetime) -> None:
        """Set the clock; it runs on from there."""
        self._at, self._since = at, time.monotonic()
