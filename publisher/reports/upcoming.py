"""``publish next``: what comes when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from itertools import islice

from publisher.cadence import describe_cadence, slots_between
from publisher.errors import SettingsError
from publisher.settings import Site
from publisher.settings.schedules import Schedule

__all__ = ["ScheduleDescription", "UpcomingRun", "describe_schedules", "upcoming_runs"]

#: Rarer cadences than once in so many years are not looked for.
_FAR = 41


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDescription:
    """What runs by a timetable, in words."""

    #: ``feeds``, or the digest's slug.
    name: str
    words: str
    #: The zone that the words are meant in.
    zone: str
    #: When copies are due on their readers' clocks; None for at once.
    deliver_at: time | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingRun:
    """A slot that is to come."""

    name: str
    #: In UTC.
    slot: datetime


def _chosen(site: Site, only: str | None) -> list[Schedule]:
    named = {one.digest or "feeds": one for one in site.schedules}
    if only is None:
        return list(named.values())
    if only not in named:
        known = ", ".join(named) or "nothing"
        reason = "has no cadence" if only in site.digests else "is no digest"
        raise SettingsError(f"{only!r} {reason} in publisher.toml; these have one: {known}")
    return [named[only]]


def describe_schedules(site: Site, only: str | None = None) -> list[ScheduleDescription]:
    """Return what runs by a timetable, in the order of the settings.

    Raises:
        SettingsError: ``only`` is no digest that has a cadence.
    """
    found = []
    for one in _chosen(site, only):
        table = one.timetable
        parts = ["; ".join(describe_cadence(cadence) for cadence in table.cadences)]
        if table.starts:
            parts.append(f"from {table.starts}")
        if table.ends:
            parts.append(f"until {table.ends}")
        if table.blackout:
            days = [str(first) if first == last else f"{first} to {last}" for first, last in table.blackout]
            parts.append(f"not on {', '.join(days)}")
        name = one.digest or "feeds"
        deliver_at = site.digests[name].deliver_at if one.digest else None
        found.append(ScheduleDescription(name=name, words=", ".join(parts), zone=table.zone.key, deliver_at=deliver_at))
    return found


def upcoming_runs(site: Site, now: datetime, count: int, only: str | None = None) -> list[UpcomingRun]:
    """Return the next ``count`` slots, earliest first. Of feeds, where there is more, only the next one.

    Raises:
        SettingsError: ``only`` is no digest that has a cadence.
    """
    far = now.replace(year=now.year + _FAR, month=1, day=1)
    found = []
    for one in _chosen(site, only):
        name = one.digest or "feeds"
        often = count if one.digest or only else 1
        found += [UpcomingRun(name=name, slot=slot) for slot in islice(slots_between(one.timetable, now, far), often)]
    found.sort(key=lambda coming: (coming.slot, coming.name))
    return found[:count]
