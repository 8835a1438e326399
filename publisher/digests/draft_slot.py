"""The slot, the name and the number of a digest's next issue. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from publisher.cadence import Timetable, next_slot

_MINUTE = timedelta(minutes=1)


def issue_name(slot: datetime, zone: ZoneInfo, *, taken: Collection[str] = ()) -> str:
    """Return the name of an issue: its slot in the site's zone, ``2026-11-23T0700``.

    In the repeated hour of autumn the second slot has its UTC offset, so that names are unique. So has a slot whose name
    an issue has from before a change of the site's zone.
    """
    local = slot.astimezone(zone)
    name = f"{local:%Y-%m-%dT%H%M}"
    return f"{local:%Y-%m-%dT%H%M%z}" if local.fold or name in taken else name


def slot_of_draft(
    timetable: Timetable | None,
    now: datetime,
    *,
    taken: Collection[datetime],
    waiting: datetime | None,
) -> datetime | None:
    """Return the slot that a draft would get if it were approved now; None without a further slot.

    Args:
        timetable: the timetable of the digest; None for a digest without a cadence.
        taken: slots that have an issue of the digest.
        waiting: the newest slot that has passed without an issue, while the draft waits for it.
    """
    if waiting is not None and waiting not in taken:
        return waiting
    slot = next_slot(timetable, now) if timetable is not None else None
    while timetable is not None and slot is not None and slot in taken:
        slot = next_slot(timetable, slot)
    return slot


def free_minute(moment: datetime, taken: Collection[datetime], *, after: datetime | None = None) -> datetime:
    """Return the minute of MOMENT, or the first minute after it, and after AFTER, that no issue has."""
    slot = moment.astimezone(UTC).replace(second=0, microsecond=0)
    if after is not None and after >= slot:
        slot = after.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    while slot in taken:
        slot += _MINUTE
    return slot


def issue_number(*, before: int, after: int | None, highest: int) -> int:
    """Return the number of the next issue.

    A number that a reopened issue gave back is used again while issues are in order with it: a subscriber sees numbers
    that increase, and no number twice.

    Args:
        before: the highest number of the issues that subscribers have, or get first; 0 for none.
        after: the lowest number of the approved issues that they get later; None for none.
        highest: the highest number of all issues; 0 for none.
    """
    return before + 1 if after is None or before + 1 < after else highest + 1
