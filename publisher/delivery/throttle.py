"""How fast copies may leave: for each domain, and on each day of a warm-up. Pure: the time is passed in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

__all__ = ["RateLimit", "Throttle", "warm_up_limit"]

#: Seconds that a domain which asks for patience is left alone: twice as long each time, up to the last.
_BACKOFF_SECONDS: Final = (15.0, 1800.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How fast one domain is written to."""

    #: Copies a second; None for as fast as it goes.
    per_second: float | None = None
    #: Copies under way at a time; None for any number.
    at_once: int | None = None


@dataclass(slots=True)
class _DomainState:
    limit: RateLimit
    under_way: int = 0
    #: The next copy may leave at this moment.
    next_at: float = -math.inf
    #: How often in a row it has asked for patience.
    refusals: int = 0
    #: It is left alone until this moment.
    rests_until: float = -math.inf
    #: True where nothing more is sent to it in this run.
    is_stopped: bool = False


class Throttle:
    """Keeps every domain to its limit; stops one that refuses us, and none of the others."""

    def __init__(self, limit_of: Callable[[str], RateLimit]) -> None:
        self._limit_of = limit_of
        self._domains: dict[str, _DomainState] = {}

    def _of(self, domain: str) -> _DomainState:
        found = self._domains.get(domain)
        if found is None:
            found = self._domains[domain] = _DomainState(self._limit_of(domain))
        return found

    def ready_at(self, domain: str) -> float:
        """Return from when on a copy may leave for the domain; infinity while as many as may be are under way."""
        one = self._of(domain)
        if one.is_stopped:
            return math.inf
        if one.limit.at_once is not None and one.under_way >= one.limit.at_once:
            return math.inf
        if one.refusals and one.under_way:
            # One copy tries how things stand; the others wait for what becomes of it.
            return math.inf
        return max(one.next_at, one.rests_until)

    def seconds_until_ready(self, domains: Iterable[str], now: float, longest: float) -> float:
        """Return how long to wait until a copy may leave for one of the domains; ``longest`` seconds at most."""
        earliest = min(map(self.ready_at, domains), default=math.inf)
        return min(max(earliest - now, 0.0), longest)

    def begin(self, domain: str, now: float) -> None:
        """Note that a copy leaves for the domain."""
        one = self._of(domain)
        one.under_way += 1
        if one.limit.per_second is not None:
            one.next_at = max(one.next_at, now) + 1 / one.limit.per_second

    def end(self, domain: str) -> None:
        """Note that a copy is under way no longer."""
        self._of(domain).under_way -= 1

    def record_success(self, domain: str) -> None:
        """Note that the domain has taken a copy."""
        one = self._of(domain)
        one.refusals = 0
        one.rests_until = -math.inf

    def record_refusal(self, domain: str, now: float) -> None:
        """Note that the domain asks for patience."""
        one = self._of(domain)
        if now < one.rests_until:
            # Copies that were under way when it first said so say nothing new.
            return
        one.refusals += 1
        first, longest = _BACKOFF_SECONDS
        one.rests_until = now + min(first * 2 ** min(one.refusals - 1, 10), longest)

    def stop(self, domain: str) -> None:
        """Send nothing more to the domain in this run."""
        self._of(domain).is_stopped = True

    def paused_domains(self, now: float) -> dict[str, float]:
        """Return the domains that are left alone, and until when."""
        return {
            name: math.inf if one.is_stopped else one.rests_until
            for name, one in self._domains.items()
            if one.is_stopped or one.rests_until > now
        }


def warm_up_limit(day: date, start: date, first: int, growth: float) -> int:
    """Return how many copies may leave on a day of a warm-up; none before it starts.

    Args:
        day: on the newsroom's clock.
        start: the first day.
        first: copies on that day.
        growth: each day so many times as many as on the one before.
    """
    days = (day - start).days
    if days < 0:
        return 0
    # A ramp that has grown past every list is none any more.
    return int(min(first * growth ** min(days, 400), 1e12)) if growth > 1 or days else first
