"""A scheduled run: claim due slots, read articles/, stage feeds, make the claimed issues."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from publisher.articles import sources_store as sources
from publisher.articles.failure_isolation import report_failure
from publisher.cadence import next_slot
from publisher.clock import Clock
from publisher.delivery.automatic import open_due_issues
from publisher.errors import PublisherError, SlotLost
from publisher.model.report import Progress, PublishResult, ScheduledRunResult, no_progress
from publisher.pipeline.due_issues import open_ready_issues, run_slot
from publisher.pipeline.publish import regenerate
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.pipeline.update_drafts import update_drafts
from publisher.schedule import store as slots
from publisher.schedule.claims import LEASE, RETRIES, claim_due_slots
from publisher.schedule.processes import process_name
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker, WorkerClosed

__all__ = ["run_due_slots"]

#: Renewals of a claim within its lease.
_RENEWALS_PER_LEASE = 3


def run_due_slots(
    site: Site,
    db: Database,
    clock: Clock,
    *,
    always: bool,
    lease: timedelta = LEASE,
    parser_process: TimedWorker | None = None,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
    on_claim: Callable[[ClaimedSlot, float], None] = lambda claim, late: None,
    on_feeds: Callable[[PublishResult], None] = lambda report: None,
) -> PublishResult | None:
    """Run every due slot that no other process has claimed; None if nothing was due.

    Any number of processes may call this at once, and may be killed at any moment.

    Args:
        site: the settings.
        db: the database.
        clock: the time.
        always: update feeds even if no slot is due.
        lease: how long a claim lasts without a renewal.
        parser_process: a parser process to use and keep; None for one that ends with this run.
        progress: called from time to time; may raise to stop the run.
        on_wait: called with the holder's name if another run has to be waited for.
        on_claim: called with each claim and its delay in seconds.
        on_feeds: called once the feeds are staged, before drafts are touched.

    Raises:
        PublisherError: see ``publisher.errors``. Claimed slots are retried.
    """
    began = clock.now()
    claims = claim_due_slots(db, site.schedules, began, runner=process_name(), lease=lease)
    for claim in claims:
        on_claim(claim, (began - claim.slot).total_seconds())
    if not claims and not always:
        return None
    run = _ScheduledRun(site, db, clock, claims, began)
    with _renewed(db, clock, claims, lease), _released_on_error(run):
        with db.exclusive(site.root, on_wait=on_wait), Workers(parser_process=parser_process) as workers:
            run.feeds(progress, workers)
        on_feeds(run.report)
        with db.exclusive(site.root, on_wait=on_wait):
            run.issues(progress)
    with db.read() as connection:
        run.report.rejected = [*sources.list_problems(connection, rejected=True), *run.report.rejected]
    return run.report


@contextmanager
def _released_on_error(run: _ScheduledRun) -> Iterator[None]:
    """Release the claims that are not finished if the block fails."""
    try:
        yield
    except BaseException as error:
        run.release(error)
        raise


@contextmanager
def _renewed(db: Database, clock: Clock, claims: Sequence[ClaimedSlot], lease: timedelta) -> Iterator[None]:
    """Renew the claims while the block runs; a suspended process loses its slots."""
    if not claims:
        yield
        return
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(clock.seconds(lease) / _RENEWALS_PER_LEASE):
            # A claim that cannot be renewed expires, and finishing its slot raises SlotLost.
            with contextlib.suppress(PublisherError), db.write() as connection:
                for claim in claims:
                    slots.renew_lease(connection, claim, clock.now() + lease)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class _ScheduledRun:
    """The claims of one run, and their results."""

    def __init__(self, site: Site, db: Database, clock: Clock, claims: Sequence[ClaimedSlot], began: datetime) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._began = began
        self._left = dict.fromkeys(claims)
        self._timetables = {schedule.name: schedule.timetable for schedule in site.schedules}
        self.report = PublishResult(at=began.astimezone(site.tz).replace(microsecond=0).isoformat(), dry_run=False)

    def feeds(self, progress: Progress, workers: Workers) -> None:
        """Update feeds. If that fails, issues are still made."""
        claims = [claim for claim in self._left if claim.schedule == "feeds"]
        try:
            regenerate(self._db, self._site, self._now(), self.report, progress, workers)
        except WorkerClosed:
            # The process is about to end; the slots are given back as they were.
            raise
        except Exception as error:
            report_failure(self.report, self._site, "feeds", "they could not be brought up to date", error)
            self.report.feeds_failed = self.report.rejected[-1].reason
            for claim in claims:
                self._fail(claim, error)
            return
        changed = len(self.report.feeds_changed)
        for claim in claims:
            with contextlib.suppress(SlotLost), self._db.write() as connection:
                slots.finish_slot(connection, claim, self._now())
                slots.record_outcome(
                    connection, claim, outcome := f"{changed} files written" if changed else "no change"
                )
                self._done(claim, outcome)

    def issues(self, progress: Progress) -> None:
        """Run the claimed slots of digests, bring drafts up to date, open what is due, and stage both."""
        claims = [claim for claim in self._left if claim.schedule != "feeds"]
        newest = {claim.schedule: claim for claim in claims}
        failed: list[str] = []
        for number, claim in enumerate(claims, 1):
            now = self._now()
            # An issue of a missed slot has the articles that were published by its slot.
            as_of = self._before_next(claim, now) if newest[claim.schedule] is claim else claim.slot
            try:
                outcome = run_slot(self._db, self._site, claim, as_of=as_of, now=now, report=self.report)
            except SlotLost as error:
                self._done(claim, str(error))
            except Exception as error:
                failed.append(slug := claim.schedule.partition(":")[2])
                report_failure(self.report, self._site, f"digests.{slug}", "its slot was not run", error)
                self._fail(claim, error)
            else:
                self._done(claim, outcome)
            progress("making issues", number, len(claims))
        updates = update_drafts(self._db, self._site, self._now(), self.report, without=failed)
        open_ready_issues(self._db, self._site, updates, self._now(), self.report, with_cadence=True)
        open_due_issues(self._site, self._db, self._now(), self.report)
        stage_outbox(self._db, self._site, self.report)

    def _before_next(self, claim: ClaimedSlot, now: datetime) -> datetime:
        """Return ``now``, or the last second before the next slot, if that has passed."""
        timetable = self._timetables.get(claim.schedule)
        following = next_slot(timetable, claim.slot) if timetable is not None else None
        return now if following is None or now < following else following - timedelta(seconds=1)

    def release(self, error: BaseException) -> None:
        """Release the claims that are not finished."""
        for claim in list(self._left):
            with contextlib.suppress(PublisherError):
                self._fail(claim, error)

    def _now(self) -> datetime:
        return self._clock.now().astimezone(self._site.tz).replace(microsecond=0)

    def _done(self, claim: ClaimedSlot, outcome: str, *, is_failed: bool = False) -> None:
        del self._left[claim]
        late = (self._began - claim.slot).total_seconds()
        self.report.scheduled_runs.append(
            ScheduledRunResult(
                schedule=claim.schedule, slot=claim.slot, late=late, outcome=outcome, is_failed=is_failed
            )
        )

    def _fail(self, claim: ClaimedSlot, error: BaseException) -> None:
        now = self._clock.now()
        # A run that is stopped has not failed: the next one may continue at once.
        is_stopped = isinstance(error, WorkerClosed) or not isinstance(error, Exception)
        until = now if is_stopped else now + timedelta(seconds=RETRIES.pause(claim.attempt))
        outcome = " ".join(str(error).split()) or "it was stopped"
        with self._db.write() as connection:
            slots.release_slot(connection, claim, until, outcome)
        self._done(claim, outcome, is_failed=True)
