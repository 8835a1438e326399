"""Open and send approved issues, and tell editors of drafts, without a command."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.delivery.deliver import deliver
from publisher.delivery.dispatch import DeliveryCounts
from publisher.delivery.editors_mail import notify_editors
from publisher.delivery.issue_life.approval import (
    held_issues,
    hold_reason,
    issues_in_sending,
    lateness_reason,
    require_subscribers,
)
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import approval_store as approvals
from publisher.digests import store as issues
from publisher.digests.readiness import require_sendable
from publisher.digests.store import IssueRow
from publisher.errors import IssueHeld, PublisherError, SendingBlocked, SettingsError
from publisher.model.delivery import DeliveryState
from publisher.model.digests import SendPolicy
from publisher.model.report import HeldIssue, IssueSendResult, PublishResult


def open_due_issues(context: Context, *, digests: Collection[str] | None = None) -> PublishResult:
    """Open the send of each approved issue whose slot has come; return those that opened, are held or blocked.

    An issue that is paused, or that waits for a mail server, is left alone. With ``digests``, so are those of others.
    """
    site, db, now = context.site, context.db, context.now
    wanted = site.digests if digests is None else site.digests.keys() & set(digests)
    with db.read() as connection:
        rows = [row for row in issues.waiting_issues(connection) if row.digest in wanted]
        held = held_issues(connection, site, now) if digests is None else []
    result = PublishResult(held=tuple(one for one in held if one.issue.partition("/")[0] not in site.digests))
    for row in sorted(rows, key=lambda row: row.slot):
        with_audience = site.digests[row.digest].send is not SendPolicy.NONE
        if row.is_paused or (with_audience and not site.can_send):
            continue
        with db.read() as connection:
            reason = hold_reason(connection, site, row, now) or lateness_reason(site, row, now)
        if reason:
            result += PublishResult(held=(HeldIssue(issue=row.path, reason=reason),))
            continue
        if now < row.slot:
            continue
        try:
            if with_audience:
                with db.read() as connection:
                    require_subscribers(connection, row)
                    require_sendable(connection, site, row, is_local=site.delivers_locally)
            opened = open_issue(context, row)
        except SendingBlocked as error:
            result += PublishResult(blockers=error.blockers)
        except IssueHeld as error:
            reason = str(error).removeprefix(f"{row.path} is held: ")
            with db.write() as connection:
                approvals.save_opening_fault(connection, row.id, reason)
            result += PublishResult(held=(HeldIssue(issue=row.path, reason=reason),))
        else:
            if opened is not None:
                result += PublishResult(opened=(opened,))
    return result


def send_due_issues(
    context: Context,
    *,
    digests: Collection[str] | None = None,
    without: Collection[str] = (),
    is_stopping: Callable[[], bool] = lambda: False,
) -> PublishResult:
    """Send the due deliveries of issues whose send is open, and tell editors of drafts.

    Args:
        digests: only issues of these newsletters; of all by default.
        without: issues (``DIGEST/NAME``) to leave out; ``drafts`` leaves out mails to editors.
        is_stopping: called at intervals; once it returns True, no more messages are sent.
    """
    result = PublishResult()
    if "drafts" not in without:
        result += notify_editors(context)
    for row in sendable_issues(context):
        if row.path in without or (digests is not None and row.digest not in digests) or not _is_due(context, row):
            continue
        result += PublishResult(sends=(_send(context, row.path, is_stopping),))
        if is_stopping():
            break
    if "drafts" not in without and any(sent.stop_reason for sent in result.sends):
        result = replace(result, draft_errors=()) + notify_editors(context.later())
    return result


def _send(context: Context, name: str, is_stopping: Callable[[], bool]) -> IssueSendResult:
    """Send an issue and return the result; errors are part of it."""

    def on_progress(counts: DeliveryCounts, total: int) -> None:
        context.progress(f"sending {name}", counts.done, total)

    try:
        sent = deliver(context, name, on_progress=on_progress, is_stopping=is_stopping, is_attended=False)
    except SendingBlocked as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        return IssueSendResult(issue=name, stop_reason=reason, blockers=error.blockers)
    except SettingsError as error:
        return IssueSendResult(issue=name, stop_reason=str(error))
    except PublisherError as error:
        return IssueSendResult(issue=name, stop_reason=f"{error}; deliveries made so far are recorded")
    return IssueSendResult(
        issue=name,
        accepted=sent.counts.accepted,
        deferred=sent.counts.deferred,
        failed=sent.counts.failed,
        uncertain=len(sent.uncertain),
        waiting=sent.waiting,
        stop_reason=sent.stop_reason,
    )


def sendable_issues(context: Context) -> list[IssueRow]:
    """Return the issues that are sent now, if deliveries are due, oldest first.

    Placeholder values and holds are checked later.
    """
    with context.db.read() as connection:
        rows = issues_in_sending(connection, context.site, context.now)
    sendable = [row for row in rows if not row.is_paused and row.digest in context.site.digests]
    return sorted(sendable, key=lambda row: row.slot)


def _is_due(context: Context, row: IssueRow) -> bool:
    with context.db.read() as connection:
        due = deliveries.next_due(connection, row.id)
        if due is not None and due <= context.now.timestamp():
            return True
        # Claims of a sender that was killed.
        states = deliveries.state_counts(connection, row.id).get(row.id, {})
        return bool(states.get(DeliveryState.SENDING) or states.get(DeliveryState.HANDED_OVER))


def next_send_time(context: Context, *, without: Collection[str] = ()) -> tuple[datetime | None, set[str]]:
    """Return when the next delivery is due (or None), and issues without queued deliveries."""
    dues, settled = [], set()
    with context.db.read() as connection:
        for row in sendable_issues(context):
            if row.path in without:
                continue
            due = deliveries.next_due(connection, row.id)
            if due is None:
                settled.add(row.path)
            else:
                dues.append(due)
    return (datetime.fromtimestamp(min(dues), UTC) if dues else None), settled
