"""Queries of approved issues: their fixed text, and the steps of their life."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, and_, func, select, update

from publisher.digests.store import issue_file
from publisher.storage.tables.articles import article
from publisher.storage.tables.digests import issue, issue_article


def approved_texts(connection: Connection, issue_id: int) -> dict[int, str]:
    """Return arrival number → approved text of the articles of an issue, in order; empty once its send has opened."""
    query = select(issue_article.c.article_seq, issue_article.c.approved_text).where(
        issue_article.c.issue_id == issue_id, issue_article.c.approved_text.is_not(None)
    )
    return dict(iter(connection.execute(query.order_by(issue_article.c.position))))


def approved_titles(connection: Connection, issue_id: int) -> dict[str, str]:
    """Return ID → headline of the articles of an issue, as the issue has them."""
    metadata = json.loads(issue_file(connection, issue_id, "issue.json"))
    return {one["id"]: one["title"] for one in metadata.get("articles", [])}


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


def holding_articles(connection: Connection, issue_id: int) -> dict[str, int]:
    """Return the articles that hold an issue unless it is forced, withdrawn or later than its slot.

    Each ID with the time of its withdrawal; 0 for none.
    """
    holding = article.c.retracted_at.is_not(None) | (article.c.published_at > issue.c.slot)
    query = (
        select(article.c.id, func.coalesce(article.c.retracted_at, 0))
        .join(issue_article, issue_article.c.article_seq == article.c.seq)
        .join(issue, issue.c.id == issue_article.c.issue_id)
        .where(issue.c.id == issue_id, holding)
    )
    return dict(iter(connection.execute(query.order_by(issue_article.c.position))))


def save_forced_reason(
    connection: Connection, issue_id: int, reason: str, errors: Iterable[tuple[str, str]] = ()
) -> None:
    """Save why an issue may be sent in spite of ERRORS (rule, message) and of the articles that hold it now."""
    values = {
        "forced": reason,
        "forced_articles": json.dumps(holding_articles(connection, issue_id)),
        "forced_findings": json.dumps(sorted(set(errors)), ensure_ascii=False),
    }
    connection.execute(update(issue).where(issue.c.id == issue_id).values(**values))


def clear_forced_reason(connection: Connection, issue_id: int) -> None:
    """End the permission to send an issue in spite of errors: it has others than were shown."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(forced=None))
