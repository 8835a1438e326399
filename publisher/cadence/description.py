"""Describe a cadence in words, so that people can check what they configured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from publisher.cadence.crontab import Cadence

_WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_POSITIONS: Final = ("last", "first", "second", "third", "fourth", "fifth")
#: Number of times of day that are listed one by one.
_MAX_LISTED_TIMES: Final = 6


def describe_cadence(cadence: Cadence) -> str:
    """Describe a cadence: ``weekdays at 07:00``, ``every 15 minutes``."""
    days, times = _days(cadence), _times(cadence)
    if len(cadence.months) < 12:
        months = _joined([_MONTHS[month - 1] for month in cadence.months])
        days = f"{days} in {months}" if days else f"every day in {months}"
    if not times.startswith("at"):
        return f"{times}, {days}" if days else times
    return f"{days or 'every day'} {times}"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _step(numbers: Sequence[int], size: int) -> int | None:
    """Return n if the numbers are 0, n, 2n, … up to SIZE and n divides SIZE, else None."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else size
    return step if size % step == 0 and list(numbers) == list(range(0, size, step)) else None


def _times(cadence: Cadence) -> str:
    minutes, hours = cadence.minutes, cadence.hours
    past = _joined([f"{minute:02}" for minute in minutes]) + " past"
    if cadence.is_hourly:
        return _every_hour(minutes, past)
    if len(minutes) * len(hours) <= _MAX_LISTED_TIMES:
        return "at " + _joined([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])
    if len(minutes) == 1:
        return _many_hours(hours, minutes[0], past)
    step = _step(minutes, 60)
    often = "every minute" if step == 1 else f"every {step} minutes" if step else f"at {past}"
    return f"{often} of the hours {_joined(_spanned(hours, lambda hour: f'{hour:02}'))}"


def _every_hour(minutes: Sequence[int], past: str) -> str:
    step = _step(minutes, 60)
    if len(minutes) > 1 and step:
        return "every minute" if step == 1 else f"every {step} minutes"
    return "every hour" if minutes == (0,) else f"every hour at {past}"


def _many_hours(hours: Sequence[int], minute: int, past: str) -> str:
    if step := _step(hours, 24):
        return f"every {step} hours" + (f" at {past}" if minute else "")
    if list(hours) == list(range(hours[0], hours[-1] + 1)):
        return f"hourly from {hours[0]:02}:{minute:02} to {hours[-1]:02}:{minute:02}"
    return "at " + _joined([f"{hour:02}:{minute:02}" for hour in hours])


def _spanned(numbers: Sequence[int], name: Callable[[int], str]) -> list[str]:
    """Return the names of numbers, with three or more consecutive ones as a range."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return [
        text
        for span in spans
        for text in ([f"{name(span[0])} to {name(span[-1])}"] if len(span) > 2 else [name(number) for number in span])
    ]


def _days(cadence: Cadence) -> str:
    """Return the days in words; empty for every day."""
    by_month, by_week = _month_days(cadence), _week_days(cadence)
    if by_month and by_week:
        return f"{by_month} if it is {by_week}" if cadence.needs_both else f"{by_month}, and {by_week}"
    return by_month or by_week


def _month_days(cadence: Cadence) -> str:
    if cadence.days is None:
        return ""
    names = _spanned(cadence.days, _ordinal) + (["last day"] if cadence.last_day else [])
    return f"the {_joined(names)} of the month"


def _week_days(cadence: Cadence) -> str:
    if cadence.weekdays is None:
        return ""
    days = cadence.weekdays
    parts = []
    if days == (1, 2, 3, 4, 5):
        parts.append("weekdays")
    elif days == (0, 6):
        parts.append("weekends")
    elif len(days) == 7:
        parts.append("every day")
    elif days:
        # Monday first.
        week = sorted(days, key=lambda day: (day - 1) % 7)
        parts.append(f"every {_WEEKDAYS[week[0]]}" if len(week) == 1 else _joined([f"{_WEEKDAYS[d]}s" for d in week]))
    parts += [f"the {_POSITIONS[position]} {_WEEKDAYS[day]} of the month" for day, position in cadence.nth]
    return _joined(parts)


def _ordinal(number: int) -> str:
    suffix = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
