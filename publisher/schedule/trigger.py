"""Slots of a timetable, as APScheduler asks for them."""

from __future__ import annotations

from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from publisher.cadence import Timetable, next_slot
from publisher.clock import Clock

__all__ = ["SlotTrigger"]


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """Fires at each slot, in place of ``CronTrigger`` (see ``publisher.cadence.crontab``)."""

    def __init__(self, timetable: Timetable, clock: Clock) -> None:
        self._timetable = timetable
        self._clock = clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return when the next slot is, by the clock that the scheduler goes by."""
        moment = self._clock.now()
        slot = next_slot(self._timetable, moment)
        return None if slot is None else now + timedelta(seconds=self._clock.seconds(slot - moment))
