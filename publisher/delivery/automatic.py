"""Send automatic and approved issues, and drafts for editors, without a command."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from publisher.delivery import store as deliveries
from publisher.delivery.deliver import deliver
from publisher.delivery.dispatch import DeliveryCounts
from publisher.delivery.single_messages import send_drafts
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.errors import PublisherError, SendingBlocked, SettingsError
from publisher.model.delivery import DeliveryState
from publisher.model.digests import SendPolicy
from publisher.model.report import IssueSendResult, Progress, PublishResult
from publisher.settings import Site
from publisher.storage.engine import Database

__all__ = ["next_send_time", "send_due_issues", "sendable_issues"]


def send_due_issues(
    site: Site,
    db: Database,
    now: datetime,
    report: PublishResult,
    progress: Progress,
    *,
    approved: bool = False,
    without: Collection[str] = (),
    is_stopping: Callable[[], bool] = lambda: False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Send the issues that are due, and add the results to the report.

    An issue older than ``delivery.retry_days`` is not sent: a mail server that is configured today must not send the
    news of last month.

    Args:
        site: the settings.
        db: the database.
        now: the current time.
        report: gets the results.
        progress: called at intervals with the number of deliveries made.
        approved: also send approved issues of digests with ``send = "review"``.
        without: issues (``DIGEST/NAME``) to leave out; ``drafts`` leaves out drafts for editors.
        is_stopping: called at intervals; once it returns True, no more messages are sent.
        clock: returns the current time.
    """
    if "drafts" not in without:
        drafts = send_drafts(site, now)
        report.draft_errors, report.blockers = drafts.errors, (*report.blockers, *drafts.blockers)
    for row in sendable_issues(site, db, now, approved=approved):
        name = f"{row.digest}/{row.name}"
        if name in without or not _is_due(db, row, now):
            continue

        def on_progress(counts: DeliveryCounts, total: int, name: str = name) -> None:
            progress(f"sending {name}", counts.done, total)

        report.sends.append(_send(site, name, on_progress, is_stopping, clock))
        if is_stopping():
            return


def _send(
    site: Site,
    name: str,
    on_progress: Callable[[DeliveryCounts, int], None],
    is_stopping: Callable[[], bool],
    clock: Callable[[], datetime],
) -> IssueSendResult:
    """Send an issue and return the result; errors are part of it."""
    try:
        sent = deliver(site, name, on_progress=on_progress, is_stopping=is_stopping, clock=clock, is_attended=False)
    except SendingBlocked as error:
        return replace(_unsent(name, str(error).partition("\n")[0].rstrip(":")), blockers=error.blockers)
    except SettingsError as error:
        return _unsent(name, str(error))
    except PublisherError as error:
        return _unsent(name, f"{error}; deliveries made so far are recorded")
    return IssueSendResult(
        issue=name,
        accepted=sent.counts.accepted,
        deferred=sent.counts.deferred,
        failed=sent.counts.failed,
        uncertain=len(sent.uncertain),
        waiting=sent.waiting,
        stop_reason=sent.stop_reason,
    )


def _unsent(name: str, reason: str) -> IssueSendResult:
    return IssueSendResult(issue=name, accepted=0, deferred=0, failed=0, uncertain=0, waiting=0, stop_reason=reason)


def sendable_issues(site: Site, db: Database, now: datetime, *, approved: bool) -> list[IssueRow]:
    """Return the issues that may be sent by their state, oldest first.

    Placeholder values are checked later.
    """
    since = now - timedelta(days=site.delivery.retry_days)
    with db.read() as connection:
        rows = issues.list_issues(connection, since=since)
    sendable = [
        row
        for row in rows
        if row.digest in site.digests
        and (site.digests[row.digest].send is SendPolicy.AUTO or (approved and row.approved is not None))
        and not row.is_paused
        and row.may_be_sent
    ]
    return sorted(sendable, key=lambda row: row.slot)


def _is_due(db: Database, row: IssueRow, now: datetime) -> bool:
    with db.read() as connection:
        due = deliveries.next_due(connection, row.id)
        if due is not None and due <= now.timestamp():
            return True
        # Claims of a sender that was killed.
        states = deliveries.state_counts(connection, row.id).get(row.id, {})
        return bool(states.get(DeliveryState.SENDING) or states.get(DeliveryState.HANDED_OVER))


def next_send_time(
    site: Site, db: Database, now: datetime, *, without: Collection[str] = ()
) -> tuple[datetime | None, set[str]]:
    """Return when the next delivery is due (or None), and issues without queued deliveries."""
    dues, settled = [], set()
    with db.read() as connection:
        for row in sendable_issues(site, db, now, approved=True):
            name = f"{row.digest}/{row.name}"
            if name in without:
                continue
            due = deliveries.next_due(connection, row.id)
            if due is None:
                settled.add(name)
            else:
                dues.append(due)
    return (datetime.fromtimestamp(min(dues), UTC) if dues else None), settled
