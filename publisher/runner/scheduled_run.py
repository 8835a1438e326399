"""A scheduled run: claim due slots, read articles/, stage feeds, make the claimed issues."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from publisher.articles.failure_isolation import failure_problem
from publisher.cadence import next_slot
from publisher.clock import Clock
from publisher.context import Context
from publisher.delivery.automatic import open_due_issues
from publisher.errors import PublisherError, SlotLost
from publisher.model.report import PublishResult, ScheduledRunResult
from publisher.pipeline.due_issues import open_ready_issues, run_slot
from publisher.pipeline.publish import regenerate, with_stored_problems
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.pipeline.update_drafts import update_drafts
from publisher.schedule import store as slots
from publisher.schedule.claims import LEASE, RETRIES, claim_due_slots
from publisher.schedule.processes import process_name
from publisher.schedule.store import ClaimedSlot
from publisher.storage.engine import Database
from publisher.workers.timed_worker import WorkerClosed

#: Renewals of a claim within its lease.
_RENEWALS_PER_LEASE = 3


def run_due_slots(
    context: Context,
    *,
    always: bool,
    lease: timedelta = LEASE,
    on_claim: Callable[[ClaimedSlot, float], None] = lambda claim, late: None,
    on_feeds: Callable[[PublishResult], PublishResult | None] = lambda result: None,
) -> PublishResult | None:
    """Run every due slot that no other process has claimed; None if nothing was due.

    Any number of processes may call this at once, and may be killed at any moment.

    Args:
        context: the site; its ``progress`` may raise to stop the run.
        always: update feeds even if no slot is due.
        on_claim: called with each claim and its delay in seconds.
        on_feeds: called with the result once the feeds are staged, before drafts are touched; returns what it has done,
            or None.

    Raises:
        PublisherError: see ``publisher.errors``. Claimed slots are retried.
    """
    db, clock, began = context.db, context.clock, context.clock.now()
    claims = claim_due_slots(db, context.site.schedules, began, runner=process_name(), lease=lease)
    for claim in claims:
        on_claim(claim, (began - claim.slot).total_seconds())
    if not claims and not always:
        return None
    run = _ScheduledRun(context, claims, began)
    with _renewed(db, clock, claims, lease):
        try:
            with context.exclusive():
                run.feeds()
            run.result += on_feeds(run.result) or PublishResult()
            with context.exclusive():
                run.issues()
        except BaseException as error:
            run.release(error)
            raise
    return with_stored_problems(context, run.result)


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

    def __init__(self, context: Context, claims: Sequence[ClaimedSlot], began: datetime) -> None:
        self._context = context
        self._began = began
        self._left = dict.fromkeys(claims)
        self._timetables = {schedule.name: schedule.timetable for schedule in context.site.schedules}
        at = began.astimezone(context.site.tz).replace(microsecond=0)
        self.result = PublishResult(at=at.isoformat())

    def feeds(self) -> None:
        """Update feeds. If that fails, issues are still made."""
        claims = [claim for claim in self._left if claim.schedule == "feeds"]
        try:
            self.result += regenerate(self._context.later())
        except WorkerClosed:
            # The process is about to end; the slots are given back as they were.
            raise
        except Exception as error:
            problem = failure_problem(self._context, "feeds", "they could not be brought up to date", error)
            self.result += PublishResult(rejected=(problem,), feeds_failed=problem.reason)
            for claim in claims:
                self._fail(claim, error)
            return
        changed = len(self.result.feeds_changed)
        for claim in claims:
            with contextlib.suppress(SlotLost), self._context.db.write() as connection:
                slots.finish_slot(connection, claim, self._context.later().now)
                slots.record_outcome(
                    connection, claim, outcome := f"{changed} files written" if changed else "no change"
                )
                self._done(claim, outcome)

    def issues(self) -> None:
        """Run the claimed slots of digests, bring drafts up to date, open what is due, and stage both."""
        claims = [claim for claim in self._left if claim.schedule != "feeds"]
        newest = {claim.schedule: claim for claim in claims}
        failed: list[str] = []
        for number, claim in enumerate(claims, 1):
            context = self._context.later()
            # An issue of a missed slot has the articles that were published by its slot.
            as_of = self._before_next(claim, context.now) if newest[claim.schedule] is claim else claim.slot
            try:
                made, outcome = run_slot(context, claim, as_of=as_of)
            except SlotLost as error:
                self._done(claim, str(error))
            except Exception as error:
                failed.append(slug := claim.schedule.partition(":")[2])
                problem = failure_problem(context, f"digests.{slug}", "its slot was not run", error)
                self.result += PublishResult(rejected=(problem,))
                self._fail(claim, error)
            else:
                self.result += made
                self._done(claim, outcome)
            context.progress("making issues", number, len(claims))
        drafts, updates = update_drafts(self._context.later(), without=failed)
        self.result += drafts
        self.result += open_ready_issues(self._context.later(), updates, with_cadence=True)
        self.result += open_due_issues(self._context.later())
        self.result += stage_outbox(self._context)

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

    def _done(self, claim: ClaimedSlot, outcome: str, *, is_failed: bool = False) -> None:
        del self._left[claim]
        late = (self._began - claim.slot).total_seconds()
        run = ScheduledRunResult(
            schedule=claim.schedule, slot=claim.slot, late=late, outcome=outcome, is_failed=is_failed
        )
        self.result += PublishResult(scheduled_runs=(run,))

    def _fail(self, claim: ClaimedSlot, error: BaseException) -> None:
        now = self._context.clock.now()
        # A run that is stopped has not failed: the next one may continue at once.
        is_stopped = isinstance(error, WorkerClosed) or not isinstance(error, Exception)
        until = now if is_stopped else now + timedelta(seconds=RETRIES.pause(claim.attempt))
        outcome = " ".join(str(error).split()) or "it was stopped"
        with self._context.db.write() as connection:
            slots.release_slot(connection, claim, until, outcome)
        self._done(claim, outcome, is_failed=True)
