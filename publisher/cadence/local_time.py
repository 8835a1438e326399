"""A reader's own morning: when a copy is due that is to come at a time on her clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from publisher.cadence.slots import to_local

__all__ = ["next_local_time", "parse_local_time"]


def parse_local_time(text: str) -> time:
    """Return the time of ``07:00 local``.

    Raises:
        ValueError: it is not written so.
    """
    found = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s+local\s*", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError('must be a time on the reader\'s clock, as in "07:00 local"')
    return time(int(found[1]), int(found[2]))


def next_local_time(slot: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the first instant from ``slot`` on at which clocks in ``zone`` come to ``at``, in UTC.

    A time that a clock change skips is at the first instant after the gap; of one that occurs twice only
    the first counts. So everybody has her copy within a day of the slot, or 25 hours where clocks go back.
    """
    day = slot.astimezone(zone).date() - timedelta(days=1)
    while (due := to_local(datetime.combine(day, at), zone)) < slot:
        day += timedelta(days=1)
    return due.astimezone(UTC)
