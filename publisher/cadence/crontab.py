"""Parse crontab text, and compute its days and local times of day. Time zones are handled in ``slots``.

The meaning is that of Unix cron (POSIX ``crontab``, Vixie cron): Sunday is 0, 7 or ``sun``. If both the day of the
month and the day of the week are restricted, a day has to match only one of them; a field that begins with ``*`` is
not restricted. The common extensions are supported: ``L`` for the last day of the month, ``friL`` for its last Friday,
``fri#2`` for its second Friday.

APScheduler's ``CronTrigger`` counts weekdays from Monday, requires both days to match, and skips midnight if a clock
change skips it. So it gets numbers that are computed here, and runs in UTC, which has no clock changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: Weekdays in the numbering of crontab.
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ORDINALS: Final = ("1st", "2nd", "3rd", "4th", "5th")
#: Each date falls on each weekday within forty years, also across the year 2100.
_HORIZON: Final = timedelta(days=366 * 41)
_EXAMPLE: Final = 'write it as in "0 7 * * mon-fri" (07:00 on weekdays)'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """A parsed crontab expression."""

    #: The original text.
    text: str = field(compare=False)
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    #: Days of the month; None if not restricted.
    days: tuple[int, ...] | None
    #: Whether the last day of the month matches.
    last_day: bool
    #: Days of the week, 0 is Sunday; None if not restricted.
    weekdays: tuple[int, ...] | None
    #: (weekday, position in the month): the second Friday is (5, 2), the last one (5, 0).
    nth: tuple[tuple[int, int], ...]
    #: Whether a day must match both day fields, because one of them begins with ``*``.
    needs_both: bool

    @property
    def is_hourly(self) -> bool:
        """Return whether it runs in every hour, so that it means an interval and not times of day."""
        return len(self.hours) == 24

    @property
    def is_daily(self) -> bool:
        """Return whether it runs on every day of the year."""
        return self.days is None and self.weekdays is None and len(self.months) == 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """The syntax of one field of a crontab expression."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    #: Number of distinct values of a cyclic field, whose ranges may wrap around; 0 if it is not cyclic.
    cycle: int = 0

    @property
    def last(self) -> int:
        """Return the highest number without aliases: 6 for weekdays, because 7 is Sunday again."""
        return self.low + self.cycle - 1 if self.cycle else self.high

    def number(self, text: str) -> int:
        if text in self.names:
            return self.names[text]
        if text.isascii() and text.isdigit() and self.low <= int(text) <= self.high:
            return int(text)
        named = f" or {next(iter(self.names))} to {list(self.names)[-1]}" if self.names else ""
        raise ValueError(f"{self.name}: {text!r} is not {self.low} to {self.high}{named}")

    def numbers(self, part: str) -> range:
        """Return the numbers of a list item: a number, a range or ``*``, and optionally a step."""
        span, slash, step_text = part.partition("/")
        if slash and not (step_text.isascii() and step_text.isdigit() and int(step_text) > 0):
            raise ValueError(f"{self.name}: {part!r}: the step after / must be a whole number from 1")
        step = int(step_text) if slash else 1
        if span == "*":
            return range(self.low, self.last + 1, step)
        first_text, dash, last_text = span.partition("-")
        first = self.number(first_text)
        if not dash:
            return range(first, (max(first, self.last) if slash else first) + 1, step)
        last = self.number(last_text)
        if last < first:
            last += self.cycle
        if last < first:
            raise ValueError(f"{self.name}: {part!r} runs backwards")
        return range(first, last + 1, step)


_MINUTE: Final = _Field(name="minute", low=0, high=59)
_HOUR: Final = _Field(name="hour", low=0, high=23)
_DAY: Final = _Field(name="day of the month", low=1, high=31)
_MONTH: Final = _Field(name="month", low=1, high=12, names={name: at for at, name in enumerate(MONTHS, 1)})
_WEEKDAY: Final = _Field(
    name="day of the week", low=0, high=7, cycle=7, names={name: at for at, name in enumerate(DAYS)}
)


def _parse_list(syntax: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({number for part in text.split(",") for number in syntax.numbers(part)}))


def _days_of_month(text: str) -> tuple[tuple[int, ...] | None, bool]:
    """Return the days of the month (None: not restricted), and whether its last day matches."""
    if text == "*":
        return None, False
    parts = text.split(",")
    others = [part for part in parts if part != "l"]
    return (_parse_list(_DAY, ",".join(others)) if others else ()), len(others) < len(parts)


def _days_of_week(text: str) -> tuple[tuple[int, ...] | None, tuple[tuple[int, int], ...]]:
    """Return the weekdays (None: not restricted), and (weekday, position in month) pairs."""
    if text == "*":
        return None, ()
    days: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for part in text.split(","):
        if match := re.fullmatch(r"(\w+)#(\w+)", part):
            position = match[2]
            if not (position.isascii() and position.isdigit() and 1 <= int(position) <= 5):
                raise ValueError(f"day of the week: {part!r}: a month has at most five of a weekday: fri#1 to fri#5")
            nth.add((_WEEKDAY.number(match[1]) % 7, int(position)))
        elif match := re.fullmatch(r"(\d|[a-z]{3})l", part):
            nth.add((_WEEKDAY.number(match[1]) % 7, 0))
        else:
            days.update(day % 7 for day in _WEEKDAY.numbers(part))
    return tuple(sorted(days)), tuple(sorted(nth))


def parse_cadence(text: str) -> Cadence:
    """Parse crontab text.

    Raises:
        ValueError: not five fields or an alias, a value out of range, or a date that does not exist. The
            message names the field and gives an example.
    """
    line = " ".join(text.lower().split())
    fields = _ALIASES.get(line, line).split()
    if line.startswith("@") and line not in _ALIASES:
        raise ValueError(f"{text!r} is none of {', '.join(_ALIASES)}; or {_EXAMPLE}")
    if len(fields) in (6, 7):
        raise ValueError(
            f"{text!r} has {len(fields)} fields: a cadence has five, minute first, and nothing runs by the second; {_EXAMPLE}"
        )
    if len(fields) != 5:
        raise ValueError(f"{text!r}: a cadence has five fields (minute hour day month weekday); {_EXAMPLE}")
    try:
        days, last_day = _days_of_month(fields[2])
        weekdays, nth = _days_of_week(fields[4])
        cadence = Cadence(
            text=text,
            minutes=_parse_list(_MINUTE, fields[0]),
            hours=_parse_list(_HOUR, fields[1]),
            months=_parse_list(_MONTH, fields[3]),
            days=days,
            last_day=last_day,
            weekdays=weekdays,
            nth=nth,
            needs_both=fields[2].startswith("*") or fields[4].startswith("*"),
        )
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; {_EXAMPLE}") from None
    if _may_be_impossible(cadence) and next_day(cadence, date(2000, 1, 1)) is None:
        raise ValueError(f"{text!r} never matches: no year has such a day; {_EXAMPLE}")
    return cadence


def _may_be_impossible(cadence: Cadence) -> bool:
    """Return whether the cadence may have no day, so that the slow check is needed."""
    if cadence.days is None:
        return False
    return (cadence.needs_both and cadence.weekdays is not None) or (not cadence.last_day and min(cadence.days) > 28)


def _csv(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


@lru_cache(maxsize=2048)
def times_of_day(cadence: Cadence) -> tuple[time, ...]:
    """Return the local times of day of a cadence, in order."""
    trigger = _trigger(minute=_csv(cadence.minutes), hour=_csv(cadence.hours))
    moment, times = datetime(2001, 1, 1, tzinfo=UTC), []
    while (moment := trigger.get_next_fire_time(None, moment)).day == 1:
        times.append(moment.time())
        moment += timedelta(minutes=1)
    return tuple(times)


def _trigger(**fields: str) -> Any:
    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger(**fields, timezone=UTC)


@lru_cache(maxsize=2048)
def _day_triggers(cadence: Cadence) -> tuple[tuple[Any, ...], ...]:
    """Return groups of triggers. A day matches if one trigger of each group fires on it."""
    month = _csv(cadence.months)
    by_day, by_weekday = [], []
    if cadence.days is not None:
        days = [_csv(cadence.days)] if cadence.days else []
        by_day.append(_trigger(month=month, day=",".join([*days, *(["last"] if cadence.last_day else [])]), hour="0"))
    if cadence.weekdays:
        names = ",".join(DAYS[day] for day in cadence.weekdays)
        by_weekday.append(_trigger(month=month, day_of_week=names, hour="0"))
    for day, position in cadence.nth:
        ordinal = _ORDINALS[position - 1] if position else "last"
        by_weekday.append(_trigger(month=month, day=f"{ordinal} {DAYS[day]}", hour="0"))
    groups = [tuple(group) for group in (by_day, by_weekday) if group]
    if not groups:
        return ((_trigger(month=month, hour="0"),),)
    return tuple(groups) if cadence.needs_both else (tuple(trigger for group in groups for trigger in group),)


@lru_cache(maxsize=65_536)
def next_day(cadence: Cadence, first: date) -> date | None:
    """Return the first day on or after FIRST on which the cadence runs; None if there is none."""
    if cadence.is_daily:
        return first
    day, limit = datetime.combine(first, time(), UTC), first + _HORIZON
    while day.date() <= limit:
        nearest = []
        for group in _day_triggers(cadence):
            times = [moment for trigger in group if (moment := trigger.get_next_fire_time(None, day)) is not None]
            if not times:
                return None
            nearest.append(min(times))
        if max(nearest) == min(nearest):
            return nearest[0].date() if nearest[0].date() <= limit else None
        day = max(nearest)
    return None
