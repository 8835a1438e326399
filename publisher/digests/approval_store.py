"""Queries of approved issues: their fixed text, and the steps of their life."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select, update

from publisher.storage.tables.digests import issue, issue_article

__all__ = ["approved_texts", "mark_cancelled", "mark_opened", "save_notified_hold", "save_opening_fault"]


def approved_texts(connection: Connection, issue_id: int) -> dict[int, str]:
    """Return arrival number → approved text of the articles of an issue, in order; empty once its send has opened."""
    query = select(issue_article.c.article_seq, issue_article.c.approved_text).where(
        issue_article.c.issue_id == issue_id, issue_article.c.approved_text.is_not(None)
    )
    return dict(iter(connection.execute(query.order_by(issue_article.c.position))))


def mark_opened(connection: Connection, issue_id: int, now: int) -> bool:
    """Open the send of an issue; return False if it is open or cancelled already."""
    is_waiting = and_(issue.c.id == issue_id, issue.c.opened_at.is_(None), issue.c.cancelled_at.is_(None))
    if connection.execute(update(issue).where(is_waiting).values(opened_at=now, opening_fault=None)).rowcount != 1:
        return False
    # The fixed text has done its work: no further variant is rendered.
    connection.execute(update(issue_article).where(issue_article.c.issue_id == issue_id).values(approved_text=None))
    return True


def mark_cancelled(connection: Connection, issue_id: int, now: int) -> None:
    """Save when an issue was cancelled."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(cancelled_at=now))


def save_notified_hold(connection: Connection, issue_id: int, reason: str | None) -> None:
    """Save why an issue is held, as in the mail to the editors."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(notified_hold=reason))


def save_opening_fault(connection: Connection, issue_id: int, reason: str) -> None:
    """Save why the send of an issue did not open when it was due. Opening it deletes the reason."""
    is_new = (issue.c.id == issue_id) & issue.c.opened_at.is_(None)
    connection.execute(update(issue).where(is_new).values(opening_fault=reason))
