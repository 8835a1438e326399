"""``publish next``: schedules in words, and the next slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from itertools import islice

from publisher.cadence import describe_cadence, slots_between
from publisher.errors import SettingsError
from publisher.model.result import Result
from publisher.settings import Site
from publisher.settings.schedules import Schedule

__all__ = ["ScheduleDescription", "UpcomingRun", "describe_schedules", "digests_without_cadence", "upcoming_runs"]

#: Slots are searched for this many years ahead.
_MAX_YEARS = 41


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDescription(Result):
    """A schedule in words."""

    #: ``feeds``, or the digest's slug.
    name: str
    words: str
    #: The zone of its times.
    zone: str
    #: The local delivery time; None for delivery at the slot.
    deliver_at: time | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingRun(Result):
    """A future slot of a schedule."""

    name: str
    #: In UTC.
    slot: datetime


def _chosen(site: Site, only: str | None) -> list[Schedule]:
    named = {schedule.digest or "feeds": schedule for schedule in site.schedules}
    if only is None:
        return list(named.values())
    if only not in named:
        if only not in site.digests:
            raise SettingsError(f"there is no digest {only!r}. publisher.toml has: {', '.join(site.digests) or 'none'}")
        raise SettingsError(f"digest {only!r} has no cadence. Add one under [digests.{only}] in publisher.toml")
    return [named[only]]


def describe_schedules(site: Site, only: str | None = None) -> list[ScheduleDescription]:
    """Return all schedules, or one, in the order of the settings.

    Raises:
        SettingsError: ``only`` has no cadence.
    """
    descriptions = []
    for schedule in _chosen(site, only):
        table = schedule.timetable
        parts = ["; ".join(describe_cadence(cadence) for cadence in table.cadences)]
        if table.starts:
            parts.append(f"from {table.starts}")
        if table.ends:
            parts.append(f"until {table.ends}")
        if table.blackout:
            days = [str(first) if first == last else f"{first} to {last}" for first, last in table.blackout]
            parts.append(f"not on {', '.join(days)}")
        name = schedule.digest or "feeds"
        deliver_at = site.digests[name].deliver_at if schedule.digest else None
        descriptions.append(
            ScheduleDescription(name=name, words=", ".join(parts), zone=table.zone.key, deliver_at=deliver_at)
        )
    return descriptions


def digests_without_cadence(site: Site) -> list[str]:
    """Return the slugs of the digests without a cadence, in the order of the settings."""
    scheduled = {schedule.digest for schedule in site.schedules}
    return [slug for slug in site.digests if slug not in scheduled]


def upcoming_runs(site: Site, now: datetime, count: int, only: str | None = None) -> list[UpcomingRun]:
    """Return the next ``count`` slots, earliest first; one of feeds unless ``only`` is given.

    Raises:
        SettingsError: ``only`` has no cadence.
    """
    limit = now.replace(year=now.year + _MAX_YEARS, month=1, day=1)
    runs = []
    for schedule in _chosen(site, only):
        name = schedule.digest or "feeds"
        at_most = count if schedule.digest or only else 1
        runs += [
            UpcomingRun(name=name, slot=slot) for slot in islice(slots_between(schedule.timetable, now, limit), at_most)
        ]
    runs.sort(key=lambda run: (run.slot, run.name))
    return runs[:count]
