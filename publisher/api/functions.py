"""Functions that need no site."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from publisher import cadence
from publisher.cadence import Timetable, parse_cadence


def next_slot(text: str, after: datetime, *, zone: str = "UTC") -> datetime | None:
    """Return the next time of a cadence; None for none within some years.

    Args:
        text: crontab text, such as ``0 7 * * mon``.
        after: a time with a zone; the result is later.
        zone: the time zone of the cadence.

    Raises:
        ValueError: the text is not a cadence; the message says why.
        zoneinfo.ZoneInfoNotFoundError: there is no such zone.
    """
    tz = ZoneInfo(zone)
    slot = cadence.next_slot(Timetable(cadences=(parse_cadence(text),), zone=tz), after)
    return slot.astimezone(tz) if slot is not None else None
