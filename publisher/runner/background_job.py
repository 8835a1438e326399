"""A background job: runs one function when it is woken, never concurrently with itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from publisher.backoff import Backoff
from publisher.clock import Clock
from publisher.runner.logs import Log

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


@dataclass(eq=False)
class BackgroundJob:
    """Runs its function once for any number of wake-ups, and retries it after a failure.

    Waiting uses the monotonic clock, so that a changed wall clock delays nothing.
    """

    name: str
    work: Callable[[], None]
    log: Log
    clock: Clock
    #: `Timers.once`.
    run_in: Callable[[str, float, Callable[[], None]], None]
    health: JobHealth = field(default_factory=JobHealth, init=False)

    def __post_init__(self) -> None:
        self._change = threading.Condition()
        self._is_due = False
        self._is_stopped = False
        self._is_running = False
        #: Monotonic: the earliest start after a failure; None without a failure.
        self._retry_at: float | None = None
        #: Monotonic: the last start, end or progress of a run; None before the first.
        self._progress_at: float | None = None
        #: Monotonic: when the job became due.
        self._due_since = 0.0

    def wake(self) -> None:
        """Run the function now, or after the current run."""
        with self._change:
            if not self._is_due:
                self._is_due, self._due_since = True, self.clock.monotonic()
            is_running = self._is_running
        if not is_running:
            self._call()

    def stop(self) -> None:
        """Start no further run."""
        with self._change:
            self._is_stopped = True

    def join(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for the end of the current run; return whether it has ended."""
        with self._change:
            return self._change.wait_for(lambda: not self._is_running, max(0.0, seconds))

    @property
    def retry_at(self) -> datetime | None:
        """The wall-clock time of the next attempt after a failure; None without a failure."""
        if self._retry_at is None:
            return None
        return self.clock.now() + timedelta(seconds=self._retry_at - self.clock.monotonic())

    @property
    def time_since_progress(self) -> timedelta | None:
        """The time since the last start, end or progress of a run; None before the first run."""
        if self._progress_at is None:
            return None
        return timedelta(seconds=self.clock.monotonic() - self._progress_at)

    def record_progress(self) -> None:
        """Record that the current run makes progress."""
        self._progress_at = self.clock.monotonic()

    def stuck_reason(self) -> str:
        """Return why the job makes no progress; empty if it does or has nothing to do."""
        now = self.clock.monotonic()
        with self._change:
            if self._is_stopped:
                return ""
            if self._is_running:
                waited = timedelta(seconds=now - (self._progress_at if self._progress_at is not None else now))
                if waited > _STUCK_AFTER:
                    return f"{self.name} has made no progress for {waited.total_seconds() / 60:.0f} minutes"
            elif self._is_due:
                waited = timedelta(seconds=now - max(self._due_since, self._retry_at or self._due_since))
                if waited > _LATE_AFTER:
                    return f"{self.name} is due for {waited.total_seconds() / 60:.0f} minutes and does not start"
        return ""

    def _pause(self) -> float:
        """Return the seconds of real time until the job may run."""
        if self._retry_at is None:
            return 0.0
        return self.clock.seconds(timedelta(seconds=self._retry_at - self.clock.monotonic()))

    def _call(self) -> None:
        self.run_in(f"job:{self.name}", self._pause(), self._run)

    def _run(self) -> None:
        if self._begin():
            _current.job = self
            try:
                self.work()
            except JobStopped:
                pass
            except Exception as error:
                self._record_failure(error)
            else:
                self.health.failures, self.health.last_error = 0, ""
                self._retry_at = None
            finally:
                _current.job = None
                self._end()
        if self._is_due and not self._is_running and not self._is_stopped:
            self._call()

    def _begin(self) -> bool:
        """Begin a run; return False if there is one already, or none may begin now."""
        with self._change:
            if self._is_running or self._is_stopped or self._pause() > 0:
                return False
            self._is_running, self._is_due = True, False
        self.health.began_at = self.clock.now()
        self.record_progress()
        return True

    def _end(self) -> None:
        self.health.runs += 1
        self.health.ended_at = self.clock.now()
        self.record_progress()
        with self._change:
            if self.health.failures and not self._is_due:
                # A job that has failed is retried without being woken.
                self._is_due, self._due_since = True, self.clock.monotonic()
            self._is_running = False
            self._change.notify_all()

    def _record_failure(self, error: Exception) -> None:
        self.health.failures += 1
        self.health.last_error = " ".join(str(error).split()) or type(error).__name__
        pause = RETRIES.pause(self.health.failures)
        self._retry_at = self.clock.monotonic() + pause
        self.log.error(
            "job failed",
            job=self.name,
            failures=self.health.failures,
            retry_in=pause,
            reason=f"{type(error).__name__}: {self.health.last_error}",
        )
