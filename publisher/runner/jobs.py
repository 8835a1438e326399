"""The background jobs of the runner: publish, mail, hubs, bounces, cleanup."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from publisher.articles import store as articles
from publisher.articles.expiry_store import next_expiry_time
from publisher.clock import Clock
from publisher.context import Context, local_now
from publisher.errors import PublisherError
from publisher.model.report import IssueSendResult, PublishResult
from publisher.runner.background_job import RETRIES, JobStopped, report_progress
from publisher.runner.logs import Log, utc_text
from publisher.runner.report_log import MAX_LOGGED, ReportLog
from publisher.runner.scheduled_run import run_due_slots
from publisher.runner.sweep import sweep
from publisher.schedule.claims import LEASE, next_lease_end
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.subscriptions.confirmation_store import CONFIRMATION
from publisher.websub.hub_store import HUB_KINDS
from publisher.websub.notifications_store import NOTIFICATION
from publisher.websub.notify import send_notifications
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker, WorkerClosed

#: The shortest pause before a job continues work that it left for later.
_MIN_PAUSE: Final = timedelta(seconds=15)
#: An issue without waiting deliveries is checked again after this; an operator may have queued some again.
_RECHECK_AFTER: Final = timedelta(minutes=10)
#: The shortest interval of progress lines.
_PROGRESS_SECONDS: Final = 5.0


@dataclass(eq=False)
class Jobs:
    """The functions of the background jobs. None runs concurrently with itself."""

    site: InitVar[Site]
    db: InitVar[Database]
    clock: Clock
    log: Log
    _: KW_ONLY
    #: Called with the name of a job that has work now.
    wake: Callable[[str], None]
    #: Called with a timer, a job, and when that has work.
    wake_at: Callable[[str, str, datetime], None]
    lease: timedelta = LEASE

    def __post_init__(self, site: Site, db: Database) -> None:
        #: Settings and database. Each job reads the pair once, because changed settings replace it at any moment.
        self.current = (site, db)
        #: The process that parses article files; it stays alive between runs.
        self._parsers = TimedWorker()
        self._is_stopping = threading.Event()
        #: Set when articles/ has changed or an article's publication time has come.
        self._is_changed = threading.Event()
        #: Issue → consecutive failures, and the monotonic time of the next attempt.
        self._retries: dict[str, tuple[int, float]] = {}
        self._retries_of = site
        #: Issue without waiting deliveries → the monotonic time of that finding.
        self._settled: dict[str, float] = {}
        self._reports = ReportLog(self.log)
        self._progress_logged_at = 0.0

    def close(self) -> None:
        """Stop the parser process."""
        self._parsers.close()

    def stop(self) -> None:
        """Stop running jobs at the next safe point; messages in transmission are finished."""
        self._is_stopping.set()

    def articles_changed(self) -> None:
        """Read articles/ at once."""
        self._is_changed.set()
        self.wake("publish")

    def _context(self, site: Site, db: Database) -> Context:
        """Return the context of a job that can be stopped."""
        now = local_now(site, self.clock)
        return Context(site=site, db=db, now=now, clock=self.clock, progress=self._progress_or_stop)

    # -- publish -------------------------------------------------------------------------------

    def publish(self) -> None:
        """Run due slots, and update feeds if articles have changed."""
        site, db = self.current
        always = self._is_changed.is_set()
        self._is_changed.clear()
        try:
            with Workers(parser_process=self._parsers) as workers:
                context = replace(
                    self._context(site, db),
                    workers=workers,
                    on_wait=lambda holder: self.log.info("waiting", job="publish", holder=holder),
                )
                report = run_due_slots(
                    context, always=always, lease=self.lease, on_claim=self._log_claim, on_feeds=self._wake_hubs
                )
        except WorkerClosed as error:
            self.log.info("stopped early", job="publish", reason=str(error))
            raise JobStopped from None
        except BaseException:
            self._is_changed.set()
            raise
        if report is not None:
            self._reports.write(report)
            is_changed = any(draft.is_changed for draft in report.issue_drafts)
            if report.opened or report.held or is_changed or report.scheduled_runs:
                self.wake("mail")
        self._schedule_next(db)
        if report is not None and report.feeds_failed:
            self._is_changed.set()
            raise PublisherError(f"feeds: {report.feeds_failed}")

    def _wake_hubs(self, report: PublishResult) -> None:
        site, _ = self.current
        if report.feeds_changed and site.notifies_hubs:
            self.wake("announce")

    def _log_claim(self, claim: ClaimedSlot, late: float) -> None:
        self.log.info(
            "slot started",
            schedule=claim.schedule,
            slot=utc_text(claim.slot),
            late=round(late, 3),
            attempt=claim.attempt,
        )

    def _schedule_next(self, db: Database) -> None:
        now = self.clock.now()
        with db.read() as connection:
            times = {
                "publication": articles.next_publication_time(connection, int(now.timestamp())),
                "expiry": next_expiry_time(connection, int(now.timestamp())),
            }
            lease_end = next_lease_end(connection, now)
        for timer, seconds in times.items():
            if seconds is not None:
                self.wake_at(timer, "articles", datetime.fromtimestamp(seconds, UTC))
        if lease_end is not None:
            self.wake_at("lease", "publish", lease_end)

    # -- mail ----------------------------------------------------------------------------------

    def mail(self) -> None:
        """Send issues that are approved or need no approval, and deliveries that are due."""
        site, db = self.current
        if not site.can_send or not site.digests:
            return
        from publisher.delivery.automatic import next_send_time, send_due_issues

        now, mono = self.clock.now(), self.clock.monotonic()
        if site is not self._retries_of:
            # Changed settings may fix a failed issue, so it is retried at once.
            self._retries, self._retries_of = {}, site
        waiting = {name for name, (_, until) in self._retries.items() if until > mono}
        self._settled = {
            name: since for name, since in self._settled.items() if mono - since < _RECHECK_AFTER.total_seconds()
        }
        report = send_due_issues(
            replace(self._context(site, db), progress=self._report_progress),
            without=waiting | self._settled.keys(),
            is_stopping=self._is_stopping.is_set,
        )
        for result in report.sends:
            self._log_sent(result)
        for text in report.all_blockers:
            self.log.error("placeholder value", fix=text)
        self._retry_later("drafts", "; ".join(report.draft_errors))
        now, mono = self.clock.now(), self.clock.monotonic()
        due, settled = next_send_time(self._context(site, db), without=self._retries.keys() | self._settled.keys())
        self._settled.update(dict.fromkeys(settled, mono))
        if due is not None:
            self.wake_at("deliveries", "mail", max(due, now + _MIN_PAUSE))
        if self._retries:
            soonest = min(until for _, until in self._retries.values())
            self.wake_at("retries", "mail", now + timedelta(seconds=soonest - mono))

    def _log_sent(self, result: IssueSendResult) -> None:
        self.log.info(
            "issue sent",
            issue=result.issue,
            accepted=result.accepted,
            deferred=result.deferred,
            failed=result.failed,
            uncertain=result.uncertain,
            waiting=result.waiting,
        )
        if not self._is_stopping.is_set():
            self._retry_later(result.issue, result.stop_reason)

    def _retry_later(self, name: str, trouble: str) -> None:
        """Schedule a retry of an issue that failed; without trouble, forget earlier failures."""
        if not trouble:
            self._retries.pop(name, None)
            return
        failures = self._retries.get(name, (0,))[0] + 1
        pause = RETRIES.pause(failures)
        self._retries[name] = (failures, self.clock.monotonic() + pause)
        self.log.error("not sent", issue=name, failures=failures, retry_in=pause, reason=trouble)

    def confirmation_emails(self) -> None:
        """Send confirmation emails."""
        site, db = self.current
        with db.read() as connection:
            due = job_queue.next_due_time(connection, CONFIRMATION)
        if due is None or not site.can_send:
            return
        from publisher.subscriptions.confirmation_emails import send_confirmation_emails

        result = send_confirmation_emails(self._context(site, db), is_stopping=self._is_stopping.is_set)
        if result.sent or result.failed:
            self.log.info("confirmation emails sent", sent=result.sent, failed=result.failed)
        if result.trouble:
            raise PublisherError(f"confirmation emails: {result.trouble}")
        if result.paused_until is not None:
            self.log.warning(
                "confirmation emails paused",
                reason="every relay has lost messages",
                until=utc_text(result.paused_until),
            )
            self.wake_at("confirmation-emails", "confirmation-emails", result.paused_until)
        else:
            self._continue("confirmation-emails", db, CONFIRMATION)

    # -- other jobs ------------------------------------------------------------------------------

    def announce(self) -> None:
        """Notify hubs of changed feeds, and retry failed notifications."""
        site, db = self.current
        if not site.notifies_hubs:
            return
        result = send_notifications(self._context(site, db))
        if result.sent or result.failed:
            self.log.info("hubs notified", sent=result.sent, waiting=result.waiting)
        for reason in result.failed:
            self.log.warning("hub not notified", reason=reason)
        self._continue("announce", db, NOTIFICATION)

    def hub(self) -> None:
        """Verify subscriptions to the site's own hub, and send changed feeds to its subscribers."""
        site, db = self.current
        with db.read() as connection:
            due = job_queue.next_due_time(connection, *HUB_KINDS)
        if due is None or not site.web.hub:
            return
        from publisher.websub.hub import run_hub_tasks

        result = run_hub_tasks(self._context(site, db), is_stopping=self._is_stopping.is_set)
        if result.delivered or result.subscribed or result.unsubscribed or result.dropped:
            self.log.info(
                "hub notifications sent",
                sent=result.delivered,
                subscribed=result.subscribed,
                unsubscribed=result.unsubscribed,
                dropped=result.dropped,
            )
        for reason in result.failed[:MAX_LOGGED]:
            self.log.warning("hub failed", reason=reason)
        self._continue("hub", db, *HUB_KINDS)

    def bounces(self) -> None:
        """Process bounces and complaints."""
        site, db = self.current
        if site.bounces.path is None and site.bounces.imap is None:
            return
        from publisher.delivery.bounces import process_mailbox

        now = local_now(site, self.clock)
        result = process_mailbox(Context(site=site, db=db, now=now, progress=self._progress_or_stop))
        if result.messages:
            counts = {key: value for key, value in result.as_dict().items() if key not in ("suppressed", "problems")}
            self.log.info("bounces read", **counts, suppressed=len(result.suppressed))
        for digest in result.unsubscribed_from:
            self.log.info("subscription changed", digest=digest, state="unsubscribed", source="mail")
        for problem in result.problems:
            self.log.warning("message skipped", reason=problem)

    def sweep(self) -> None:
        """Delete expired rows, and repair due times that a wrong clock has set."""
        _, db = self.current
        result = sweep(db, self.clock.now())
        if any(result.deleted.values()):
            self.log.info("expired rows deleted", **result.deleted)
        if result.repaired:
            self.log.warning("due times repaired", rows=result.repaired, reason="the clock was ahead")

    def _continue(self, job: str, db: Database, *kinds: str) -> None:
        """Wake a background job when the next queued job of its kinds is due, after a pause."""
        with db.read() as connection:
            due = job_queue.next_due_time(connection, *kinds)
        if due is not None:
            self.wake_at(job, job, max(datetime.fromtimestamp(due, UTC), self.clock.now() + _MIN_PAUSE))

    # -- progress --------------------------------------------------------------------------------

    def _progress_or_stop(self, label: str, done: int, total: int) -> None:
        if self._is_stopping.is_set():
            raise JobStopped
        self._report_progress(label, done, total)

    def _report_progress(self, label: str, done: int, total: int) -> None:
        report_progress()
        now = time.monotonic()
        if now - self._progress_logged_at >= _PROGRESS_SECONDS and done != total:
            self._progress_logged_at = now
            self.log.info("progress", doing=label, done=done, of=total)
