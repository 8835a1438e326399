"""The process of ``publish run``: jobs, timers, changed settings, signals, shutdown."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from publisher.clock import Clock
from publisher.errors import PublisherError
from publisher.reports.permissions import log_exposed_paths
from publisher.runner.background_job import BackgroundJob
from publisher.runner.file_watcher import FileWatcher
from publisher.runner.jobs import Jobs
from publisher.runner.logs import Log
from publisher.runner.systemd import SystemdNotifier
from publisher.runner.timers import STALL_SECONDS, Timers
from publisher.schedule.claims import LEASE
from publisher.schedule.processes import RunnerFile, process_name
from publisher.settings import Site, read_site
from publisher.settings.read import settings_signature
from publisher.storage.engine import Database

#: Interval at which clock, settings file and jobs are checked.
_CHECK_SECONDS: Final = 1.0
#: Interval at which the runner writes its state.
_STATE_SECONDS: Final = 15.0
#: A larger change of wall clock minus monotonic clock means that the clock was set or the machine slept.
_JUMP_SECONDS: Final = 2.0
#: The publish job runs every minute. Without a run for this long, issues may be late.
_LATE_AFTER: Final = timedelta(minutes=5)
#: The longest shutdown. The next runner continues unfinished work.
_SHUTDOWN_SECONDS: Final = 20.0


class Runner:
    """Runs the background jobs of a site until it is stopped."""

    def __init__(self, site: Site, log: Log, *, clock: Clock | None = None, lease: timedelta = LEASE) -> None:
        """Open the database; nothing runs before ``run``."""
        self._root = site.root
        self._log = log
        self._clock = clock or Clock()
        self._notifier = SystemdNotifier()
        self._is_stopped = threading.Event()
        self._reload_requested = False
        self._started_at = self._clock.now()
        self._read_at = self._started_at
        self._settings_error = ""
        #: Why the watchdog gets no keep-alive; empty if it does.
        self._stuck = ""
        self._signature = settings_signature(site.root)
        self._state_written_at = 0.0
        self._databases = [Database.open(site.database_url)]
        self.jobs = Jobs(site, self._databases[0], self._clock, log, wake=self.wake, wake_at=self._wake_at, lease=lease)
        work = {
            "publish": self.jobs.publish,
            "mail": self.jobs.mail,
            "confirmation-emails": self.jobs.confirmation_emails,
            "announce": self.jobs.announce,
            "hub": self.jobs.hub,
            "bounces": self.jobs.bounces,
            "sweep": self.jobs.sweep,
        }
        # Beside the jobs, timers wake them.
        self._timers = Timers(self._clock, threads=len(work) + 3)
        self.background_jobs = {
            name: BackgroundJob(name, job, log, self._clock, self._timers.once) for name, job in work.items()
        }
        self._watcher = FileWatcher(site.articles_dir, self.jobs.articles_changed, log)

    @property
    def _site(self) -> Site:
        return self.jobs.current[0]

    # -- public ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop after the work in progress. Safe in a signal handler."""
        self._is_stopped.set()

    def wake(self, name: str) -> None:
        """Run a job at once. Safe from any thread."""
        self.background_jobs[name].wake()

    def reload(self) -> None:
        """Read the settings again, changed or not. Safe in a signal handler."""
        self._reload_requested = True

    def run(self) -> bool:
        """Run until ``stop`` is called; return whether all jobs have ended.

        Raises:
            StoreError: the site's folder is not writable.
        """
        with RunnerFile(self._root) as file:
            log_exposed_paths(self._site, self._log)
            self._start()
            self._log.info("ready", runner=process_name(), site=str(self._root), schedules=len(self._site.schedules))
            self._notifier.ready()
            wall, mono = self._clock.now(), self._clock.monotonic()
            try:
                while not self._is_stopped.wait(_CHECK_SECONDS):
                    wall, mono = self._check_clock(wall, mono)
                    self._check_settings()
                    self._report_state(file)
            finally:
                has_ended = self._end()
        return has_ended

    def late_reason(self) -> str:
        """Return why issues may be late; empty if they are not."""
        if stuck := self._stuck_reason():
            return stuck
        job = self.background_jobs["publish"]
        if job.health.failures:
            times = "once" if job.health.failures == 1 else f"{job.health.failures} times in a row"
            return f"publish has failed {times}"
        if not job.health.runs or (idle := job.time_since_progress) is None:
            return "articles/ was not read yet"
        return f"publish has not run for {idle.total_seconds() / 60:.0f} minutes" if idle > _LATE_AFTER else ""

    # -- the loop ----------------------------------------------------------------------------------

    def _start(self) -> None:
        self._set_timers()
        self._timers.start()
        self._watcher.start()
        # Articles and slots from the time without a runner.
        self._wake_all()

    def _wake_all(self) -> None:
        self.jobs.articles_changed()
        for name in self.background_jobs:
            self.wake(name)

    def _check_clock(self, wall: datetime, mono: float) -> tuple[datetime, float]:
        """Detect a changed clock or a suspended machine, and run every job with the new time."""
        now, now_mono = self._clock.now(), self._clock.monotonic()
        jump = (now - wall) - timedelta(seconds=now_mono - mono)
        if abs(self._clock.seconds(jump)) > _JUMP_SECONDS:
            self._log.warning("clock jumped", seconds=round(jump.total_seconds(), 1))
            self._timers.reset()
            self._wake_all()
        return now, now_mono

    def _check_settings(self) -> None:
        signature = settings_signature(self._root)
        if signature == self._signature and not self._reload_requested:
            return
        self._signature, self._reload_requested, self._state_written_at = signature, False, 0.0
        self._notifier.reloading()
        try:
            site = read_site(self._root)
            if site.database_url != self._site.database_url:
                self._databases.append(Database.open(site.database_url))
        except PublisherError as error:
            self._settings_error = str(error)
            self._log.error("settings rejected", reason=str(error), in_use="the previous settings")
        else:
            self._settings_error, self._read_at = "", self._clock.now()
            self._apply_settings(site)
        self._notifier.ready()

    def _apply_settings(self, site: Site) -> None:
        self.jobs.current = (site, self._databases[-1])
        if site.articles_dir != self._watcher.folder:
            self._watcher.stop()
            self._watcher = FileWatcher(site.articles_dir, self.jobs.articles_changed, self._log)
            self._watcher.start()
        self._set_timers()
        self._log.info("settings read", schedules=len(site.schedules))
        self.jobs.articles_changed()
        self.wake("mail")

    def _report_state(self, file: RunnerFile) -> None:
        """Report the state to the service manager and ``publish status``."""
        stuck = self._stuck_reason()
        if stuck and stuck != self._stuck:
            self._log.error("stuck", reason=stuck)
        self._stuck = stuck
        if self._notifier.watchdog is not None and not stuck:
            self._notifier.keep_alive()
        now = time.monotonic()
        if now - self._state_written_at >= _STATE_SECONDS:
            self._state_written_at = now
            state = self.status()
            file.write(state)
            failing = [job["name"] for job in state["jobs"] if job["failures"]]
            self._notifier.status(stuck or (f"failing: {', '.join(failing)}" if failing else "all jobs are healthy"))

    def _stuck_reason(self) -> str:
        """Return why timers or a job make no progress; empty if all do."""
        if self._timers.is_stalled:
            return f"no timer has fired for {STALL_SECONDS:.0f} seconds"
        return next((reason for job in self.background_jobs.values() if (reason := job.stuck_reason())), "")

    def _end(self) -> bool:
        self._log.info("stopping")
        self._notifier.stopping()
        deadline = time.monotonic() + _SHUTDOWN_SECONDS
        self._timers.stop()
        self.jobs.stop()
        # The next runner parses the file that is being parsed.
        self.jobs.close()
        for job in self.background_jobs.values():
            job.stop()
        self._watcher.stop()
        unfinished = [name for name, job in self.background_jobs.items() if not job.join(deadline - time.monotonic())]
        if unfinished:
            self._log.warning("jobs unfinished", jobs=", ".join(unfinished))
        else:
            for db in self._databases:
                db.close()
        self._log.info("stopped")
        return not unfinished

    # -- timers ------------------------------------------------------------------------------------

    def _wake_action(self, name: str) -> Callable[[], None]:
        return self.jobs.articles_changed if name == "articles" else lambda: self.wake(name)

    def _wake_at(self, reason: str, name: str, moment: datetime) -> None:
        self._timers.once(f"at:{reason}", self._clock.seconds(moment - self._clock.now()), self._wake_action(name))

    def _set_timers(self) -> None:
        """Set the timers of the current settings, and cancel all others."""
        site = self._site
        slots = {f"slot:{schedule.name}": schedule.timetable for schedule in site.schedules}
        # Other processes approve issues, subscribe people, or die, so each job also checks for work regularly.
        intervals = {
            "every:publish": ("publish", timedelta(minutes=1)),
            "every:mail": ("mail", timedelta(seconds=30)),
            "every:confirmation-emails": ("confirmation-emails", timedelta(seconds=10)),
            "every:hub": ("hub", timedelta(seconds=10)),
            "every:bounces": ("bounces", timedelta(minutes=site.bounces.every_minutes)),
            "every:sweep": ("sweep", timedelta(days=1)),
        }
        self._timers.keep(slots.keys() | intervals.keys())
        for timer, timetable in slots.items():
            self._timers.at_slots(timer, timetable, self._wake_action("publish"))
        for timer, (name, interval) in intervals.items():
            self._timers.every(timer, max(1.0, self._clock.seconds(interval)), self._wake_action(name))

    # -- state -------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the state of the runner as JSON values; times are ISO 8601 in UTC."""
        now = self._clock.now()
        return {
            "runner": process_name(),
            "pid": os.getpid(),
            "started_at": _iso(self._started_at),
            "written_at": _iso(now),
            "settings_read_at": _iso(self._read_at),
            "settings_error": self._settings_error,
            "jobs": [
                {
                    "name": job.name,
                    "runs": job.health.runs,
                    "began_at": _iso(job.health.began_at),
                    "ended_at": _iso(job.health.ended_at),
                    "failures": job.health.failures,
                    "last_error": job.health.last_error,
                    "retry_at": _iso(job.retry_at),
                }
                for job in self.background_jobs.values()
            ],
        }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment is not None else None
