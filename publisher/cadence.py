"""Crontab text and a zone → slots. Pure: the moment to start from is passed in.

Unix crontab meaning (POSIX ``crontab``, Vixie cron): Sunday is 0, 7 and ``sun``; where both the
day of the month and the day of the week are restricted, either one is enough. APScheduler's
``CronTrigger`` counts from Monday, wants both, and misses midnight on days when a clock change
swallows it, so it is only asked for wall times, in UTC, and the zone is applied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

__all__ = ["Cadence", "localise", "next_slot", "parse_cadence"]

_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """Crontab text that was understood: five fields, the days of the week by name."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str


def _day_number(text: str) -> int:
    if text in _DAYS:
        return _DAYS.index(text)
    if text.isascii() and text.isdigit() and int(text) <= 7:
        return int(text)
    raise ValueError(f"{text!r} is not a day of the week: 0 to 7 (0 and 7 are Sunday) or sun to sat")


def _weekdays(field: str) -> str:
    """Return a weekday field with names in place of numbers, ranges and steps written out."""
    if field == "*":
        return "*"
    found: set[int] = set()
    for part in field.split(","):
        span, _, step_text = part.partition("/")
        if step_text and not (step_text.isascii() and step_text.isdigit() and int(step_text) > 0):
            raise ValueError(f"{part!r}: the step after / must be a whole number from 1")
        step = int(step_text) if step_text else 1
        if span == "*":
            first, last = 0, 6
        elif "-" in span:
            first, last = (_day_number(end) for end in span.split("-", 1))
            # fri-mon wraps around the end of the week; 5-7 does not.
            last += 7 if last < first else 0
        else:
            first = _day_number(span)
            last = 6 if step_text else first
        found.update(day % 7 for day in range(first, last + 1, step))
    return ",".join(_DAYS[day] for day in sorted(found))


def parse_cadence(text: str) -> Cadence:
    """Return the cadence that crontab text asks for.

    Raises:
        ValueError: not five fields or an alias, or a field out of its range; says which.
    """
    line = _ALIASES.get(text.strip().lower(), text.strip().lower())
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(
            f"{text!r}: a cadence has five fields (minute hour day month weekday) or is one of {', '.join(_ALIASES)}"
        )
    cadence = Cadence(minute=fields[0], hour=fields[1], day=fields[2], month=fields[3], weekday=_weekdays(fields[4]))
    _triggers(cadence)
    return cadence


@lru_cache(maxsize=256)
def _triggers(cadence: Cadence) -> tuple[Any, ...]:
    from apscheduler.triggers.cron import CronTrigger

    def trigger(day: str, weekday: str) -> Any:
        return CronTrigger(
            minute=cadence.minute,
            hour=cadence.hour,
            day=day,
            month=cadence.month,
            day_of_week=weekday,
            timezone=UTC,
        )

    # A field that begins with a star restricts nothing (crontab(5)); two restricted fields are ORed.
    if cadence.day.startswith("*") or cadence.weekday == "*":
        return (trigger(cadence.day, cadence.weekday),)
    return (trigger(cadence.day, "*"), trigger("*", cadence.weekday))


def localise(wall: datetime, zone: ZoneInfo) -> datetime:
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


def next_slot(cadence: Cadence, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Return the first slot later than ``after``, in UTC; None where there is none (30 February)."""
    # A day back, because a clock change may put the wall time of ``after`` past its own slot.
    wall = after.astimezone(zone).replace(tzinfo=UTC) - timedelta(days=1)
    while True:
        found = [trigger.get_next_fire_time(None, wall) for trigger in _triggers(cadence)]
        times = [time for time in found if time is not None]
        if not times:
            return None
        first: datetime = min(times)
        slot = localise(first.replace(tzinfo=None), zone)
        if slot > after:
            return slot
        wall = first + timedelta(seconds=1)
