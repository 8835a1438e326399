"""Cancel the open deliveries of an issue, and return its articles to those who went without them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, select, update

from publisher.digests import approval_store as approvals
from publisher.digests import pending_store as pending
from publisher.digests.pending_store import PendingArticle
from publisher.digests.store import IssueRow
from publisher.digests.variants_store import load_variants
from publisher.model.delivery import NOT_HANDED_OVER, DeliveryState
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue, issue_article
from publisher.storage.tables.subscribers import subscription


def cancel_issue(connection: Connection, row: IssueRow, now: int, *, repeating: Collection[str] = ()) -> int:
    """Cancel the deliveries of an issue that were not handed over; return their number.

    The articles that were in them are pending again, for this digest and for every digest that omitted them because
    this one was to bring them. They make no issue by themselves, and no subscriber gets an article twice. Digests that are
    REPEATING omit nothing, and nothing is omitted because of them.
    """
    is_open = (delivery.c.issue_id == row.id) & delivery.c.state.in_(NOT_HANDED_OVER)
    missed = _missed_articles(connection, row, is_open, repeating)
    values = {"state": DeliveryState.CANCELLED.value, "changed_at": now, "answer": "the issue was cancelled"}
    cancelled = connection.execute(update(delivery).where(is_open).values(**values, sender_id=None)).rowcount
    if not cancelled:
        return 0
    approvals.mark_cancelled(connection, row.id, now)
    for slug, seqs in sorted(missed.items()):
        returned = [
            PendingArticle(seq=seq, carried_over=False, is_added=False, is_returned=True)
            for seq in _carried_by(connection, slug, seqs)
        ]
        pending.restore_pending(connection, slug, returned)
    return cancelled


def _missed_articles(
    connection: Connection, row: IssueRow, is_open: ColumnElement[bool], repeating: Collection[str]
) -> dict[str, set[int]]:
    """Return digest → the articles that subscribers of it do not get because the open deliveries are cancelled."""
    query = (
        select(subscription.c.digest, delivery.c.variant)
        .join(subscription, subscription.c.subscriber_id == delivery.c.subscriber_id)
        .where(is_open)
        .distinct()
    )
    variants = load_variants(connection, row.id)
    missed: dict[str, set[int]] = {}
    for slug, variant in connection.execute(query):
        if slug == row.digest or not {slug, row.digest} & set(repeating):
            missed.setdefault(slug, set()).update(variants[variant - 1].articles)
    return missed


def _carried_by(connection: Connection, slug: str, seqs: Collection[int]) -> list[int]:
    """Return those of the articles that an open issue of a digest had."""
    query = (
        select(issue_article.c.article_seq)
        .join(issue, issue.c.id == issue_article.c.issue_id)
        .where(issue.c.digest == slug, issue.c.opened_at.is_not(None), issue_article.c.article_seq.in_(seqs))
        .distinct()
    )
    return sorted(connection.execute(query).scalars())
