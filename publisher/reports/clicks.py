"""Redirect clicks on articles of an issue, and count them."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.articles import store
from publisher.delivery.public_issues import public_issues
from publisher.digests import store as issues
from publisher.reports import statistics_store as statistics
from publisher.settings import Site

__all__ = ["count_click"]


def count_click(
    site: Site, connection: Connection, digest: str, name: str, seq: int, *, is_program: bool, is_counted: bool = True
) -> str | None:
    """Return the URL of an article of an issue, and count the click; None without one.

    The URL comes from the database, so a forged link cannot lead elsewhere.
    """
    from publisher.digests.render import tracking_parameters
    from publisher.digests.story import with_tracking

    row = issues.get_issue(connection, digest, name)
    if row is None or digest not in site.digests or seq not in issues.issue_article_seqs(connection, row.id):
        return None
    articles = store.articles_by_seq(connection, [seq], site.base_url, site.tz)
    # Clicks of editors on a draft are not counted.
    if is_counted and public_issues(connection, site, digest, name=name, limit=1):
        statistics.add_click(connection, row.id, seq, is_program=is_program)
    return with_tracking(articles[seq].link, tracking_parameters(site.digests[digest].digest(digest), row.number))
