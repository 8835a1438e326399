"""Named timers that run functions in the threads of APScheduler."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from publisher.cadence import Timetable, next_slot
from publisher.clock import Clock

#: The scheduler's own heartbeat, and the age from which it counts as stalled. Seconds of real time.
_HEARTBEAT_SECONDS: Final = 10.0
STALL_SECONDS: Final = 60.0
#: A longer wait is split, because APScheduler waits by the wall clock, which may be set meanwhile.
_LONGEST_SECONDS: Final = 86_400.0

#: Returns the seconds until a timer fires; None for never.
_Delay = Callable[[], float | None]


class Timers:
    """Named timers. Each is an APScheduler job with one date, set again after it has fired.

    Interval jobs are not used: APScheduler 3 lists every missed tick while it holds its lock, so a
    clock that jumps from 2000 to 2026 costs minutes and gigabytes. A date is missed once.
    """

    def __init__(self, clock: Clock, threads: int) -> None:
        """Create the timers; none fires before ``start``.

        Args:
            clock: the time for slots; waiting itself uses real time.
            threads: the number of actions that may run at a time.
        """
        self._clock = clock
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(threads)},
            # A lower limit could lose a timer that is set again before the thread of its action has ended.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1_000},
        )
        #: Name → delay and action of a repeated timer.
        self._repeated: dict[str, tuple[_Delay, Callable[[], None]]] = {}
        #: Monotonic: the last heartbeat; None before ``start``.
        self._beat: float | None = None

    def start(self) -> None:
        """Start the scheduler's threads."""
        self._record_heartbeat()
        self.every("heartbeat", _HEARTBEAT_SECONDS, self._record_heartbeat)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop the scheduler. No timer fires afterwards; actions that have begun go on."""
        # APScheduler 3 raises JobLookupError if it is shut down while it fires a job. Listing the jobs takes its lock
        # and so waits for that.
        self._scheduler.pause()
        self._scheduler.get_jobs()
        self._scheduler.shutdown(wait=False)

    def once(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` in ``seconds`` of real time; replaces a timer of the same name."""
        when = datetime.now(UTC) + timedelta(seconds=min(max(seconds, 0.0), _LONGEST_SECONDS))
        self._scheduler.add_job(action, DateTrigger(when), id=name, replace_existing=True)

    def every(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` every ``seconds`` of real time, from the end of the previous call."""
        self._repeat(name, lambda: seconds, action)

    def at_slots(self, name: str, timetable: Timetable, action: Callable[[], None]) -> None:
        """Call ``action`` at each slot of a timetable, and at least once a day."""

        def delay() -> float | None:
            now = self._clock.now()
            slot = next_slot(timetable, now)
            return None if slot is None else self._clock.seconds(slot - now)

        self._repeat(name, delay, action)

    def keep(self, names: set[str]) -> None:
        """Cancel the repeated timers whose name is not in ``names``; the heartbeat stays."""
        for name in self._repeated.keys() - names - {"heartbeat"}:
            del self._repeated[name]

    def reset(self) -> None:
        """Set every repeated timer again after the clock was set, and drop all others.

        The caller has to set dropped timers again.
        """
        self._scheduler.remove_all_jobs()
        for name in list(self._repeated):
            self._set(name)

    @property
    def is_stalled(self) -> bool:
        """True if the scheduler's threads have fired nothing for ``STALL_SECONDS``."""
        if self._beat is None:
            return False
        return self._clock.seconds(timedelta(seconds=self._clock.monotonic() - self._beat)) > STALL_SECONDS

    def _record_heartbeat(self) -> None:
        self._beat = self._clock.monotonic()

    def _repeat(self, name: str, delay: _Delay, action: Callable[[], None]) -> None:
        self._repeated[name] = (delay, action)
        self._set(name)

    def _set(self, name: str) -> None:
        repeated = self._repeated.get(name)
        seconds = repeated[0]() if repeated is not None else None
        if seconds is not None:
            self.once(name, seconds, partial(self._fire, name))

    def _fire(self, name: str) -> None:
        repeated = self._repeated.get(name)
        if repeated is not None:
            try:
                repeated[1]()
            finally:
                self._set(name)
