"""Timers that wake background jobs, on top of APScheduler."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from publisher.cadence import Timetable, next_slot
from publisher.clock import Clock

__all__ = ["STALL_SECONDS", "Timers"]

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

    def __init__(self, clock: Clock) -> None:
        """Create the timers; none fires before ``start``.

        Args:
            clock: the time for slots; waiting itself uses real time.
        """
        self._clock = clock
        # Actions only wake threads, so they run in the scheduler's own thread.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        #: Guards the two dictionaries. Never held during a call of the scheduler, which has a lock of its own.
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        #: Name → number of the valid job; a job with another number does nothing.
        self._valid: dict[str, int] = {}
        #: Name → delay and action of a repeated timer.
        self._repeated: dict[str, tuple[_Delay, Callable[[], None]]] = {}
        #: Monotonic: the last heartbeat; None before ``start``.
        self._beat: float | None = None

    def start(self) -> None:
        """Start the scheduler's thread."""
        self._record_heartbeat()
        self.every("heartbeat", _HEARTBEAT_SECONDS, self._record_heartbeat)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop the scheduler. No timer fires afterwards."""
        # APScheduler 3 raises JobLookupError if it is shut down while it fires a job. Listing the jobs takes its lock
        # and so waits for that.
        self._scheduler.pause()
        self._scheduler.get_jobs()
        self._scheduler.shutdown(wait=False)

    def once(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` in ``seconds`` of real time; replaces a timer of the same name."""
        with self._lock:
            self._repeated.pop(name, None)
        self._set(name, seconds, action)

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
        with self._lock:
            for name in self._repeated.keys() - names - {"heartbeat"}:
                del self._repeated[name]
                self._valid.pop(name, None)

    def reset(self) -> None:
        """Set every repeated timer again after the clock was set, and drop all others.

        The caller has to set dropped timers again.
        """
        with self._lock:
            for name in self._valid.keys() - self._repeated.keys():
                del self._valid[name]
            names = list(self._repeated)
        for name in names:
            self._rearm(name)
        self._scheduler.wakeup()

    @property
    def is_stalled(self) -> bool:
        """True if the scheduler's thread has fired nothing for ``STALL_SECONDS``."""
        if self._beat is None:
            return False
        return self._clock.seconds(timedelta(seconds=self._clock.monotonic() - self._beat)) > STALL_SECONDS

    def _record_heartbeat(self) -> None:
        self._beat = self._clock.monotonic()

    def _repeat(self, name: str, delay: _Delay, action: Callable[[], None]) -> None:
        with self._lock:
            self._repeated[name] = (delay, action)
        self._rearm(name)

    def _rearm(self, name: str) -> None:
        repeated = self._repeated.get(name)
        seconds = repeated[0]() if repeated is not None else None
        if repeated is not None and seconds is not None:
            self._set(name, seconds, repeated[1])

    def _set(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        with self._lock:
            number, before = next(self._numbers), self._valid.get(name)
            self._valid[name] = number

        def fire() -> None:
            with self._lock:
                if self._valid.get(name) != number:
                    return
                del self._valid[name]
            try:
                action()
            finally:
                self._rearm(name)

        when = datetime.now(UTC) + timedelta(seconds=min(max(seconds, 0.0), _LONGEST_SECONDS))
        self._scheduler.add_job(fire, DateTrigger(when), id=f"{name}#{number}")
        if before is not None:
            # The scheduler itself removes a job that it is firing.
            with contextlib.suppress(JobLookupError):
                self._scheduler.remove_job(f"{name}#{before}")
