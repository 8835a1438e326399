"""Clocks of tests: one that stands until it is set, and one that goes faster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from publisher.clock import Clock


class SetClock(Clock):
    """Shows what it is set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.passed = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.passed

    def pass_by(self, **span: float) -> None:
        """Let time pass."""
        self.at += timedelta(**span)
        self.passed += timedelta(**span).total_seconds()

    def jump(self, at: datetime) -> None:
        """Set the clock; no time passes."""
        self.at = at


class FastClock(Clock):
    """Shows ``start`` at ``epoch`` (seconds since 1970), and goes ``speed`` times as fast as it should."""

    def __init__(self, start: datetime, epoch: float, speed: float) -> None:
        self._start, self._epoch, self._speed = start, epoch, speed

    def now(self) -> datetime:
        return (self._start + timedelta(seconds=(time.time() - self._epoch) * self._speed)).astimezone(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def seconds(self, span: timedelta) -> float:
        return span.total_seconds() / self._speed


class JumpingClock(Clock):
    """Goes on as clocks do, and is set by hand."""

    def __init__(self, at: datetime) -> None:
        self.jump(at)

    def now(self) -> datetime:
        return self._at + timedelta(seconds=time.monotonic() - self._since)

    def jump(self, at: datetime) -> None:
        """Set the clock; it goes on from there."""
        self._at, self._since = at, time.monotonic()
