"""The draft of each digest, and its approved issues, as reports show them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from publisher.articles import store
from publisher.delivery.issue_life.approval import hold_reason, lateness_reason
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.draft_content import load_content
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.html.dates import minute_text
from publisher.model.digests import SendPolicy
from publisher.pipeline.update_drafts import describe_due, overdue_note
from publisher.settings import Site
from publisher.storage.engine import Database

__all__ = ["DraftStatus", "approved_status", "list_draft_status", "upcoming_issues"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStatus:
    """The draft of a digest: its next issue, as the last run left it."""

    digest: str
    #: The number that it would get, and its slot in the site's zone (ISO 8601).
    number: int
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
    #: Number of errors of the preflight; why they do not block its approval, or None.
    errors: int
    forced: str | None

    def lines(self) -> list[str]:
        """Return the draft as lines of text."""
        count = len(self.articles)
        lines = [
            f"{self.digest}/next  draft of No. {self.number}  {self.subject}",
            f"  {count:,} article{'' if count == 1 else 's'}, version {self.hash}",
            f"  {self.due}",
        ]
        if self.overdue:
            lines.append(f"  {self.overdue}")
        if self.errors and self.forced is None:
            errors = "1 error" if self.errors == 1 else f"{self.errors:,} errors"
            lines.append(f"  blocked by {errors}: 'publish check {self.digest}' shows how to fix them")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return the draft as a dict for JSON."""
        return asdict(self)


def list_draft_status(db: Database, site: Site, now: datetime) -> list[DraftStatus]:
    """Return the drafts of the digests in the settings. Nothing is changed."""
    with db.read() as connection:
        stored = [draft for draft in drafts.list_drafts(connection) if draft.digest in site.digests]
    return [_draft_status(db, site, draft, now) for draft in stored]


def _draft_status(db: Database, site: Site, draft: IssueDraft, now: datetime) -> DraftStatus:
    digest = site.digests[draft.digest].digest(draft.digest)
    with db.read() as connection:
        known = store.articles_by_seq(connection, draft.articles, site.base_url, site.tz)
        content = load_content(connection, site, digest, now, waiting_slot=draft.waiting_slot)
    return DraftStatus(
        digest=draft.digest,
        number=draft.number,
        slot=draft.slot.astimezone(site.tz).isoformat(),
        subject=draft.subject,
        articles=tuple(known[seq].title for seq in draft.articles),
        due=describe_due(site, draft, content.reason),
        overdue=overdue_note(db, site, draft.digest, now),
        hash=draft.hash,
        errors=draft.errors,
        forced=draft.forced if draft.is_forced else None,
    )


def approved_status(db: Database, site: Site, row: IssueRow, now: datetime) -> str:
    """Return the state of an approved issue whose send has not opened, in words."""
    if row.is_paused:
        return f"paused. To resume it: publish resume {row.path}"
    with db.read() as connection:
        held = hold_reason(connection, site, row, now)
    held = held or lateness_reason(site, row, now) or row.opening_fault or ""
    if held:
        return f"held: {held}"
    is_mailed = site.digests[row.digest].send is not SendPolicy.NONE
    if is_mailed and not site.can_send:
        return "approved: it is sent once publisher.toml has a mail server ([smtp])"
    when = minute_text(row.slot, site.tz) if row.slot > now else "by the next run"
    return f"approved: it is {'sent' if is_mailed else 'published, without mail,'} {when}"


def upcoming_issues(site: Site, now: datetime) -> tuple[list[DraftStatus], list[tuple[IssueRow, str]]]:
    """Return the drafts, and the approved issues with their state in words, oldest slot first. Nothing is changed."""
    with Database.open(site.database_url, dry_run=True) as db:
        with db.read() as connection:
            rows = issues.waiting_issues(connection)
        approved = [(row, approved_status(db, site, row, now)) for row in reversed(rows)]
        return list_draft_status(db, site, now), approved
