"""Find an issue by its name."""

from __future__ import annotations

from sqlalchemy import Connection, select

from publisher.digests import issue_drafts_store as drafts
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError
from publisher.model.delivery import FINAL_STATES
from publisher.storage.tables.delivery import delivery


def find_issue(connection: Connection, target: str) -> IssueRow:
    """Return the issue ``DIGEST/NAME``; for ``DIGEST`` its newest unfinished issue, or else its newest one.

    Raises:
        SettingsError: there is no such issue.
    """
    digest, _, name = target.strip("/").partition("/")
    rows = [row for row in issues.list_issues(connection) if row.digest == digest and name in ("", row.name)]
    if rows:
        return next((row for row in rows if not name and is_unfinished(connection, row)), rows[0])
    if drafts.load_draft(connection, digest) is not None and name in ("", "next"):
        raise SettingsError(f"{digest} has a draft and no issue yet. Approve it first: publish approve {digest}")
    raise SettingsError(f"there is no issue {target}: 'publish outbox' lists the issues")


def is_unfinished(connection: Connection, row: IssueRow) -> bool:
    """Return whether an issue is still to be sent, at least to a part of its audience."""
    if row.cancelled_at is not None:
        return False
    if row.opened_at is None:
        return row.approved_at is not None
    is_open = (delivery.c.issue_id == row.id) & delivery.c.state.not_in(FINAL_STATES)
    return connection.execute(select(delivery.c.issue_id).where(is_open).limit(1)).first() is not None


def missing_draft_fix(connection: Connection, slug: str) -> str:
    """Return how a digest without a draft gets one."""
    approved = issues.waiting_issues(connection, slug)
    if approved:
        return f"{approved[0].path} is approved and not sent yet: 'publish reopen {slug}' makes it a draft again"
    if pending.has_left_out(connection, slug):
        return f"Its articles were left out: 'publish discard {slug} --undo' puts them back"
    return "Put an article into articles/ first"


def find_draft(connection: Connection, target: str) -> IssueDraft:
    """Return the draft of a digest, named ``DIGEST`` or ``DIGEST/next``.

    Raises:
        SettingsError: it has no draft, or TARGET is an issue.
    """
    digest, _, name = target.strip("/").removesuffix("/next").partition("/")
    if name:
        raise SettingsError(f"{target} is no draft. The draft of {digest} has the name {digest}")
    draft = drafts.load_draft(connection, digest)
    if draft is None:
        raise SettingsError(f"{digest} has no draft: nothing new. {missing_draft_fix(connection, digest)}")
    return draft
