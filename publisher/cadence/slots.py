"""Times of day and a zone → slots: the instants at which something is to run.

Every wall time that is asked for has its slot, whatever clocks do that day. One that a change skips is at
the first instant after the gap; one that a change repeats is at the first of the two. Who asks for every
hour asks for an interval and gets it: the repeated hour twice, and of the skipped one what real time has.
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

__all__ = ["ON_TIME_TOLERANCE", "Timetable", "due_slots", "next_slot", "previous_slot", "slots_between", "to_local"]

#: A slot that is found within this time is not a missed one: a cron job may look only so often.
ON_TIME_TOLERANCE: Final = timedelta(minutes=15)
_DAY: Final = timedelta(days=1)
#: How far ahead the next slot is looked for at first, and how far back the previous one, step by step: the rarest
#: day comes within forty years.
_SOON: Final = timedelta(minutes=20)
_BACK: Final = (_SOON, *(timedelta(days=days) for days in (1, 8, 63, 400, 3_300, 15_000)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When something runs: one or more cadences on the clock of a zone, less what the calendar takes out."""

    cadences: tuple[Cadence, ...]
    zone: ZoneInfo
    #: First and last day on which anything runs; None for no bound.
    starts: date | None = None
    ends: date | None = None
    #: (first, last) of days on which nothing runs.
    blackout: tuple[tuple[date, date], ...] = ()

    def allows(self, day: date) -> bool:
        """Tell whether anything may run on a day."""
        if (self.starts is not None and day < self.starts) or (self.ends is not None and day > self.ends):
            return False
        return not any(first <= day <= last for first, last in self.blackout)


def to_local(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which clocks in ``zone`` first show ``wall`` or later.

    A time that a clock change skips becomes the first instant after the gap; of a time that
    occurs twice the first is taken.
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


def _as_it_runs(wall: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield each instant at which clocks show ``wall``; in a gap, the one at which they would have."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    yield first
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    # In a gap (PEP 495) fold=1 is the earlier one, and no clock shows it.
    if second > first:
        yield second


def _slots_of(cadence: Cadence, zone: ZoneInfo, day: date, after: datetime, until: datetime | None) -> list[datetime]:
    """Return the slots of one day of the calendar that are later than ``after`` and no later than ``until``."""
    offsets = _offsets(zone, day)
    if len(offsets) == 1:
        # Most days have no change near them, and of most the better part is over.
        (offset,) = offsets
        wall = (after + offset).replace(tzinfo=None)
        if wall.date() > day:
            return []
        wanted = times_of_day(cadence)
        first = bisect_right(wanted, wall.time()) if wall.date() == day else 0
        end = (until + offset).replace(tzinfo=None) if until is not None else None
        last = bisect_right(wanted, end.time()) if end is not None and end.date() == day else len(wanted)
        if end is not None and end.date() < day:
            return []
        return [(datetime.combine(day, one, UTC) - offset) for one in wanted[first:last]]
    walls = [datetime.combine(day, one) for one in times_of_day(cadence)]
    if cadence.is_hourly:
        found = {one for wall in walls for one in _as_it_runs(wall, zone)}
    else:
        found = {to_local(wall, zone) for wall in walls}
    return sorted(slot for slot in found if slot > after and (until is None or slot <= until))


@lru_cache(maxsize=4096)
def _offsets(zone: ZoneInfo, day: date) -> frozenset[timedelta]:
    """Return how far clocks are from UTC on a day and its neighbours."""
    start = datetime.combine(day, time(), zone)
    found = ((start + timedelta(days=ahead)).utcoffset() for ahead in (-1, 0, 1, 2))
    return frozenset(offset for offset in found if offset is not None)


def _days(timetable: Timetable, first: date) -> Iterator[tuple[date, list[Cadence]]]:
    """Yield the days on which anything runs, with what asks for it."""
    day = max(first, timetable.starts) if timetable.starts else first
    while timetable.ends is None or day <= timetable.ends:
        coming = {cadence: found for cadence in timetable.cadences if (found := next_day(cadence, day)) is not None}
        if not coming:
            return
        day = min(coming.values())
        if timetable.allows(day):
            yield day, [cadence for cadence, found in coming.items() if found == day]
        day += _DAY


def _ascending(timetable: Timetable, after: datetime, until: datetime | None) -> Iterator[datetime]:
    """Yield every slot later than ``after`` and no later than ``until``, in order, each once."""
    held: list[datetime] = []
    zone = timetable.zone
    # Where clocks skip a whole day, its slots are on the next.
    for day, cadences in _days(timetable, after.astimezone(zone).date() - _DAY):
        first = datetime.combine(day, time(), UTC) - max(_offsets(zone, day))
        sure = bisect_left(held, first)
        yield from held[:sure]
        if until is not None and first > until:
            held = held[sure:]
            break
        found = {slot for one in cadences for slot in _slots_of(one, zone, day, after, until)}
        held = sorted({*held[sure:], *found})
    yield from held


def slots_between(timetable: Timetable, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the slots later than ``after`` and no later than ``until``, in UTC and in order."""
    return _ascending(timetable, after.astimezone(UTC), until.astimezone(UTC))


def next_slot(timetable: Timetable, after: datetime) -> datetime | None:
    """Return the first slot later than ``after``, in UTC; None where there is none."""
    after = after.astimezone(UTC)
    # Of a cadence of many times a day only the nearest are worked out.
    soon = next(_ascending(timetable, after, after + _SOON), None)
    return soon if soon is not None else next(_ascending(timetable, after, None), None)


def previous_slot(timetable: Timetable, at: datetime, *, at_most: timedelta = _BACK[-1]) -> datetime | None:
    """Return the last slot that is no later than ``at``, in UTC; None where there is none.

    Args:
        timetable: the cadences.
        at: the time to look back from.
        at_most: how far to look back. Without a bound a timetable that has ended is searched for decades.
    """
    for step in _BACK:
        back = min(step, at_most)
        found = None
        for found in slots_between(timetable, at - back, at):  # noqa: B007 - the last one is the result
            pass
        if found is not None or back == at_most:
            return found
    return None


def due_slots(
    timetable: Timetable,
    since: datetime,
    now: datetime,
    *,
    catch_up: CatchUp,
    at_most_late: timedelta,
) -> list[datetime]:
    """Return the slots that are to be run now if they were not yet, oldest first.

    Args:
        timetable: when it should have run.
        since: when the timetable came into force: what was before does not count.
        now: what time it is.
        catch_up: what becomes of slots that were missed.
        at_most_late: those that are older than this are left out.
    """
    if catch_up is CatchUp.ALL:
        return list(slots_between(timetable, max(since, now - at_most_late), now))
    late = min(ON_TIME_TOLERANCE, at_most_late) if catch_up is CatchUp.NONE else at_most_late
    # A slot that is exactly as late as allowed still counts: ``previous_slot`` leaves its lower bound out.
    slot = previous_slot(timetable, now, at_most=late + timedelta(seconds=1))
    if slot is None or slot <= since or now - slot > late:
        return []
    return [slot]
