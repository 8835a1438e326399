"""Dates as newsrooms write them."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

__all__ = [
    "DATE_PATTERN",
    "date_from_match",
    "is_date",
    "localize",
    "parse_date",
    "require_supported_year",
    "to_instant",
]

_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

_FIRST_YEAR: Final = 1600
_LAST_YEAR: Final = 2999
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"

#: ``April 1, 2022``, ``Jan. 9, 2026``, ``Sept. 3rd 2024``, ``1 April 2022``, ``2022-04-01``.
DATE_PATTERN: Final = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)?"
    rf"(?:(?P<month>{_MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})"
    rf"|(?P<day2>\d{{1,2}})\s+(?P<month2>{_MONTH})\.?,?\s+(?P<year2>\d{{4}})"
    r"|(?P<iso>\d{4}-\d{2}-\d{2}))(?!\w)"
)


def _month(name: str) -> int:
    lowered = name.lower()
    for number, month in enumerate(_MONTHS, 1):
        # Three letters or more of the name ("Sept"), never a word that merely begins alike.
        if len(lowered) >= 3 and month.startswith(lowered):
            return number
    raise ValueError(f"{name!r} is not a month")


#: A time of day after a date, as ISO 8601, YAML and static site generators write it.
_TIMESTAMP: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[Tt]|[ \t]+)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{0,9})?)?"
    r"[ \t]*(?P<zone>Z|z|(?P<sign>[-+])(?P<zone_hour>\d{1,2})(?::?(?P<zone_minute>\d{2}))?)?",
    re.ASCII,
)


def _timestamp(match: re.Match[str]) -> datetime:
    """Return the time that a match of ``_TIMESTAMP`` names; without a zone where it names none."""
    zone = None
    if match["zone"]:
        offset = timedelta(hours=int(match["zone_hour"] or 0), minutes=int(match["zone_minute"] or 0))
        zone = timezone(-offset if match["sign"] == "-" else offset)
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    return datetime(year, month, day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0), tzinfo=zone)


_Day = TypeVar("_Day", bound=date)


def require_supported_year(day: _Day) -> _Day:
    """Return the day as it is.

    Raises:
        ValueError: a year that no article is of, and that arithmetic with time zones may overflow in.
    """
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"year {day.year} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return day


def date_from_match(match: re.Match[str]) -> date:
    """Return the day that a match of :data:`DATE` names.

    Raises:
        ValueError: there is no such month or day.
    """
    if match["iso"]:
        return require_supported_year(date.fromisoformat(match["iso"]))
    month = match["month"] or match["month2"]
    day = match["day"] or match["day2"]
    year = match["year"] or match["year2"]
    return require_supported_year(date(int(year), _month(month), int(day)))


def parse_date(text: str, zone: ZoneInfo) -> date | datetime:
    """Return the day or the instant that the text names: ISO 8601, RFC 2822 or a written date.

    A time without an offset is a time in ``zone``.

    Raises:
        ValueError: the text names no date, or an impossible one.
    """
    text = text.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return require_supported_year(date.fromisoformat(text))
    if timestamp := _TIMESTAMP.fullmatch(text):
        return localize(_timestamp(timestamp), zone)
    if re.match(r"\d{4}-?\d{2}-?\d{2}[T ]", text):
        return localize(datetime.fromisoformat(text), zone)
    match = DATE_PATTERN.fullmatch(text)
    if match:
        return date_from_match(match)
    try:
        from email.utils import parsedate_to_datetime

        return localize(parsedate_to_datetime(text), zone)
    except (TypeError, ValueError, IndexError):
        raise ValueError(f"{text[:60]!r} is not a date") from None


def localize(moment: date | datetime, zone: ZoneInfo) -> date | datetime:
    """Return a date as it is, a datetime without its fractions, and in ``zone`` if it names none.

    Raises:
        ValueError: the year is out of range.
    """
    require_supported_year(moment)
    if not isinstance(moment, datetime):
        return moment
    moment = moment.replace(microsecond=0)
    if moment.tzinfo is None:
        return datetime.combine(moment.date(), time(moment.hour, moment.minute, moment.second), zone)
    return moment


def is_date(text: str, zone: ZoneInfo) -> bool:
    """Return whether :func:`parse_date` understands a text."""
    try:
        parse_date(text, zone)
    except ValueError:
        return False
    return True


def to_instant(moment: date | datetime, zone: ZoneInfo) -> datetime:
    """Return a moment, or the beginning of a day in ``zone``."""
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=zone)
