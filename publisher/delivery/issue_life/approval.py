"""Whether an approved issue may be sent: holds, its slot, pauses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store as articles
from publisher.articles.records import is_corrected
from publisher.context import Context
from publisher.delivery import brakes_store as brakes
from publisher.digests import approval_store as approvals
from publisher.digests import store as issues
from publisher.digests.draft_content import mail_settings
from publisher.digests.lookup import find_issue, is_unfinished
from publisher.digests.readiness import require_sendable
from publisher.digests.store import IssueRow
from publisher.errors import IssueHeld, SettingsError
from publisher.html.dates import minute_text
from publisher.html.text import count_phrase
from publisher.model.digests import SendPolicy
from publisher.model.report import HeldIssue
from publisher.settings import Site
from publisher.subscribers import recipients_store as recipients

#: How to release an issue whose text has to change.
_REOPEN: Final = "Make it a draft again with 'publish reopen {digest}', then approve it."


def is_too_late(slot: datetime, approved_at: datetime, now: datetime, catch_up: timedelta) -> bool:
    """Return whether only 'publish send' opens the send of an issue: CATCH_UP after its slot or its approval. Pure."""
    return now > max(slot, approved_at) + catch_up


def lateness_reason(site: Site, row: IssueRow, now: datetime) -> str:
    """Return why the send of an approved issue does not open by itself any more; empty if it may. Pure."""
    hours = site.digests[row.digest].catch_up_hours
    approved_at = datetime.fromtimestamp(row.approved_at or 0, UTC)
    if not is_too_late(row.slot, approved_at, now, timedelta(hours=hours)):
        return ""
    slot = minute_text(row.slot, site.tz)
    return f"its slot of {slot} passed more than {hours} hours ago. To send it: publish send {row.path}"


def hold_reason(connection: Connection, site: Site, row: IssueRow, now: datetime) -> str:
    """Return why an approved issue must not be sent as it is, with the fix; empty if nothing holds it."""
    if row.digest not in site.digests:
        return f"digests.{row.digest} is no longer in publisher.toml. Restore it to send {row.path}."
    changed = _changed_settings(site, row)
    if changed:
        names = ", ".join(changed)
        fix = _REOPEN.format(digest=row.digest) if row.opened_at is None else f"Restore them to send {row.path}."
        return f"settings have changed since it was approved: {names}. {fix}"
    if not row.may_be_sent:
        return error_reason(row)
    if (
        site.digests[row.digest].send is SendPolicy.NONE
        and row.opened_at is not None
        and is_unfinished(connection, row)
    ):
        return (
            f'digests.{row.digest}.send is "none" now: its mail is not sent. Set it to "review" to send the rest of this '
            f"issue, or end it with 'publish cancel {row.path}'."
        )
    return _article_hold(connection, row, now)


def error_reason(row: IssueRow) -> str:
    """Return that an issue has errors, and the commands that show and accept them. Pure."""
    state = "was never checked" if row.errors is None else f"has {count_phrase(row.errors, 'error')}"
    is_lapsed = row.forced is None and row.forced_findings is not None
    lapsed = ". The permission to send it in spite of errors has lapsed: it was for other errors" if is_lapsed else ""
    return f"it {state}{lapsed}. Run 'publish check {row.path}'; with --force REASON it can be sent anyway."


def held_issues(connection: Connection, site: Site, now: datetime) -> list[HeldIssue]:
    """Return the approved issues that are held or too late, with the reason.

    Issues that are paused, or that wait for a mail server, are left out.
    """
    held = []
    for row in issues.waiting_issues(connection):
        settings = site.digests.get(row.digest)
        waits = settings is not None and settings.send is not SendPolicy.NONE and not site.can_send
        if row.is_paused or waits:
            continue
        if reason := unsent_reason(connection, site, row, now):
            held.append(HeldIssue(issue=row.path, reason=reason))
    return held


def unsent_reason(connection: Connection, site: Site, row: IssueRow, now: datetime) -> str:
    """Return why an approved issue is not sent, or not opened by itself any more, with the fix; empty if it is."""
    held = hold_reason(connection, site, row, now)
    if held or not row.is_waiting:
        return held
    return lateness_reason(site, row, now) or row.opening_fault or ""


def _changed_settings(site: Site, row: IssueRow) -> list[str]:
    if row.mail_settings is None:
        return []
    current = mail_settings(site)
    return [name for name, value in json.loads(row.mail_settings).items() if current.get(name, "") != value]


def _article_hold(connection: Connection, row: IssueRow, now: datetime) -> str:
    """Return which of the articles hold an issue; empty for none."""
    force = f"or send it as it is with 'publish check {row.path} --force REASON'."
    # A reason covers the articles that held the issue when it was given, and no later withdrawal of them.
    accepted = row.accepted_articles
    withdrawn = [
        name
        for name, at in issues.withdrawn_articles(connection, row.id).items()
        if accepted.get(name, 0) not in (None, at)
    ]
    if withdrawn:
        return (
            f"articles of it were withdrawn, or became drafts, after it was approved: {_named(connection, row, withdrawn)}. "
            f"Publish them again ('publish retract ARTICLE --undo', or edit the draft), {_or_reopen(row)}{force}"
        )
    if row.opened_at is not None or row.approved_at is None:
        return ""
    known = articles.rows_by_seq(connection, issues.issue_article_seqs(connection, row.id))
    later = [one.id for one in known.values() if one.published_at > now.timestamp() and one.id not in accepted]
    if later and row.slot <= now:
        return f"articles of it are not published yet: {_named(connection, row, later)}. Wait for them, {_or_reopen(row)}{force}"
    approved = approvals.approved_texts(connection, row.id)
    current = articles.article_texts(connection, list(approved))
    corrected = [known[seq].id for seq, text in current.items() if is_corrected(approved[seq], text)]
    if corrected:
        return (
            f"articles of it were corrected after it was approved: {_named(connection, row, corrected)}. "
            f"{_REOPEN.format(digest=row.digest)}"
        )
    return ""


def _named(connection: Connection, row: IssueRow, article_ids: Sequence[str]) -> str:
    """Return articles of an issue with the headlines that it has: ``'One' (urn:uuid:…)``."""
    titles = approvals.approved_titles(connection, row.id)
    return ", ".join(f"{titles[name]!r} ({name})" if name in titles else name for name in article_ids)


def _or_reopen(row: IssueRow) -> str:
    return f"make it a draft again with 'publish reopen {row.digest}', " if row.opened_at is None else ""


def require_sendable_issue(connection: Connection, site: Site, row: IssueRow, now: datetime, *, is_local: bool) -> None:
    """Raise an error if an issue is not approved, blocked, paused or held; IS_LOCAL if messages stay on this machine.

    Raises:
        SettingsError: it may not be sent, with the reason and the fix.
        SendingBlocked: it has placeholder values, and real recipients.
    """
    if row.approved_at is None and row.opened_at is None:
        raise SettingsError(f"{row.path} was not approved, and is too old to become a draft. It stays in the outbox.")
    if row.cancelled_at is not None:
        when = datetime.fromtimestamp(row.cancelled_at, UTC).astimezone(site.tz)
        raise SettingsError(f"{row.path} was cancelled on {when:%Y-%m-%d %H:%M}. Its articles are in the next draft.")
    require_sendable(connection, site, row, is_local=is_local)
    reason = hold_reason(connection, site, row, now)
    if reason:
        raise IssueHeld(f"{row.path} is held: {reason}")
    if row.is_paused:
        raise SettingsError(f"{row.path} is paused. Run 'publish resume {row.path}' first.")


def require_subscribers(connection: Connection, row: IssueRow) -> None:
    """Raise ``IssueHeld`` if a newsletter has no subscribers: later ones would never get the articles of the issue."""
    if not recipients.subscribed_domains(connection, row.digest):
        raise IssueHeld(f"{row.path} is held: {row.digest} has no subscribers yet; it opens once it has one")


def issues_in_sending(connection: Connection, site: Site, now: datetime) -> list[IssueRow]:
    """Return the issues whose send is open, and that are sent without a command, newest first.

    An issue that opened longer than ``delivery.retry_days`` ago is not: a mail server that is configured today must not
    send the news of last month.
    """
    since = now - timedelta(days=site.delivery.retry_days)
    rows = issues.list_issues(connection, since=since)
    return [row for row in rows if row.cancelled_at is None and (row.opened_at or 0) >= since.timestamp()]


def stop_reason(connection: Connection, site: Site, issue_id: int, now: datetime) -> str:
    """Return why the sending of an issue has to stop; empty if it may continue."""
    row = issues.list_issues(connection, only=[issue_id])[0]
    if row.is_paused:
        return "it was paused"
    if row.cancelled_at is not None:
        return "it was cancelled"
    return hold_reason(connection, site, row, now)


def finished_issue(context: Context, target: str) -> IssueRow | None:
    """Return an issue if nothing of it is left to be sent; None if something is.

    Raises:
        SettingsError: there is no such issue.
    """
    with context.db.read() as connection:
        row = find_issue(connection, target)
        return None if is_unfinished(connection, row) else row


def pause(context: Context, target: str) -> IssueRow:
    """Pause the delivery of an issue, also while it is being sent; before that, its send does not open.

    Raises:
        SettingsError: there is no such issue.
    """
    with context.db.write() as connection:
        row = find_issue(connection, target)
        issues.set_paused(connection, row.id, is_paused=True)
        return issues.list_issues(connection, only=[row.id])[0]


def resume(context: Context, target: str) -> IssueRow:
    """End the pause of an issue.

    Raises:
        SettingsError: there is no such issue, or it is not paused but stopped because of refusals.
    """
    with context.db.write() as connection:
        row = find_issue(connection, target)
        stopped = brakes.open_brakes(connection, row.id)
        if stopped and not row.is_paused:
            words = "; ".join(brake.describe() for brake in stopped)
            raise SettingsError(f"{row.path}: {words}. {brakes.resume_advice(row.path)}")
        issues.set_paused(connection, row.id, is_paused=False)
        return issues.list_issues(connection, only=[row.id])[0]
