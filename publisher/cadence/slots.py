"""Compute slots, the instants at which a schedule runs, from cadences and a time zone.

Each local time of a cadence has one slot per day, also on days of clock changes: a skipped time runs at the first
instant after the gap, a repeated time at its first occurrence. A cadence that runs in every hour means an interval:
it runs in both occurrences of a repeated hour, and not in a skipped one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from publisher.cadence.crontab import Cadence, next_day, times_of_day
from publisher.model.digests import CatchUp

#: A slot that is run within this time was not missed: a cron job may call ``publish tick`` that rarely.
ON_TIME_TOLERANCE: Final = timedelta(minutes=15)
_DAY: Final = timedelta(days=1)
#: The range of the first search for the next slot.
_SOON: Final = timedelta(minutes=20)
#: Increasing ranges of the search for the previous slot. The rarest day occurs within forty years.
_BACK: Final = (_SOON, *(timedelta(days=days) for days in (1, 8, 63, 400, 3_300, 15_000)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When a schedule runs: one or more cadences in a time zone, without the excluded days."""

    cadences: tuple[Cadence, ...]
    zone: ZoneInfo
    #: First and last day of the schedule; None for no limit.
    starts: date | None = None
    ends: date | None = None
    #: (first, last) day of each excluded period.
    blackout: tuple[tuple[date, date], ...] = ()

    def allows(self, day: date) -> bool:
        """Return whether the schedule may run on a day."""
        if (self.starts is not None and day < self.starts) or (self.ends is not None and day > self.ends):
            return False
        return not any(first <= day <= last for first, last in self.blackout)


def to_local(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant, in UTC, at which the local time in ZONE is WALL or later.

    A time that a clock change skips means the first instant after the gap; a repeated time means its
    first occurrence.
    """
    early = wall.replace(tzinfo=zone, fold=0)
    instant = early.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # PEP 495: in a gap, fold=1 gives the instant before and fold=0 the one after the change.
    low, high = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    target = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == target:
            high = middle
        else:
            low = middle
    return high


def _all_occurrences(wall: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield each instant with local time WALL; in a gap, use the offset before the change."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    yield first
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    # In a gap, fold=1 gives an earlier instant, which has another local time (PEP 495).
    if second > first:
        yield second


def _slots_of(cadence: Cadence, zone: ZoneInfo, day: date, after: datetime, until: datetime | None) -> list[datetime]:
    """Return the slots of one local day that are after AFTER and not after UNTIL."""
    offsets = _offsets(zone, day)
    if len(offsets) == 1:
        return _plain_day(cadence, datetime.combine(day, time(), UTC) - min(offsets), after, until)
    slots = _transition_day(cadence, zone, day)
    return sorted(slot for slot in slots if slot > after and (until is None or slot <= until))


def _plain_day(cadence: Cadence, midnight: datetime, after: datetime, until: datetime | None) -> list[datetime]:
    """Return the slots of a day without a clock change nearby; a cadence may have many."""
    times = _times_since_midnight(cadence)
    first = bisect_right(times, after - midnight)
    last = bisect_right(times, until - midnight) if until is not None else len(times)
    return [midnight + at for at in times[first:last]]


def _transition_day(cadence: Cadence, zone: ZoneInfo, day: date) -> set[datetime]:
    """Return all slots of a day near a clock change."""
    walls = [datetime.combine(day, time()) + at for at in _times_since_midnight(cadence)]
    if cadence.is_hourly:
        return {slot for wall in walls for slot in _all_occurrences(wall, zone)}
    return {to_local(wall, zone) for wall in walls}


@lru_cache(maxsize=2048)
def _times_since_midnight(cadence: Cadence) -> tuple[timedelta, ...]:
    return tuple(timedelta(hours=at.hour, minutes=at.minute) for at in times_of_day(cadence))


@lru_cache(maxsize=4096)
def _offsets(zone: ZoneInfo, day: date) -> frozenset[timedelta]:
    """Return the UTC offsets of a zone on a day and its neighbours."""
    start = datetime.combine(day, time(), zone)
    offsets = ((start + timedelta(days=ahead)).utcoffset() for ahead in (-1, 0, 1, 2))
    return frozenset(offset for offset in offsets if offset is not None)


def _days(timetable: Timetable, first: date) -> Iterator[tuple[date, list[Cadence]]]:
    """Yield the days on which the schedule runs, with the cadences of each day."""
    day = max(first, timetable.starts) if timetable.starts else first
    while timetable.ends is None or day <= timetable.ends:
        next_days = {
            cadence: next_one for cadence in timetable.cadences if (next_one := next_day(cadence, day)) is not None
        }
        if not next_days:
            return
        day = min(next_days.values())
        if timetable.allows(day):
            yield day, [cadence for cadence, next_one in next_days.items() if next_one == day]
        day += _DAY


def _ascending(timetable: Timetable, after: datetime, until: datetime | None) -> Iterator[datetime]:
    """Yield every slot after AFTER and not after UNTIL, in order, each once."""
    pending: list[datetime] = []
    zone = timetable.zone
    # The slots of a day that a zone change skips are on the next day.
    for day, cadences in _days(timetable, after.astimezone(zone).date() - _DAY):
        first = datetime.combine(day, time(), UTC) - max(_offsets(zone, day))
        complete = bisect_left(pending, first)
        yield from pending[:complete]
        if until is not None and first > until:
            pending = pending[complete:]
            break
        slots = {slot for cadence in cadences for slot in _slots_of(cadence, zone, day, after, until)}
        pending = sorted({*pending[complete:], *slots})
    yield from pending


def slots_between(timetable: Timetable, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the slots after AFTER and not after UNTIL, in UTC and in order."""
    return _ascending(timetable, after.astimezone(UTC), until.astimezone(UTC))


def next_slot(timetable: Timetable, after: datetime) -> datetime | None:
    """Return the first slot after AFTER, in UTC; None if there is none."""
    after = after.astimezone(UTC)
    # With an upper limit, only a few slots of a cadence with many times a day are computed.
    soon = next(_ascending(timetable, after, after + _SOON), None)
    return soon if soon is not None else next(_ascending(timetable, after, None), None)


def previous_slot(timetable: Timetable, at: datetime, *, at_most: timedelta = _BACK[-1]) -> datetime | None:
    """Return the last slot at or before AT, in UTC; None if there is none within AT_MOST.

    Without a limit, decades of a timetable that has ended are searched.
    """
    for step in _BACK:
        back = min(step, at_most)
        slot = None
        for slot in slots_between(timetable, at - back, at):  # noqa: B007 - the last one is the result
            pass
        if slot is not None or back == at_most:
            return slot
    return None


def due_slots(
    timetable: Timetable,
    since: datetime,
    now: datetime,
    *,
    catch_up: CatchUp,
    at_most_late: timedelta,
) -> list[datetime]:
    """Return the slots that are due now, oldest first, whether they were run or not.

    Args:
        since: when the schedule came into force; earlier slots do not count.
        at_most_late: older slots are left out.
    """
    if catch_up is CatchUp.ALL:
        return list(slots_between(timetable, max(since, now - at_most_late), now))
    late = min(ON_TIME_TOLERANCE, at_most_late) if catch_up is CatchUp.NONE else at_most_late
    # One second more, because ``previous_slot`` excludes its lower limit, and the maximum lateness is included.
    slot = previous_slot(timetable, now, at_most=late + timedelta(seconds=1))
    if slot is None or slot <= since or now - slot > late:
        return []
    return [slot]
