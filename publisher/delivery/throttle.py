"""Rate limits per recipient domain, pauses of domains that refuse, and warm-up limits. Pure; the time is passed in.

A domain that keeps refusing is paused, and then tried with a single message. The circuit breaker that protects
addresses from suppression is ``brake_rules``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from publisher.backoff import Backoff
from publisher.settings.delivery import DomainSettings, WarmUpSettings

#: Pauses of a domain that asks to slow down.
PAUSES: Final = Backoff(15, 1800)


@dataclass(slots=True)
class _DomainState:
    limit: DomainSettings
    in_progress: int = 0
    #: Earliest time of the next message.
    next_at: float = -math.inf
    #: How often in a row the domain asked to slow down.
    refusals: int = 0
    paused_until: float = -math.inf
    #: True if nothing more is sent to the domain in this run.
    is_stopped: bool = False


class Throttle:
    """Keep each domain to its limit, and pause domains that ask to slow down."""

    def __init__(self, limit_of: Callable[[str], DomainSettings]) -> None:
        self._limit_of = limit_of
        self._domains: dict[str, _DomainState] = {}

    def _state(self, domain: str) -> _DomainState:
        state = self._domains.get(domain)
        if state is None:
            state = self._domains[domain] = _DomainState(self._limit_of(domain))
        return state

    def ready_at(self, domain: str) -> float:
        """Return when the domain is ready; infinity until a message in progress ends."""
        state = self._state(domain)
        if state.is_stopped:
            return math.inf
        if state.limit.at_once is not None and state.in_progress >= state.limit.at_once:
            return math.inf
        if state.refusals and state.in_progress:
            # After a pause, one message tests whether the domain accepts mail again.
            return math.inf
        return max(state.next_at, state.paused_until)

    def seconds_until_ready(self, domains: Iterable[str], now: float, longest: float) -> float:
        """Return the seconds until one of the domains is ready; ``longest`` at most."""
        earliest = min(map(self.ready_at, domains), default=math.inf)
        return min(max(earliest - now, 0.0), longest)

    def begin(self, domain: str, now: float) -> None:
        """Record that a message to the domain is in progress."""
        state = self._state(domain)
        state.in_progress += 1
        if state.limit.per_second is not None:
            state.next_at = max(state.next_at, now) + 1 / state.limit.per_second

    def end(self, domain: str) -> None:
        """Record that a message to the domain is no longer in progress."""
        self._state(domain).in_progress -= 1

    def record_success(self, domain: str) -> None:
        """Record that the domain accepted a message."""
        state = self._state(domain)
        state.refusals = 0
        state.paused_until = -math.inf

    def record_refusal(self, domain: str, now: float) -> None:
        """Record that the domain asked to slow down, and pause it."""
        state = self._state(domain)
        if now < state.paused_until:
            # Messages that were in progress at the first refusal are no further evidence.
            return
        state.refusals += 1
        state.paused_until = now + PAUSES.pause(state.refusals)

    def stop(self, domain: str) -> None:
        """Send nothing more to the domain in this run."""
        self._state(domain).is_stopped = True

    def paused_domains(self, now: float) -> dict[str, float]:
        """Return the paused domains and when their pauses end; infinity for stopped ones."""
        return {
            name: math.inf if state.is_stopped else state.paused_until
            for name, state in self._domains.items()
            if state.is_stopped or state.paused_until > now
        }


def warm_up_limit(day: date, settings: WarmUpSettings) -> int:
    """Return how many messages may be sent on a day in the site's time zone; 0 before the warm-up starts."""
    days = (day - settings.start).days
    if days < 0:
        return 0
    # Beyond 10¹² messages a day the limit has no effect, and a power could overflow.
    factor = settings.growth**days if days * math.log10(settings.growth) < 12 else 1e12
    return int(min(settings.first * factor, 1e12))
