"""Articles of the public archive."""

from __future__ import annotations

from collections.abc import Sequence

from publisher.articles import store
from publisher.context import Context
from publisher.model.articles import Article


def newest_articles(context: Context, most: int) -> Sequence[Article]:
    """Return the articles that were published last, newest first."""
    site = context.site
    with context.db.read() as connection:
        seqs = store.newest_seqs(connection, context.seconds, most)
        articles = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
    return [articles[seq] for seq in seqs]


def article_at(context: Context, path: str) -> Article | None:
    """Return the article at a path below base_url; None if there is none, or it is not published or was withdrawn.

    Args:
        path: what the article's URL has after base_url, with its first slash, such as ``/2026/01/bridge-opens``.
    """
    site = context.site
    with context.db.read() as connection:
        seq = store.seq_at_path(connection, path, context.seconds)
        if seq is None:
            return None
        return store.articles_by_seq(connection, [seq], site.base_url, site.tz)[seq]
