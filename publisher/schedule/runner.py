"""The life of ``publish run``: jobs by the clock, settings that change, signals, an end without loss."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from publisher.actions.planning import LEASE
from publisher.actions.runners import RunnerFile
from publisher.actions.turn import runner_name
from publisher.clock import Clock
from publisher.config import SETTINGS_FILE, Site, read_site
from publisher.errors import PublisherError
from publisher.schedule.jobs import Jobs
from publisher.schedule.lane import Lane
from publisher.schedule.logs import Log
from publisher.schedule.notify import Notifier
from publisher.schedule.trigger import SlotTrigger
from publisher.schedule.watcher import Watcher
from publisher.store.database import Database

__all__ = ["Runner"]

#: Seconds between two looks at the clock, the settings' file and the lanes.
_LOOK: Final = 1.0
#: Seconds after which the runner says how it is, also where nothing is new.
_TELL: Final = 15.0
#: So many seconds off, and the clock was set, or the machine was asleep.
_JUMP: Final = 2.0
#: Issues that are due by now may be late.
_LATE: Final = timedelta(minutes=5)
#: Seconds that an end takes at most; what is not done by then is taken up by the next runner.
_PATIENCE: Final = 20.0


class Runner:
    """Everything that happens by itself."""

    def __init__(
        self,
        site: Site,
        log: Log,
        *,
        clock: Clock | None = None,
        lease: timedelta = LEASE,
        notifier: Notifier | None = None,
    ) -> None:
        """Begin; nothing runs before ``run``.

        Args:
            site: the settings, as they are read from the site's folder.
            log: what is told of everything.
            clock: what time it is; this machine's by default.
            lease: how long a slot is this runner's without its being heard of.
            notifier: what the service manager is told through.
        """
        self._root = site.root
        self._log = log
        self._clock = clock or Clock()
        self._notifier = notifier or Notifier()
        self._is_over = threading.Event()
        self._is_to_reload = False
        self._started_at = self._clock.now()
        self._read_at = self._started_at
        self._refused = ""
        self._signature = _signature(site.root)
        self._told = 0.0
        self._databases = [Database.open(site.database_url)]
        # Jobs do no work of their own: they wake lanes, and that is done at once.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self.jobs = Jobs(
            site, self._databases[0], self._clock, log, wake=self._wake, wake_at=self._wake_at, lease=lease
        )
        work = {
            "publish": self.jobs.publish,
            "mail": self.jobs.mail,
            "letters": self.jobs.letters,
            "announce": self.jobs.announce,
            "hub": self.jobs.hub,
            "bounces": self.jobs.bounces,
            "sweep": self.jobs.sweep,
        }
        self.lanes = {name: Lane(name, job, log, self._clock) for name, job in work.items()}
        self._watcher = Watcher(site.articles_dir, self.jobs.articles_changed, log)

    @property
    def _site(self) -> Site:
        return self.jobs.current[0]

    # -- from outside ----------------------------------------------------------------------------

    def stop(self) -> None:
        """End, as soon as what is in hand is done. May be called by a signal's handler."""
        self._is_over.set()

    def wake(self, name: str) -> None:
        """Let a job look for work at once. May be called from any thread."""
        self.lanes[name].wake()

    def reload(self) -> None:
        """Read the settings again, changed or not. May be called by a signal's handler."""
        self._is_to_reload = True

    def run(self) -> None:
        """Run until ``stop`` is called.

        Raises:
            StoreError: the site's folder cannot be written to.
        """
        with RunnerFile(self._root) as file:
            self._start()
            self._log.info("ready", runner=runner_name(), site=str(self._root), schedules=len(self._site.schedules))
            self._notifier.ready()
            wall, mono = self._clock.now(), time.monotonic()
            try:
                while not self._is_over.wait(_LOOK):
                    wall, mono = self._look_at_clock(wall, mono)
                    self._look_at_settings()
                    self._give_signs(file)
            finally:
                self._end()

    def trouble(self) -> str:
        """Return why issues may not be made in time; empty where nothing is in their way."""
        health = self.lanes["publish"].health
        if health.failures:
            return f"publish has failed {health.failures} time(s) in a row"
        if not health.runs or health.ended_at is None:
            return "articles/ was not read yet"
        # It is woken every minute, whatever there is to do.
        late = self._clock.now() - max(health.ended_at, health.began_at or health.ended_at)
        return f"publish has not run for {late.total_seconds() / 60:.0f} minutes" if late > _LATE else ""

    # -- the loop ----------------------------------------------------------------------------------

    def _start(self) -> None:
        for lane in self.lanes.values():
            lane.start()
        self._rebuild()
        self._scheduler.start()
        self._watcher.start()
        # What changed, and what was missed, while nobody was there.
        self.jobs.articles_changed()
        for name in ("mail", "letters", "announce", "hub", "bounces", "sweep"):
            self._wake(name)

    def _look_at_clock(self, wall: datetime, mono: float) -> tuple[datetime, float]:
        """Notice that the clock was set, or the machine asleep: nothing waits for what has passed."""
        now, now_mono = self._clock.now(), time.monotonic()
        jump = self._clock.seconds(now - wall) - (now_mono - mono)
        if abs(jump) > _JUMP:
            self._log.warning("clock jumped", seconds=round(jump, 1))
            self._scheduler.wakeup()
            for name in ("publish", "mail"):
                self._wake(name)
        return now, now_mono

    def _look_at_settings(self) -> None:
        signature = _signature(self._root)
        if signature == self._signature and not self._is_to_reload:
            return
        self._signature, self._is_to_reload, self._told = signature, False, 0.0
        self._notifier.reloading()
        try:
            site = read_site(self._root)
            if site.database_url != self._site.database_url:
                self._databases.append(Database.open(site.database_url))
        except PublisherError as error:
            self._refused = str(error)
            self._log.error("settings refused", reason=str(error), still="the old ones")
        else:
            self._refused, self._read_at = "", self._clock.now()
            self._take_up(site)
        self._notifier.ready()

    def _take_up(self, site: Site) -> None:
        self.jobs.current = (site, self._databases[-1])
        if site.articles_dir != self._watcher.folder:
            self._watcher.stop()
            self._watcher = Watcher(site.articles_dir, self.jobs.articles_changed, self._log)
            self._watcher.start()
        self._rebuild()
        self._log.info("settings read", schedules=len(site.schedules))
        self.jobs.articles_changed()
        self._wake("mail")

    def _give_signs(self, file: RunnerFile) -> None:
        now = time.monotonic()
        is_alive = self._scheduler.running and self._scheduler._thread.is_alive()  # noqa: SLF001 - nothing public tells
        if self._notifier.watchdog is not None and is_alive:
            self._notifier.alive()
        if now - self._told >= _TELL:
            self._told = now
            said = self.status()
            file.write(said)
            failing = [job["name"] for job in said["jobs"] if job["failures"]]
            self._notifier.status(f"failing: {', '.join(failing)}" if failing else "all well")

    def _end(self) -> None:
        self._log.info("stopping")
        self._notifier.stopping()
        deadline = time.monotonic() + _PATIENCE
        self._scheduler.shutdown(wait=False)
        self.jobs.stop()
        for lane in self.lanes.values():
            lane.stop()
        self._watcher.stop()
        left = [name for name, lane in self.lanes.items() if not lane.join(deadline - time.monotonic())]
        if left:
            self._log.warning("left undone", jobs=", ".join(left))
        else:
            for db in self._databases:
                db.close()
        self._log.info("stopped")

    # -- the clock's jobs --------------------------------------------------------------------------

    def _wake(self, name: str) -> None:
        self.lanes[name].wake()

    def _awaken(self, name: str) -> Callable[[], None]:
        return self.jobs.articles_changed if name == "articles" else lambda: self._wake(name)

    def _wake_at(self, reason: str, name: str, moment: datetime) -> None:
        pause = timedelta(seconds=max(0.0, self._clock.seconds(moment - self._clock.now())))
        when = DateTrigger(datetime.now(UTC) + pause)
        self._scheduler.add_job(self._awaken(name), when, id=f"at:{reason}", replace_existing=True)

    def _rebuild(self) -> None:
        """Let the clock's jobs be what the settings say."""
        site = self._site
        wanted: dict[str, tuple[Callable[[], None], Any]] = {
            f"slot:{one.name}": (self._awaken("publish"), SlotTrigger(one.timetable, self._clock))
            for one in site.schedules
        }
        # A look without a reason: another machine's runner may have died, an editor may have approved.
        for reason, name, often in (
            ("look", "publish", timedelta(minutes=1)),
            ("poll", "mail", timedelta(seconds=30)),
            # Of another process that serves the web.
            ("post", "letters", timedelta(seconds=10)),
            ("callbacks", "hub", timedelta(seconds=10)),
            ("mailbox", "bounces", timedelta(minutes=site.bounces.every_minutes)),
            ("old", "sweep", timedelta(days=1)),
        ):
            seconds = max(1.0, self._clock.seconds(often))
            wanted[f"every:{reason}"] = (self._awaken(name), IntervalTrigger(seconds=seconds, timezone=UTC))
        for job in self._scheduler.get_jobs():
            if not job.id.startswith("at:") and job.id not in wanted:
                self._scheduler.remove_job(job.id)
        for key, (function, trigger) in wanted.items():
            self._scheduler.add_job(function, trigger, id=key, replace_existing=True)

    # -- how it is ---------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return what the runner says of itself, for a program: instants in UTC, ISO 8601."""
        now = self._clock.now()
        return {
            "runner": runner_name(),
            "pid": os.getpid(),
            "started_at": _iso(self._started_at),
            "written_at": _iso(now),
            "settings_read_at": _iso(self._read_at),
            "settings_refused": self._refused,
            "jobs": [
                {
                    "name": lane.name,
                    "runs": lane.health.runs,
                    "began_at": _iso(lane.health.began_at),
                    "ended_at": _iso(lane.health.ended_at),
                    "failures": lane.health.failures,
                    "said": lane.health.said,
                    "again_at": _iso(lane.rests_until),
                }
                for lane in self.lanes.values()
            ],
        }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment is not None else None


def _signature(root: Path) -> tuple[int, ...]:
    try:
        found = (root / SETTINGS_FILE).stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
