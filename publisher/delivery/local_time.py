"""Readers' mornings: when each copy of an issue is due, and what becomes of that when a reader moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from publisher.cadence import next_local_time
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.settings import Site

__all__ = ["LocalDeliveryTimes", "reschedule_on_zone_change"]

#: Every morning after a slot has come within so long.
_LOCAL_TIME_WINDOW: Final = timedelta(days=2)


class LocalDeliveryTimes:
    """When copies of an issue are due, by the zones of their readers."""

    def __init__(self, slot: datetime, at: time | None, newsroom: ZoneInfo) -> None:
        """Begin.

        Args:
            slot: the issue's.
            at: when copies are due on their readers' clocks; None for at once.
            newsroom: the clock of readers who have said nothing.
        """
        self._slot = slot
        self._at = at
        self._newsroom = newsroom
        self._known: dict[str | None, int] = {}
        #: Zone that nobody knows → how many readers have it.
        self.unknown_zones: dict[str, int] = {}

    def __call__(self, zone: str | None) -> int:
        """Return when the copy of a reader there is due, seconds since 1970; 0 for at once."""
        if self._at is None:
            return 0
        if zone not in self._known:
            self._known[zone] = int(next_local_time(self._slot, self._at, self._zone(zone)).timestamp())
        if zone in self.unknown_zones:
            self.unknown_zones[zone] += 1
        return self._known[zone]

    def _zone(self, name: str | None) -> ZoneInfo:
        if name is None:
            return self._newsroom
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            # It was one when she was let in: the tz database has dropped it since, or is older here.
            self.unknown_zones[name] = 0
            return self._newsroom


def reschedule_on_zone_change(connection: Connection, site: Site, now: datetime) -> Callable[[int, str], None]:
    """Return what is to be told of each reader who has another zone from now on.

    What waits for her morning waits for the new one; what would have come by now comes at once.
    """
    since = now - _LOCAL_TIME_WINDOW
    waiting = [
        (row, at)
        for row in issues.list_issues(connection, since=since)
        if row.digest in site.digests and (at := site.digests[row.digest].deliver_at) is not None
    ]

    def move(reader: int, zone: str) -> None:
        for row, at in waiting:
            due = max(next_local_time(row.slot, at, ZoneInfo(zone)), now.astimezone(UTC))
            deliveries.reschedule_delivery(connection, row.id, reader, int(due.timestamp()), int(now.timestamp()))

    return move
