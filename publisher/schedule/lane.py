"""A job of the runner: a thread that does one thing, when it is woken, and never twice at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.clock import Clock
from publisher.schedule.logs import Log

__all__ = ["Health", "Lane", "Stopped", "back_off"]

#: Before the first retry, and before any later one at most.
_SHORTEST, _LONGEST = timedelta(seconds=5), timedelta(minutes=10)


class Stopped(BaseException):
    """The runner is about to end: work is laid down where it is. Nothing that catches errors catches this."""


def back_off(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: 5, 10, 20 … seconds, ten minutes at most."""
    return min(_SHORTEST * (1 << min(failures - 1, 10)), _LONGEST)


@dataclass(slots=True)
class Health:
    """How a job is."""

    runs: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None
    #: In a row.
    failures: int = 0
    #: What the last failure said; empty after a success.
    said: str = ""


class Lane:
    """Does its work once for however often it was woken meanwhile, and again after a while where it failed."""

    def __init__(self, name: str, work: Callable[[], None], log: Log, clock: Clock) -> None:
        self.name = name
        self.health = Health()
        self._work = work
        self._log = log
        self._clock = clock
        self._news = threading.Condition()
        self._is_woken = False
        self._is_stopped = False
        #: Not before this, after a failure; None for at once.
        self._rests_until: datetime | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def wake(self) -> None:
        """Do the work, now or as soon as what is under way is done."""
        with self._news:
            self._is_woken = True
            self._news.notify()

    def stop(self) -> None:
        """Begin nothing more."""
        with self._news:
            self._is_stopped = True
            self._news.notify()

    def join(self, seconds: float) -> bool:
        """Wait for the end of what is under way; return whether it came."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    @property
    def rests_until(self) -> datetime | None:
        """When the next attempt is, after a failure."""
        return self._rests_until

    def _run(self) -> None:
        while self._wait():
            self.health.began_at = self._clock.now()
            try:
                self._work()
            except Stopped:
                return
            except Exception as error:
                self._failed(error)
            else:
                self.health.failures, self.health.said, self._rests_until = 0, "", None
            self.health.runs += 1
            self.health.ended_at = self._clock.now()

    def _failed(self, error: Exception) -> None:
        self.health.failures += 1
        self.health.said = " ".join(str(error).split()) or type(error).__name__
        pause = back_off(self.health.failures)
        self._rests_until = self._clock.now() + pause
        self._log.error(
            "job failed",
            job=self.name,
            failures=self.health.failures,
            again_in=int(pause.total_seconds()),
            reason=f"{type(error).__name__}: {self.health.said}",
        )

    def _wait(self) -> bool:
        """Wait for work; return False where there is to be none."""
        with self._news:
            while not self._is_stopped:
                rest = 0.0
                if self._rests_until is not None:
                    rest = self._clock.seconds(self._rests_until - self._clock.now())
                    if rest <= 0:
                        # Nobody has to wake what failed.
                        self._is_woken = True
                if self._is_woken and rest <= 0:
                    self._is_woken = False
                    return True
                # No longer than this: the clock may be put back meanwhile.
                self._news.wait(min(rest, 60) if rest > 0 else None)
            return False
