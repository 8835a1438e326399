"""The draft of each digest, and its approved issues, as reports show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from publisher.articles import store
from publisher.context import Context
from publisher.delivery.issue_life.approval import unsent_reason
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.draft_content import load_content
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.html.dates import minute_text
from publisher.html.text import count_phrase
from publisher.model.digests import SendPolicy
from publisher.model.result import Result, iso_time
from publisher.pipeline.update_drafts import describe_due, overdue_note


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStatus(Result):
    """The draft of a digest: its next issue, as the last run left it."""

    digest: str
    #: The number that it would get.
    number: int
    #: Its slot in the site's zone (ISO 8601).
    slot: str
    subject: str
    #: The headlines of its articles, in order.
    articles: tuple[str, ...]
    #: When it becomes an issue, in words.
    due: str
    #: A slot that has passed because nothing runs it, with the command; empty for none.
    overdue: str
    #: The version, as 'publish approve --expect' takes it.
    hash: str
    #: Number of errors of the preflight.
    errors: int
    #: Why they do not block its approval; None if they do.
    forced: str | None

    def lines(self) -> list[str]:
        """Return the draft as lines of text."""
        count = len(self.articles)
        lines = [
            f"{self.digest}/next  draft of No. {self.number}  {self.subject}",
            f"  {count_phrase(count, 'article')}, version {self.hash}",
            f"  {self.due}",
        ]
        if self.overdue:
            lines.append(f"  {self.overdue}")
        if self.errors and self.forced is None:
            errors = count_phrase(self.errors, "error")
            lines.append(f"  blocked by {errors}: 'publish check {self.digest}' shows what to fix")
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedIssue(Result):
    """An approved issue whose send has not opened."""

    row: IssueRow
    #: Its state in words.
    status: str

    def as_dict(self) -> dict[str, Any]:
        """Return the issue for JSON output."""
        return {**issue_dict(self.row), "status": self.status}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingIssues(Result):
    """The issues that are still to be sent."""

    drafts: tuple[DraftStatus, ...]
    #: Oldest slot first.
    approved: tuple[ApprovedIssue, ...]


def list_draft_status(context: Context) -> list[DraftStatus]:
    """Return the drafts of the digests in the settings. Nothing is changed."""
    with context.db.read() as connection:
        stored = [draft for draft in drafts.list_drafts(connection) if draft.digest in context.site.digests]
    return [_draft_status(context, draft) for draft in stored]


def _draft_status(context: Context, draft: IssueDraft) -> DraftStatus:
    site, now = context.site, context.now
    digest = site.digest(draft.digest)
    with context.db.read() as connection:
        known = store.articles_by_seq(connection, draft.articles, site.base_url, site.tz)
        content = load_content(connection, site, digest, now, waiting_slot=draft.waiting_slot)
    return DraftStatus(
        digest=draft.digest,
        number=draft.number,
        slot=draft.slot.astimezone(site.tz).isoformat(),
        subject=draft.subject,
        articles=tuple(known[seq].title for seq in draft.articles),
        due=describe_due(site, draft, content.reason),
        overdue=overdue_note(context, draft.digest),
        hash=draft.hash,
        errors=draft.errors,
        forced=draft.forced if draft.is_forced else None,
    )


def approved_status(context: Context, row: IssueRow) -> str:
    """Return the state of an approved issue whose send has not opened, in words."""
    if row.is_paused:
        return f"paused. To resume it: publish resume {row.path}"
    site, now = context.site, context.now
    with context.db.read() as connection:
        held = unsent_reason(connection, site, row, now)
    if held:
        return f"held: {held}"
    is_mailed = site.digests[row.digest].send is not SendPolicy.NONE
    if is_mailed and not site.can_send:
        return "approved: it is sent once publisher.toml has a mail server ([smtp])"
    when = minute_text(row.slot, site.tz) if row.slot > now else "by the next run"
    return f"approved: it is {'sent' if is_mailed else 'published, without mail,'} {when}"


def upcoming_issues(context: Context, digest: str | None = None, *, at: datetime | None = None) -> UpcomingIssues:
    """Return drafts and approved issues, of all digests or one, as they are now or AT a time."""
    context = context.at(at or context.now)
    with context.db.read() as connection:
        rows = issues.waiting_issues(connection)
    return UpcomingIssues(
        drafts=tuple(draft for draft in list_draft_status(context) if digest in (None, draft.digest)),
        approved=tuple(
            ApprovedIssue(row=row, status=approved_status(context, row))
            for row in reversed(rows)
            if digest in (None, row.digest)
        ),
    )


def issue_dict(row: IssueRow) -> dict[str, Any]:
    """Return an issue as a dict for JSON."""
    return {
        "digest": row.digest,
        "number": row.number,
        "slot": row.slot.isoformat(),
        "name": row.name,
        "subject": row.subject,
        "articles": row.articles,
        "staged": row.is_staged,
        "errors": row.errors,
        "forced": row.forced,
        "paused": row.is_paused,
        "approved": row.approved,
        "approved_at": iso_time(row.approved_at),
        "opened_at": iso_time(row.opened_at),
        "cancelled_at": iso_time(row.cancelled_at),
    }
