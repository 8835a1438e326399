"""Articles of the public archive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from publisher.articles import store
from publisher.model.articles import Article
from publisher.settings import Site
from publisher.storage.engine import Database

__all__ = ["article_at", "newest_articles"]


def newest_articles(site: Site, db: Database, now: datetime, most: int) -> Sequence[Article]:
    """Return the articles that were published last, newest first."""
    with db.read() as connection:
        seqs = store.newest_seqs(connection, int(now.timestamp()), most)
        articles = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
    return [articles[seq] for seq in seqs]


def article_at(site: Site, db: Database, path: str, now: datetime) -> Article | None:
    """Return the article at a path below base_url; None if there is none, or it is not published or was withdrawn."""
    with db.read() as connection:
        seq = store.seq_at_path(connection, path, int(now.timestamp()))
        if seq is None:
            return None
        return store.articles_by_seq(connection, [seq], site.base_url, site.tz)[seq]
