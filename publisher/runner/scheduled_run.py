"""One turn of the runner: claim what is due, read articles/, stage feeds, make the issues that were claimed."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from publisher.articles import sources_store as sources
from publisher.articles.failure_isolation import report_failure
from publisher.cadence import next_slot
from publisher.clock import Clock
from publisher.errors import PublisherError, SlotLost
from publisher.model.report import Progress, PublishResult, ScheduledRunResult, no_progress
from publisher.pipeline.make_issues import make_scheduled_issue, stage_issues
from publisher.pipeline.publish import regenerate
from publisher.pipeline.remake import remake_issues
from publisher.schedule import store as slots
from publisher.schedule.claims import LEASE, claim_due_slots, retry_time
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker, WorkerClosed

__all__ = ["run_due_slots", "runner_name"]

#: So many times within its lease a claim is renewed.
_RENEWALS = 3


def runner_name() -> str:
    """Return what this process is called where somebody asks who has a slot."""
    return f"{socket.gethostname()} {os.getpid()}"


def run_due_slots(
    site: Site,
    db: Database,
    clock: Clock,
    *,
    always: bool,
    lease: timedelta = LEASE,
    warm: TimedWorker | None = None,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
    on_claim: Callable[[ClaimedSlot, float], None] = lambda claim, late: None,
) -> PublishResult | None:
    """Run every slot that is due and nobody's, and say what came of it; return None where there was nothing to do.

    Any number of processes may do so at once, and be killed at any moment.

    Args:
        site: the settings.
        db: its store.
        clock: what time it is.
        always: bring feeds up to date also where no slot is due.
        lease: how long a slot is this process's without its being heard of.
        warm: a process for parsers that is kept for the next run; None for one that ends with this run.
        progress: told now and then how far the work is; may raise to stop it.
        on_wait: told once if another run has to be waited for.
        on_claim: told of each slot that is begun, and how many seconds after its time.

    Raises:
        PublisherError: see ``publisher.errors``. Slots that were claimed are tried again.
    """
    began = clock.now()
    claims = claim_due_slots(db, site.schedules, began, runner=runner_name(), lease=lease)
    for one in claims:
        on_claim(one, (began - one.slot).total_seconds())
    if not claims and not always:
        return None
    turn = _ScheduledRun(site, db, clock, claims, began)
    with _renewed(db, clock, claims, lease):
        try:
            with db.exclusive(site.root, on_wait=on_wait), Workers(warm=warm) as workers:
                turn.feeds(progress, workers)
                remake_issues(db, site, clock.now(), turn.report)
                turn.issues(progress)
        except BaseException as error:
            turn.give_back(error)
            raise
    with db.read() as connection:
        turn.report.rejected = [*sources.list_problems(connection, rejected=True), *turn.report.rejected]
    return turn.report


@contextmanager
def _renewed(db: Database, clock: Clock, claims: Sequence[ClaimedSlot], lease: timedelta) -> Iterator[None]:
    """Keep the claims for as long as the block runs. A process that stands still keeps none."""
    if not claims:
        yield
        return
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(clock.seconds(lease) / _RENEWALS):
            # What cannot be renewed runs out, and is found to be another's at the end.
            with contextlib.suppress(PublisherError), db.write() as connection:
                for one in claims:
                    slots.renew_lease(connection, one, clock.now() + lease)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class _ScheduledRun:
    """What was claimed, and what is left of it."""

    def __init__(self, site: Site, db: Database, clock: Clock, claims: Sequence[ClaimedSlot], began: datetime) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._began = began
        self._left = dict.fromkeys(claims)
        self._timetables = {one.name: one.timetable for one in site.schedules}
        self.report = PublishResult(at=began.astimezone(site.tz).replace(microsecond=0).isoformat(), dry_run=False)

    def feeds(self, progress: Progress, workers: Workers) -> None:
        """Bring feeds up to date; where that fails, newsletters go out all the same."""
        mine = [one for one in self._left if one.schedule == "feeds"]
        try:
            regenerate(self._db, self._site, self._now(), self.report, progress, workers)
        except WorkerClosed:
            # The process is about to end; the slots are given back as they were.
            raise
        except Exception as error:
            report_failure(self.report, self._site, "feeds", "they could not be brought up to date", error)
            self.report.feeds_failed = self.report.rejected[-1].reason
            for one in mine:
                self._fail(one, error)
            return
        changed = len(self.report.feeds_changed)
        for one in mine:
            with contextlib.suppress(SlotLost), self._db.write() as connection:
                slots.finish_slot(connection, one, self._now())
                slots.record_outcome(connection, one, outcome := f"{changed} files written" if changed else "no change")
                self._done(one, outcome)

    def issues(self, progress: Progress) -> None:
        """Make the issues that were claimed, and stage them."""
        mine = [one for one in self._left if one.schedule != "feeds"]
        newest = {one.schedule: one for one in mine}
        for number, one in enumerate(mine, 1):
            now = self._now()
            # Of several that are made up for, each carries what was out by its own time.
            as_of = self._before_next(one, now) if newest[one.schedule] is one else one.slot
            try:
                outcome = make_scheduled_issue(self._db, self._site, one, as_of=as_of, now=now, report=self.report)
            except SlotLost as error:
                self._done(one, str(error))
            except Exception as error:
                where = f"digests.{one.schedule.partition(':')[2]}"
                report_failure(self.report, self._site, where, "no issue was made", error)
                self._fail(one, error)
            else:
                self._done(one, outcome)
            progress("making issues", number, len(mine))
        stage_issues(self._db, self._site, self.report, dry_run=False)

    def _before_next(self, one: ClaimedSlot, now: datetime) -> datetime:
        """Return ``now``, or the last second before the slot after this one: what is out then is that one's."""
        coming = next_slot(self._timetables[one.schedule], one.slot) if one.schedule in self._timetables else None
        return now if coming is None or now < coming else coming - timedelta(seconds=1)

    def give_back(self, error: BaseException) -> None:
        """Let go of what was claimed and not begun."""
        for one in list(self._left):
            with contextlib.suppress(PublisherError):
                self._fail(one, error)

    def _now(self) -> datetime:
        return self._clock.now().astimezone(self._site.tz).replace(microsecond=0)

    def _done(self, one: ClaimedSlot, outcome: str, *, is_failed: bool = False) -> None:
        del self._left[one]
        late = (self._began - one.slot).total_seconds()
        self.report.scheduled_runs.append(
            ScheduledRunResult(schedule=one.schedule, slot=one.slot, late=late, outcome=outcome, is_failed=is_failed)
        )

    def _fail(self, one: ClaimedSlot, error: BaseException) -> None:
        now = self._clock.now()
        # A run that is stopped has not failed: the next one may continue at once.
        is_stopped = isinstance(error, WorkerClosed) or not isinstance(error, Exception)
        until = now if is_stopped else retry_time(one.attempt, now)
        outcome = " ".join(str(error).split()) or "it was stopped"
        with self._db.write() as connection:
            slots.release_slot(connection, one, until, outcome)
        self._done(one, outcome, is_failed=True)
