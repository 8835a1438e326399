"""Queries for the expiry times of published articles."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, select

from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import article, expiry


def save_expiries(connection: Connection, expiries: Mapping[int, int | None]) -> None:
    """Store when articles expire: arrival number → seconds since 1970, None for never."""
    for page in batches(expiries):
        connection.execute(delete(expiry).where(expiry.c.article_seq.in_(page)))
    rows = [{"article_seq": seq, "expires_at": at} for seq, at in expiries.items() if at is not None]
    insert_rows(connection, expiry, rows)


def expired_articles(connection: Connection, now: int) -> dict[int, int]:
    """Return the expiry times of expired articles that are not drafts yet, by arrival number."""
    query = (
        select(expiry.c.article_seq, expiry.c.expires_at)
        .join(article, article.c.seq == expiry.c.article_seq)
        .where(expiry.c.expires_at <= now, article.c.draft.is_(None))
    )
    return dict(iter(connection.execute(query)))


def next_expiry_time(connection: Connection, now: int) -> int | None:
    """Return the earliest expiry time after NOW, or None if no article expires."""
    return connection.execute(select(func.min(expiry.c.expires_at)).where(expiry.c.expires_at > now)).scalar()
