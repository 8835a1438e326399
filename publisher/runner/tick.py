"""``publish tick``: do the work of ``publish run`` once."""

from __future__ import annotations

from collections.abc import Callable

from publisher.clock import Clock
from publisher.context import Context, local_now
from publisher.delivery.automatic import send_due_issues
from publisher.errors import PublisherError
from publisher.model.problems import Problem
from publisher.model.report import Progress, PublishResult, no_progress
from publisher.pipeline.update_drafts import LAST_TICK
from publisher.runner.scheduled_run import run_due_slots
from publisher.runner.sweep import sweep
from publisher.schedule.processes import try_process_lock
from publisher.settings import Site
from publisher.storage import facts
from publisher.storage.engine import Database
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from publisher.websub.notify import send_notifications

__all__ = ["tick"]


def tick(
    site: Site,
    *,
    clock: Clock | None = None,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> PublishResult:
    """Run due schedules, update feeds, send mail, notify hubs, process bounces, clean up.

    Calls may overlap: each claims its work.

    Raises:
        PublisherError: articles/ is not readable, or issues could not be staged. Other failures are in the result.
    """
    clock = clock or Clock()
    with Database.open(site.database_url) as db:
        with db.write() as connection:
            facts.set_fact(connection, LAST_TICK, str(int(clock.now().timestamp())))

        def notify(report: PublishResult) -> None:
            if site.notifies_hubs:
                report.notifications = send_notifications(db, site, clock.now(), progress=progress)

        report = run_due_slots(site, db, clock, always=True, progress=progress, on_wait=on_wait, on_feeds=notify)
        assert report is not None
        # Sending to a long list takes longer than the interval between calls.
        with try_process_lock(site.root, "mail") as is_locked:
            if is_locked:
                _mail(site, db, clock, report, progress)
        sweep(db, clock.now())
    return report


def _mail(site: Site, db: Database, clock: Clock, report: PublishResult, progress: Progress) -> None:
    if site.can_send and site.digests:
        send_due_issues(site, db, clock.now(), report, progress, clock=clock)
        sent = send_confirmation_emails(site, db, clock.now)
        report.blockers = (*report.blockers, *sent.blockers)
        if sent.paused_until is not None:
            sent.trouble = (
                f"every relay has lost messages, and none is used before {sent.paused_until:%Y-%m-%d %H:%M} UTC"
            )
        if sent.trouble:
            report.rejected.append(Problem(where="confirmation emails", is_rejected=True, reason=sent.trouble))
    if site.bounces.path is None and site.bounces.imap is None:
        return
    from publisher.delivery.bounces import process_mailbox

    try:
        process_mailbox(Context(site=site, db=db, now=local_now(site, clock), progress=progress))
    except PublisherError as error:
        report.rejected.append(Problem(where="bounces", is_rejected=True, reason=str(error)))
