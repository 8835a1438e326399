"""The schedules of a site and their next slots. They need no database."""

from __future__ import annotations

from datetime import datetime

from publisher.api.subject import Subject
from publisher.reports.upcoming import (
    ScheduleDescription,
    UpcomingRun,
    describe_schedules,
    digests_without_cadence,
    upcoming_runs,
)

__all__ = ["Schedule"]


class Schedule(Subject):
    """The schedules of a site and their next slots."""

    def descriptions(self, name: str | None = None) -> list[ScheduleDescription]:
        """Return all schedules, or the one of a digest or of ``feeds``, in the order of the settings.

        Raises:
            SettingsError: there is no such schedule.
        """
        return describe_schedules(self._publisher.site, name)

    def digests_without_cadence(self) -> list[str]:
        """Return the names of the digests without a cadence, in the order of the settings."""
        return digests_without_cadence(self._publisher.site)

    def upcoming(self, count: int = 10, name: str | None = None, *, after: datetime | None = None) -> list[UpcomingRun]:
        """Return the next slots, earliest first; one slot of the feeds, unless the name is ``feeds``.

        Args:
            count: at most this number.
            name: a digest, or ``feeds``; None for all schedules.
            after: the time after which they are; the current time by default.

        Raises:
            SettingsError: there is no such schedule.
        """
        return upcoming_runs(self._publisher.site, after or self._publisher.now(), count, name)
