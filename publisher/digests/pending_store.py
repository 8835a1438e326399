"""Queries of articles that editors requested for next issues, and removal of pending articles."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select, update

from publisher.digests.store import add_pending
from publisher.storage.bulk import batches
from publisher.storage.tables.digests import pending

__all__ = ["add_requested_article", "clear_requested_articles", "remove_pending", "requested_articles"]


def add_requested_article(connection: Connection, slug: str, seq: int) -> None:
    """Add an article to the digest's next issue at an editor's request; it is sufficient for an issue."""
    add_pending(connection, [(slug, seq)])
    requested = (pending.c.digest == slug) & (pending.c.article_seq == seq)
    connection.execute(update(pending).where(requested).values(is_added=True, carried_over=False))


def requested_articles(connection: Connection, slug: str) -> list[int]:
    """Return the arrival numbers of the articles that editors requested for the digest's next issue."""
    query = select(pending.c.article_seq).where(pending.c.digest == slug, pending.c.is_added)
    return list(connection.execute(query.order_by(pending.c.article_seq)).scalars())


def clear_requested_articles(connection: Connection, slug: str) -> None:
    """Clear the requests for the digest's next issue; the articles stay pending."""
    requested = (pending.c.digest == slug) & pending.c.is_added
    connection.execute(update(pending).where(requested).values(is_added=False))


def remove_pending(connection: Connection, slug: str, seqs: Iterable[int]) -> None:
    """Remove articles from those that are pending for the digest."""
    for page in batches(seqs):
        connection.execute(delete(pending).where(pending.c.digest == slug, pending.c.article_seq.in_(page)))
