"""Articles that editors add to a digest's next issue, and what waits for it no more."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select, update

from publisher.digests.store import add_pending
from publisher.storage.bulk import batches
from publisher.storage.tables.digests import pending

__all__ = ["add_requested_article", "clear_requested_articles", "remove_pending", "requested_articles"]


def add_requested_article(connection: Connection, slug: str, seq: int) -> None:
    """Let an article wait for the digest's next issue because an editor named it; it makes an issue by itself."""
    add_pending(connection, [(slug, seq)])
    mine = (pending.c.digest == slug) & (pending.c.article_seq == seq)
    connection.execute(update(pending).where(mine).values(is_added=True, carried_over=False))


def requested_articles(connection: Connection, slug: str) -> list[int]:
    """Return the arrival numbers of the articles that an editor added to the digest's next issue."""
    query = select(pending.c.article_seq).where(pending.c.digest == slug, pending.c.is_added)
    return list(connection.execute(query.order_by(pending.c.article_seq)).scalars())


def clear_requested_articles(connection: Connection, slug: str) -> None:
    """Forget that an editor added articles to the digest's next issue; they wait as all others do."""
    mine = (pending.c.digest == slug) & pending.c.is_added
    connection.execute(update(pending).where(mine).values(is_added=False))


def remove_pending(connection: Connection, slug: str, seqs: Iterable[int]) -> None:
    """Let articles wait for the digest no more."""
    for page in batches(seqs):
        connection.execute(delete(pending).where(pending.c.digest == slug, pending.c.article_seq.in_(page)))
