"""A background job: runs one function in its own thread, never concurrently with itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from publisher.backoff import Backoff
from publisher.clock import Clock
from publisher.runner.logs import Log

__all__ = ["RETRIES", "BackgroundJob", "JobHealth", "JobStopped", "report_progress"]

#: Pauses after failures in a row.
RETRIES: Final = Backoff(5, 600)
#: A run without progress counts as stuck after this. SMTP waits for ten minutes at most
#: (RFC 5321 §4.5.3.2.6), and a run waits for another run for ten minutes at most.
_STUCK_AFTER: Final = timedelta(minutes=30)
#: A job that is due and does not start counts as stuck after this.
_LATE_AFTER: Final = timedelta(minutes=2)
#: The job of the current thread.
_current = threading.local()


class JobStopped(BaseException):
    """Ends a job during shutdown. A ``BaseException``, so that error handlers let it pass."""


def report_progress() -> None:
    """Record progress of the current thread's job; does nothing in other threads."""
    job: BackgroundJob | None = getattr(_current, "job", None)
    if job is not None:
        job.record_progress()


@dataclass(slots=True)
class JobHealth:
    """The state of a job for people; times are of the wall clock."""

    runs: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None
    #: Consecutive failures.
    failures: int = 0
    #: The message of the last failure; empty after a success.
    last_error: str = ""


class BackgroundJob:
    """Runs its function once for any number of wake-ups, and retries it after a failure.

    Waiting uses the monotonic clock, so that a changed wall clock delays nothing.
    """

    def __init__(self, name: str, work: Callable[[], None], log: Log, clock: Clock) -> None:
        self.name = name
        self.health = JobHealth()
        self._work = work
        self._log = log
        self._clock = clock
        self._wakeup = threading.Condition()
        self._is_woken = False
        self._is_stopped = False
        self._is_running = False
        #: Monotonic: the earliest start after a failure; None without a failure.
        self._retry_at: float | None = None
        self._retry_time: datetime | None = None
        #: Monotonic: the last start, end or progress of a run; None before the first.
        self._progress_at: float | None = None
        #: Monotonic: when the job became due.
        self._due_since = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Run the function now, or after the current run."""
        with self._wakeup:
            if not self._is_woken:
                self._is_woken = True
                self._due_since = self._clock.monotonic()
            self._wakeup.notify()

    def stop(self) -> None:
        """Start no further run."""
        with self._wakeup:
            self._is_stopped = True
            self._wakeup.notify()

    def join(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for the end of the current run; return whether it has ended."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    @property
    def retry_at(self) -> datetime | None:
        """The wall-clock time of the next attempt after a failure; None without a failure."""
        return self._retry_time

    @property
    def time_since_progress(self) -> timedelta | None:
        """The time since the last start, end or progress of a run; None before the first run."""
        if self._progress_at is None:
            return None
        return timedelta(seconds=self._clock.monotonic() - self._progress_at)

    def record_progress(self) -> None:
        """Record that the current run makes progress."""
        self._progress_at = self._clock.monotonic()

    def stuck_reason(self) -> str:
        """Return why the job makes no progress; empty if it does or has nothing to do."""
        now = self._clock.monotonic()
        with self._wakeup:
            if self._is_stopped or self._thread.ident is None:
                return ""
            if not self._thread.is_alive():
                return f"the thread of {self.name} has ended"
            if self._is_running:
                waited = timedelta(seconds=now - (self._progress_at if self._progress_at is not None else now))
                if waited > _STUCK_AFTER:
                    return f"{self.name} has made no progress for {waited.total_seconds() / 60:.0f} minutes"
                return ""
            if self._is_woken:
                waited = timedelta(seconds=now - max(self._due_since, self._retry_at or self._due_since))
                if waited > _LATE_AFTER:
                    return f"{self.name} is due for {waited.total_seconds() / 60:.0f} minutes and does not start"
        return ""

    def _run(self) -> None:
        _current.job = self
        while self._wait():
            self.health.began_at = self._clock.now()
            self.record_progress()
            try:
                self._work()
            except JobStopped:
                return
            except Exception as error:
                self._record_failure(error)
            else:
                self.health.failures, self.health.last_error = 0, ""
                self._retry_at = self._retry_time = None
            self.health.runs += 1
            self.health.ended_at = self._clock.now()
            self.record_progress()
            self._is_running = False

    def _record_failure(self, error: Exception) -> None:
        self.health.failures += 1
        self.health.last_error = " ".join(str(error).split()) or type(error).__name__
        pause = RETRIES.pause(self.health.failures)
        self._retry_at = self._clock.monotonic() + pause
        self._retry_time = self._clock.now() + timedelta(seconds=pause)
        self._log.error(
            "job failed",
            job=self.name,
            failures=self.health.failures,
            retry_in=pause,
            reason=f"{type(error).__name__}: {self.health.last_error}",
        )

    def _wait(self) -> bool:
        """Wait for work; return False when the job is stopped."""
        with self._wakeup:
            while not self._is_stopped:
                rest = 0.0
                if self._retry_at is not None:
                    rest = self._clock.seconds(timedelta(seconds=self._retry_at - self._clock.monotonic()))
                    if rest <= 0:
                        # A job that has failed is retried without a wake-up.
                        self._is_woken = True
                if self._is_woken and rest <= 0:
                    self._is_woken, self._is_running = False, True
                    self._due_since = self._clock.monotonic()
                    return True
                self._wakeup.wait(rest if rest > 0 else None)
            return False
