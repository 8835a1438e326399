"""Clocks of tests: one that stands until it is set, and one that goes faster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from publisher.clock import Clock


class SetClock(Clock):
    """Shows what it is set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


class FastClock(Clock):
    """Shows ``start`` at ``epoch`` (seconds since 1970), and goes ``speed`` times as fast as it should."""

    def __init__(self, start: datetime, epoch: float, speed: float) -> None:
        self._start, self._epoch, self._speed = start, epoch, speed

    def now(self) -> datetime:
        return (self._start + timedelta(seconds=(time.time() - self._epoch) * self._speed)).astimezone(UTC)

    def seconds(self, span: timedelta) -> float:
        return span.total_seconds() / self._speed
