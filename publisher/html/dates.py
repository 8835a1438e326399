"""Format dates for display. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

_DAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def long_date(moment: datetime, language: str) -> str:
    """Return ``Monday, 23 November 2026``, or the ISO date if the language is not English."""
    if not language.lower().startswith("en"):
        return f"{moment:%Y-%m-%d}"
    return f"{_DAYS[moment.weekday()]}, {moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def short_date(moment: datetime, language: str) -> str:
    """Return ``20 November 2026``, or the ISO date if the language is not English."""
    return long_date(moment, language).rpartition(", ")[2]


def minute_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return ``Mon 2026-11-23 07:00``, for operators."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"
