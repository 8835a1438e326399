"""Parse dates and times in the formats that exports and front matter use."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final, TypeVar

from publisher.html.dates import MONTHS

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
    for number, month in enumerate(MONTHS, 1):
        # At least three letters of the name ("Sept"), and no other letters after them.
        if len(lowered) >= 3 and month.lower().startswith(lowered):
            return number
    raise ValueError(f"{name!r} is not a month")


#: A date and a time of day, as in ISO 8601, YAML and static site generators.
_TIMESTAMP: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[Tt]|[ \t]+)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{0,9})?)?"
    r"[ \t]*(?P<zone>Z|z|(?P<sign>[-+])(?P<zone_hour>\d{1,2})(?::?(?P<zone_minute>\d{2}))?)?",
    re.ASCII,
)


def _timestamp(match: re.Match[str]) -> datetime:
    """Return the datetime of a ``_TIMESTAMP`` match; naive if it has no zone."""
    zone = None
    if match["zone"]:
        offset = timedelta(hours=int(match["zone_hour"] or 0), minutes=int(match["zone_minute"] or 0))
        zone = timezone(-offset if match["sign"] == "-" else offset)
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    return datetime(year, month, day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0), tzinfo=zone)


_Day = TypeVar("_Day", bound=date)


def require_supported_year(day: _Day) -> _Day:
    """Return DAY unchanged if its year is supported.

    Raises:
        ValueError: the year is out of range. Time zone arithmetic may overflow for such a year.
    """
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"year {day.year} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return day


def date_from_match(match: re.Match[str]) -> date:
    """Return the date of a :data:`DATE_PATTERN` match.

    Raises:
        ValueError: the month or the day does not exist.
    """
    if match["iso"]:
        return require_supported_year(date.fromisoformat(match["iso"]))
    month = match["month"] or match["month2"]
    day = match["day"] or match["day2"]
    year = match["year"] or match["year2"]
    return require_supported_year(date(int(year), _month(month), int(day)))


def parse_date(text: str, zone: tzinfo) -> date | datetime:
    """Parse a date or a time: ISO 8601, RFC 2822 or a written date such as ``April 1, 2022``.

    A time without an offset is a local time in ZONE.

    Raises:
        ValueError: the text is not a date, or the date does not exist.
    """
    text = text.strip()
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


def localize(moment: date | datetime, zone: tzinfo) -> date | datetime:
    """Return a date unchanged, a datetime in whole seconds, and in ZONE if it is naive.

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


def is_date(text: str) -> bool:
    """Return whether :func:`parse_date` can parse a text."""
    try:
        parse_date(text, UTC)
    except ValueError:
        return False
    return True


def to_instant(moment: date | datetime, zone: tzinfo) -> datetime:
    """Return a datetime unchanged, and midnight in ZONE for a date."""
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=zone)
