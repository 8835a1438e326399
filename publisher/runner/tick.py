"""``publish tick``: do the work of ``publish run`` once."""

from __future__ import annotations

from publisher.context import Context
from publisher.delivery.automatic import send_due_issues
from publisher.errors import PublisherError, StoreError
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.runner.scheduled_run import run_due_slots
from publisher.runner.sweep import sweep
from publisher.schedule.processes import record_tick, try_process_lock
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from publisher.websub.notify import send_notifications


def tick(context: Context) -> PublishResult:
    """Run due schedules, update feeds, send mail, notify hubs, process bounces, clean up.

    Calls may overlap: each claims its work.

    Raises:
        StoreError: the caller has a transaction or a dry run.
        PublisherError: drafts or issues could not be made or staged. What else is due was done. Other failures are in the
            result.
    """
    site, db, clock = context.site, context.db, context.clock
    db.require_commits("a tick")
    with db.write() as connection:
        record_tick(connection, clock.now())

    def notify(_: PublishResult) -> PublishResult | None:
        return PublishResult(notifications=send_notifications(context.later())) if site.notifies_hubs else None

    result, failure = PublishResult(), None
    try:
        result += run_due_slots(context, always=True, on_feeds=notify) or PublishResult()
    except StoreError:
        raise
    except PublisherError as error:
        failure = error
    # Sending to a long list takes longer than the interval between calls.
    with try_process_lock(site.root, "mail") as is_locked:
        if is_locked:
            result += _send_mail(context)
    sweep(db, clock.now())
    if failure is not None:
        raise failure
    return result


def _send_mail(context: Context) -> PublishResult:
    site, result = context.site, PublishResult()
    if site.can_send and site.digests:
        result += send_due_issues(context.later())
        result += _send_confirmations(context)
    if site.bounces.path is None and site.bounces.imap is None:
        return result
    from publisher.delivery.bounces import process_mailbox

    try:
        process_mailbox(context.later())
    except PublisherError as error:
        result += PublishResult(rejected=(Problem(where="bounces", is_rejected=True, reason=str(error)),))
    return result


def _send_confirmations(context: Context) -> PublishResult:
    sent = send_confirmation_emails(context)
    trouble = sent.trouble
    if sent.paused_until is not None:
        trouble = f"every relay has lost messages, and none is used before {sent.paused_until:%Y-%m-%d %H:%M} UTC"
    problem = Problem(where="confirmation emails", is_rejected=True, reason=trouble)
    return PublishResult(blockers=tuple(sent.blockers), rejected=(problem,) if trouble else ())
