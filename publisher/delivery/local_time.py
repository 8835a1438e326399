"""Local-time delivery: due times in the subscribers' time zones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from publisher.cadence import find_zone, next_local_time
from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.digests import store as issues

#: Within this time after a slot or an opening, its local time has come in every zone.
_LOCAL_TIME_WINDOW: Final = timedelta(days=2)


def local_time_base(slot: datetime, opened_at: datetime, *, late_hours: int) -> datetime:
    """Return the time from which the local delivery times of an issue count. Pure.

    That is its slot. It is the opening of its send if that is before the slot, or more than ``late_hours`` after it.
    """
    return slot if slot <= opened_at <= slot + timedelta(hours=late_hours) else opened_at


@dataclass(slots=True)
class LocalDeliveryTimes:
    """Due times of an issue's deliveries, by time zone."""

    #: The time from which they count; see ``local_time_base``.
    base: datetime
    #: Local time at which deliveries are due; None for at once.
    at: time | None
    #: Time zone of subscribers without one.
    site_zone: ZoneInfo
    #: Names of unknown time zones.
    unknown_zones: set[str] = field(default_factory=set, init=False)
    _known: dict[str | None, int] = field(default_factory=dict, init=False)

    def __call__(self, zone: str | None) -> int:
        """Return when deliveries in a time zone are due, in seconds since 1970; 0 for at once."""
        if self.at is None:
            return 0
        if zone not in self._known:
            self._known[zone] = int(next_local_time(self.base, self.at, self._zone(zone)).timestamp())
        return self._known[zone]

    def _zone(self, name: str | None) -> ZoneInfo:
        zone = find_zone(name) if name is not None else None
        if name is not None and zone is None:
            # It was valid when the subscriber was added.
            self.unknown_zones.add(name)
        return zone or self.site_zone


def reschedule_on_zone_change(context: Context, connection: Connection) -> Callable[[int, str], None]:
    """Return a function that reschedules a subscriber's open deliveries for a new time zone.

    Call it with the subscriber's number and the zone. A delivery whose new local time has passed is due at once.
    """
    site, now = context.site, context.now
    recent: list[tuple[int, datetime, time]] = []
    for row in issues.list_issues(connection, since=now - _LOCAL_TIME_WINDOW):
        settings = site.digests.get(row.digest)
        if settings is not None and settings.deliver_at is not None and row.opened_at is not None:
            opened_at = datetime.fromtimestamp(row.opened_at, UTC)
            base = local_time_base(row.slot, opened_at, late_hours=settings.late_hours)
            recent.append((row.id, base, settings.deliver_at))

    def reschedule(subscriber_id: int, zone: str) -> None:
        for issue_id, base, at in recent:
            due = max(next_local_time(base, at, ZoneInfo(zone)), now.astimezone(UTC))
            deliveries.reschedule_delivery(
                connection, issue_id, subscriber_id, int(due.timestamp()), int(now.timestamp())
            )

    return reschedule
