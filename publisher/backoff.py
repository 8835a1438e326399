"""Pauses between attempts, each twice as long as the one before. Pure; the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses of ``first`` seconds after one failure, doubled after each further one, at most ``longest``."""

    first: int
    longest: int
    #: Number of attempts before the work is given up; None for no limit.
    attempts: int | None = None

    def pause(self, failures: int) -> int:
        """Return the seconds until the next attempt, after so many failures in a row (from 1)."""
        # The shift is bounded, because failures can go on for years.
        return min(self.first << min(max(failures, 1) - 1, 30), self.longest)

    def retry_at(self, failures: int, now: int) -> int | None:
        """Return the time of the next attempt, in seconds since 1970; None to give up."""
        is_over = self.attempts is not None and failures >= self.attempts
        return None if is_over else now + self.pause(failures)
