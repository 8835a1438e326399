"""Local-time delivery: compute when a delivery is due in the time zone of a subscriber."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from publisher.cadence.slots import to_local


def parse_local_time(text: str) -> time:
    """Parse a local delivery time such as ``07:00 local``.

    Raises:
        ValueError: the text has another format.
    """
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s+local\s*", text)
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError('must be a local time of the subscriber, as in "07:00 local"')
    return time(int(match[1]), int(match[2]))


def find_zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its name; None if the tz database of this machine does not have it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def next_local_time(slot: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the first instant at or after SLOT at which the local time in ZONE is AT, in UTC.

    A time that a clock change skips means the first instant after the gap; of a time that occurs twice, the
    first one counts. So the delivery is due within a day of the slot, or 25 hours if clocks are set back.
    """
    day = slot.astimezone(zone).date() - timedelta(days=1)
    while (due := to_local(datetime.combine(day, at), zone)) < slot:
        day += timedelta(days=1)
    return due.astimezone(UTC)
