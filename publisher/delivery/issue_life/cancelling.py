"""Cancel the open deliveries of an issue, and return its articles to those who went without them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select, update

from publisher.digests import approval_store as approvals
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.pending_store import PendingArticle
from publisher.digests.store import IssueRow
from publisher.model.delivery import DeliveryState
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue, issue_article

__all__ = ["NOT_HANDED_OVER", "cancel_issue"]

#: States before a message is handed over.
NOT_HANDED_OVER: Final = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)


def cancel_issue(connection: Connection, row: IssueRow, now: int) -> int:
    """Cancel the deliveries of an issue that were not handed over; return their number.

    The articles are pending again, for this digest and for every digest that omitted them because this one was to bring
    them. They make no issue by themselves, and nobody gets an article that they have.
    """
    is_open = (delivery.c.issue_id == row.id) & delivery.c.state.in_([state.value for state in NOT_HANDED_OVER])
    values = {"state": DeliveryState.SUPPRESSED.value, "changed_at": now, "answer": "the issue was cancelled"}
    cancelled = connection.execute(update(delivery).where(is_open).values(**values, sender_id=None)).rowcount
    if not cancelled:
        return 0
    approvals.mark_cancelled(connection, row.id, now)
    seqs = issues.issue_article_seqs(connection, row.id)
    for slug in [row.digest, *_digests_with(connection, seqs, row)]:
        returned = [
            PendingArticle(seq=seq, carried_over=False, is_added=False, is_returned=True)
            for seq in _carried_by(connection, slug, seqs)
        ]
        pending.restore_pending(connection, slug, returned)
    return cancelled


def _digests_with(connection: Connection, seqs: list[int], row: IssueRow) -> list[str]:
    """Return the other digests with an open issue that has one of the articles."""
    query = (
        select(issue.c.digest)
        .join(issue_article, issue_article.c.issue_id == issue.c.id)
        .where(issue_article.c.article_seq.in_(seqs), issue.c.opened_at.is_not(None), issue.c.digest != row.digest)
        .distinct()
    )
    return sorted(connection.execute(query).scalars())


def _carried_by(connection: Connection, slug: str, seqs: list[int]) -> list[int]:
    """Return those of the articles that an open issue of a digest had."""
    query = (
        select(issue_article.c.article_seq)
        .join(issue, issue.c.id == issue_article.c.issue_id)
        .where(issue.c.digest == slug, issue.c.opened_at.is_not(None), issue_article.c.article_seq.in_(seqs))
        .distinct()
    )
    return sorted(connection.execute(query).scalars())
