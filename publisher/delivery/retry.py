"""Backoff between the attempts of a delivery. Pure; the time is passed in."""

from __future__ import annotations

from typing import Final

from publisher.backoff import Backoff

__all__ = ["RETRIES", "retry_at"]

#: 5 minutes to 4 hours, until the days of retries are over.
RETRIES: Final = Backoff(300, 4 * 3600)


def retry_at(attempts: int, first_at: int, now: int, *, days: int, wait: int = 0) -> int | None:
    """Return when to retry, in seconds since 1970; None if the delivery is given up.

    Args:
        attempts: number of attempts so far, from 1.
        first_at: time of the first attempt, in seconds since 1970.
        now: the current time, in seconds since 1970.
        days: how long a delivery is retried (RFC 5321 §4.5.4.1: four or five days).
        wait: least number of seconds before the next attempt.
    """
    due = now + max(RETRIES.pause(attempts), wait)
    return due if due <= first_at + days * 86_400 else None
