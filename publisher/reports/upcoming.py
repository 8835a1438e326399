"""``publish next``: schedules in words, and the next slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from itertools import islice

from sqlalchemy import Connection

from publisher.cadence import describe_cadence, slots_between
from publisher.context import Context
from publisher.digests import store as issues
from publisher.errors import SettingsError
from publisher.model.result import Result
from publisher.settings import Site
from publisher.settings.schedules import Schedule

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
        site.digest(only)
        raise SettingsError(f"digest {only!r} has no cadence. Add one under [digests.{only}] in publisher.toml")
    return [named[only]]


def describe_schedules(context: Context, name: str | None = None) -> list[ScheduleDescription]:
    """Return all schedules, or the one of a digest or of ``feeds``, in the order of the settings.

    Raises:
        SettingsError: there is no such schedule.
    """
    descriptions = []
    for schedule in _chosen(context.site, name):
        table = schedule.timetable
        parts = ["; ".join(describe_cadence(cadence) for cadence in table.cadences)]
        if table.starts:
            parts.append(f"from {table.starts}")
        if table.ends:
            parts.append(f"until {table.ends}")
        if table.blackout:
            days = [str(first) if first == last else f"{first} to {last}" for first, last in table.blackout]
            parts.append(f"not on {', '.join(days)}")
        descriptions.append(
            ScheduleDescription(
                name=schedule.digest or "feeds",
                words=", ".join(parts),
                zone=table.zone.key,
                deliver_at=context.site.digests[schedule.digest].deliver_at if schedule.digest else None,
            )
        )
    return descriptions


def digests_without_cadence(context: Context) -> list[str]:
    """Return the names of the digests without a cadence, in the order of the settings."""
    scheduled = {schedule.digest for schedule in context.site.schedules}
    return [slug for slug in context.site.digests if slug not in scheduled]


def free_slots(connection: Connection, schedule: Schedule, now: datetime) -> Iterator[datetime]:
    """Yield the next slots of a schedule, without those whose issue was sent before its time."""
    limit = now.replace(year=now.year + _MAX_YEARS, month=1, day=1)
    taken = issues.slots_with_issues(connection, schedule.digest, now, with_waiting=False) if schedule.digest else ()
    return (slot for slot in slots_between(schedule.timetable, now, limit) if slot not in taken)


def upcoming_runs(
    context: Context, count: int = 10, name: str | None = None, *, after: datetime | None = None
) -> list[UpcomingRun]:
    """Return the next slots, earliest first; one slot of the feeds, unless the name is ``feeds``.

    Args:
        count: at most this number.
        name: a digest, or ``feeds``; None for all schedules.
        after: the time after which they are; the current time by default.

    Raises:
        SettingsError: there is no such schedule.
    """
    runs = []
    with context.db.read() as connection:
        for schedule in _chosen(context.site, name):
            at_most = count if schedule.digest or name else 1
            slots = islice(free_slots(connection, schedule, after or context.now), at_most)
            runs += [UpcomingRun(name=schedule.digest or "feeds", slot=slot) for slot in slots]
    runs.sort(key=lambda run: (run.slot, run.name))
    return runs[:count]
