"""The background jobs of the runner: publish, mail, confirmation emails, hubs, bounces, cleaning up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from publisher.articles import store as articles
from publisher.articles.expiry_store import next_expiry_time
from publisher.clock import Clock
from publisher.errors import PublisherError
from publisher.model.report import IssueSendResult, PublishResult
from publisher.runner.background_job import JobStopped, backoff_seconds, report_progress
from publisher.runner.logs import Log
from publisher.runner.scheduled_run import run_due_slots
from publisher.runner.sweep import sweep
from publisher.schedule.claims import LEASE, next_lease_end
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscriptions import confirmation_store as confirmations
from publisher.websub import hub_store as hub
from publisher.websub import notifications_store as announcements
from publisher.websub.notify import send_notifications
from publisher.workers.timed_worker import TimedWorker, WorkerClosed

__all__ = ["Jobs"]

#: No job is begun again sooner than this for what it left undone without a failure.
_BREATH: Final = timedelta(seconds=15)
#: An issue of which no copy waits is looked at again after this: somebody may have put copies back.
_SURE: Final = timedelta(minutes=10)
#: So many records that were set aside are told of one by one.
_LISTED: Final = 20
#: Seconds between two lines that tell how far long work is.
_INTERVAL: Final = 5.0


class Jobs:
    """The work itself. Each method is one lane's and never runs twice at a time."""

    def __init__(
        self,
        site: Site,
        db: Database,
        clock: Clock,
        log: Log,
        *,
        wake: Callable[[str], None],
        wake_at: Callable[[str, str, datetime], None],
        lease: timedelta = LEASE,
    ) -> None:
        """Begin.

        Args:
            site, db: the settings and their store.
            clock: what time it is.
            log: what is told of everything.
            wake: told the name of a job that has something to do now.
            wake_at: told a name for the reason, a job's, and when that has something to do.
            lease: how long a slot is this runner's without its being heard of.
        """
        #: Settings and store, taken together at the beginning of each job: they are replaced at any moment.
        self.current = (site, db)
        self._clock = clock
        self._log = log
        self._wake = wake
        self._wake_at = wake_at
        self._lease = lease
        #: Article files are parsed in a process of their own, kept from one run to the next.
        self._parsers = TimedWorker()
        self._is_stopping = threading.Event()
        #: Set where articles/ has changed, or an article's time has come.
        self._is_changed = threading.Event()
        #: Issue → its failures in a row, and when it is tried again, by the monotonic clock.
        self._held: dict[str, tuple[int, float]] = {}
        self._held_under = site
        #: Issue without a waiting delivery → since when that is known, by the monotonic clock.
        self._settled: dict[str, float] = {}
        #: What lay set aside after the last turn: it is told of once.
        self._refused: set[tuple[str, str]] = set()
        self._told = 0.0

    def close(self) -> None:
        """End the process for parsers."""
        self._parsers.close()

    def stop(self) -> None:
        """Lay work down where that loses nothing; messages in hand are finished."""
        self._is_stopping.set()

    def articles_changed(self) -> None:
        """Look into articles/ at once."""
        self._is_changed.set()
        self._wake("publish")

    # -- publish -------------------------------------------------------------------------------

    def publish(self) -> None:
        """Run the slots that are due, and bring feeds up to date where articles have changed."""
        site, db = self.current
        always = self._is_changed.is_set()
        self._is_changed.clear()
        try:
            report = run_due_slots(
                site,
                db,
                self._clock,
                always=always,
                lease=self._lease,
                warm=self._parsers,
                progress=self._progress,
                on_wait=lambda holder: self._log.info("waiting", job="publish", holder=holder),
                on_claim=self._claimed,
            )
        except WorkerClosed as error:
            self._log.info("stopped early", job="publish", reason=str(error))
            raise JobStopped from None
        except BaseException:
            self._is_changed.set()
            raise
        if report is not None:
            self._tell(report)
            if report.feeds_changed and (site.hubs or site.announce.cloud):
                self._wake("announce")
            if report.issues:
                self._wake("mail")
        self._look_ahead(db)
        if report is not None and report.feeds_failed:
            self._is_changed.set()
            raise PublisherError(f"feeds: {report.feeds_failed}")

    def _claimed(self, one: ClaimedSlot, late: float) -> None:
        self._log.info(
            "slot started", schedule=one.schedule, slot=_z(one.slot), late=round(late, 3), attempt=one.attempt
        )

    def _look_ahead(self, db: Database) -> None:
        now = self._clock.now()
        with db.read() as connection:
            out = articles.next_publication_time(connection, int(now.timestamp()))
            expires = next_expiry_time(connection, int(now.timestamp()))
            lapse = next_lease_end(connection, now)
        if out is not None:
            self._wake_at("publication", "articles", datetime.fromtimestamp(out, UTC))
        if expires is not None:
            self._wake_at("expiry", "articles", datetime.fromtimestamp(expires, UTC))
        if lapse is not None:
            self._wake_at("lease", "publish", lapse)

    def _tell(self, report: PublishResult) -> None:
        for ran in report.scheduled_runs:
            tell = self._log.error if ran.is_failed else self._log.info
            tell(
                "slot failed" if ran.is_failed else "slot done",
                schedule=ran.schedule,
                slot=_z(ran.slot),
                outcome=ran.outcome,
            )
        if report.changed:
            self._log.info(
                "published",
                read=report.files_read,
                new=report.new,
                edited=report.edited,
                files=len(report.feeds_changed),
                removed=len(report.feeds_removed),
                issues=len(report.issues),
            )
        for note in report.issues:
            self._log.info(
                "issue made",
                issue=note.path.partition("/")[2],
                number=note.number,
                articles=note.articles,
                subscribers=note.subscribers,
                send=note.send,
                errors=len(note.errors),
            )
        for problem in report.warnings[:_LISTED]:
            self._log.warning("warning", where=problem.where, reason=problem.reason)
        standing = {(problem.where, problem.reason) for problem in report.rejected}
        fresh = sorted(standing - self._refused)
        self._refused = standing
        for where, reason in fresh[:_LISTED]:
            self._log.warning("skipped", where=where, reason=reason)
        if len(fresh) > _LISTED:
            self._log.warning("skipped", more=len(fresh) - _LISTED, see="publish status")

    # -- mail ----------------------------------------------------------------------------------

    def mail(self) -> None:
        """Send what may leave: issues that need no approval or have it, deferred copies, readers' mornings."""
        site, db = self.current
        if not site.can_send or not site.digests:
            return
        from publisher.delivery.automatic import next_send_time, send_due_issues

        now, mono = self._clock.now(), self._clock.monotonic()
        report = PublishResult(at=now.isoformat(), dry_run=False)
        if site is not self._held_under:
            # What was held back because of the settings is tried again at once.
            self._held, self._held_under = {}, site
        resting = {name for name, (_, until) in self._held.items() if until > mono}
        self._settled = {name: since for name, since in self._settled.items() if mono - since < _SURE.total_seconds()}
        send_due_issues(
            site,
            db,
            now,
            report,
            self._progress_of_mail,
            approved=True,
            without=resting | self._settled.keys(),
            is_stopping=self._is_stopping.is_set,
            clock=self._clock.now,
        )
        for one in report.sends:
            self._mailed(one)
        for text in report.all_blockers:
            self._log.error("placeholder value", fix=text)
        self._hold("drafts", "; ".join(report.draft_errors))
        now, mono = self._clock.now(), self._clock.monotonic()
        due, settled = next_send_time(site, db, now, without=self._held.keys() | self._settled.keys())
        self._settled.update(dict.fromkeys(settled, mono))
        if due is not None:
            self._wake_at("deliveries", "mail", max(due, now + _BREATH))
        if self._held:
            soonest = min(until for _, until in self._held.values())
            self._wake_at("retries", "mail", now + timedelta(seconds=soonest - mono))

    def _mailed(self, one: IssueSendResult) -> None:
        self._log.info(
            "issue sent",
            issue=one.issue,
            accepted=one.accepted,
            deferred=one.deferred,
            failed=one.failed,
            uncertain=one.uncertain,
            waiting=one.waiting,
        )
        if not self._is_stopping.is_set():
            self._hold(one.issue, one.stop_reason)

    def _hold(self, name: str, trouble: str) -> None:
        """Retry an issue later where it could not be sent; the other issues go on."""
        if not trouble:
            self._held.pop(name, None)
            return
        failures = self._held.get(name, (0,))[0] + 1
        pause = backoff_seconds(failures)
        self._held[name] = (failures, self._clock.monotonic() + pause.total_seconds())
        self._log.error("not sent", issue=name, failures=failures, retry_in=int(pause.total_seconds()), reason=trouble)

    def confirmation_emails(self) -> None:
        """Send what asks somebody to confirm something."""
        site, db = self.current
        with db.read() as connection:
            due = confirmations.next_due_time(connection)
        if due is None or not site.can_send:
            return
        from publisher.subscriptions.confirmation_emails import send_confirmation_emails

        posted = send_confirmation_emails(site, db, self._clock.now, is_stopping=self._is_stopping.is_set)
        if posted.sent or posted.failed:
            self._log.info("confirmation emails sent", sent=posted.sent, failed=posted.failed)
        if posted.trouble:
            raise PublisherError(f"confirmation emails: {posted.trouble}")
        with db.read() as connection:
            due = confirmations.next_due_time(connection)
        if posted.paused_until is not None:
            self._log.warning(
                "confirmation emails paused", reason="every relay has lost messages", until=_z(posted.paused_until)
            )
            self._wake_at("confirmation-emails", "confirmation-emails", posted.paused_until)
        elif due is not None:
            self._wake_at(
                "confirmation-emails",
                "confirmation-emails",
                max(datetime.fromtimestamp(due, UTC), self._clock.now() + _BREATH),
            )

    # -- the others ----------------------------------------------------------------------------

    def announce(self) -> None:
        """Tell hubs of feeds that changed, and of those that they could not be told of before."""
        site, db = self.current
        if not site.hubs and not site.announce.cloud:
            return
        result = send_notifications(db, site, self._clock.now(), progress=self._progress)
        if result.sent or result.failed:
            self._log.info("hubs notified", sent=result.sent, waiting=result.waiting)
        for words in result.failed:
            self._log.warning("hub not notified", reason=words)
        with db.read() as connection:
            due = announcements.next_notification_time(connection)
        if due is not None:
            self._wake_at("hubs", "announce", max(datetime.fromtimestamp(due, UTC), self._clock.now() + _BREATH))

    def hub(self) -> None:
        """Ask callbacks whether they meant to subscribe, and hand over feeds that changed."""
        site, db = self.current
        with db.read() as connection:
            due = hub.next_task_time(connection)
        if due is None or not site.web.hub:
            return
        from publisher.websub.hub import run_hub_tasks

        done = run_hub_tasks(site, db, self._clock.now, is_stopping=self._is_stopping.is_set)
        if done.told or done.subscribed or done.unsubscribed or done.dropped:
            self._log.info(
                "hub notifications sent",
                sent=done.told,
                subscribed=done.subscribed,
                unsubscribed=done.unsubscribed,
                dropped=done.dropped,
            )
        for words in done.failed[:_LISTED]:
            self._log.warning("hub failed", reason=words)
        with db.read() as connection:
            due = hub.next_task_time(connection)
        if due is not None:
            self._wake_at("hub", "hub", max(datetime.fromtimestamp(due, UTC), self._clock.now() + _BREATH))

    def bounces(self) -> None:
        """Process bounces and complaints."""
        site, _ = self.current
        if site.bounces.path is None and site.bounces.imap is None:
            return
        from publisher.delivery.bounces import process_mailbox

        found = process_mailbox(site, self._clock.now(), progress=self._progress)
        if found.messages:
            counts = {key: value for key, value in found.as_dict().items() if key not in ("suppressed", "problems")}
            self._log.info("bounces read", **counts, suppressed=len(found.suppressed))
        for digest in found.unsubscribed_from:
            self._log.info("subscription changed", digest=digest, state="unsubscribed", source="mail")
        for problem in found.problems:
            self._log.warning("message skipped", reason=problem)

    def sweep(self) -> None:
        """Delete expired rows, and repair due times that a wrong clock has set."""
        _, db = self.current
        result = sweep(db, self._clock.now())
        if result.total:
            self._log.info("expired rows deleted", **result.deleted())
        if result.repaired:
            self._log.warning("due times repaired", rows=result.repaired, reason="the clock was ahead")

    # -- how far ---------------------------------------------------------------------------------

    def _progress(self, label: str, done: int, total: int) -> None:
        if self._is_stopping.is_set():
            raise JobStopped
        self._progress_of_mail(label, done, total)

    def _progress_of_mail(self, label: str, done: int, total: int) -> None:
        report_progress()
        now = time.monotonic()
        if now - self._told >= _INTERVAL and done != total:
            self._told = now
            self._log.info("progress", doing=label, done=done, of=total)


def _z(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
