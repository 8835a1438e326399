"""Issues of the public archive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import store
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.model.articles import Article
from publisher.model.delivery import DeliveryState
from publisher.settings import Site
from publisher.storage.engine import Database

__all__ = ["IssuePage", "issue_page", "newest_public_issue", "public_issues"]

#: Number of issues in which a completely sent one is looked for.
_MAX_CANDIDATES = 5
#: States of deliveries that are not sent yet.
_UNSENT_STATES = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePage:
    """A public issue, with links to the issues before and after it."""

    issue: IssueRow
    #: The HTML as it was sent; empty if an article of the issue was withdrawn.
    html: str
    #: The articles that were not withdrawn, if one was.
    other_articles: tuple[Article, ...]
    #: The issue of the same digest before it, and the one after it.
    previous: IssueRow | None
    next: IssueRow | None


def public_issues(
    connection: Connection,
    site: Site,
    digest: str,
    *,
    name: str | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int | None = None,
) -> list[IssueRow]:
    """Return public issues: those whose send is open.

    Args:
        connection: the database.
        site: the settings.
        digest: the digest's slug.
        name: only the issue of this name.
        before: only issues with an earlier slot, newest first.
        after: only issues with a later slot, oldest first.
        limit: number of issues.
    """
    if digest not in site.digests:
        return []
    return issues.public_issues(connection, digest, name=name, before=before, after=after, limit=limit)


def newest_public_issue(connection: Connection, site: Site, digest: str) -> IssueRow | None:
    """Return the newest issue of which every delivery is sent; None if there is none."""
    for row in public_issues(connection, site, digest, limit=_MAX_CANDIDATES):
        counts = deliveries.state_counts(connection, row.id).get(row.id, {})
        if not any(counts.get(state) for state in _UNSENT_STATES):
            return row
    return None


def issue_page(site: Site, db: Database, digest: str, name: str) -> IssuePage | None:
    """Return a public issue; None if there is no issue of that name, or it is not public."""
    with db.read() as connection:
        rows = public_issues(connection, site, digest, name=name, limit=1)
        if not rows:
            return None
        row = rows[0]
        html = issues.issue_files(connection, row.id).get("index.html")
        withdrawn = set(issues.withdrawn_article_ids(connection, row.id))
        seqs = issues.issue_article_seqs(connection, row.id) if withdrawn else []
        every = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        older = public_issues(connection, site, digest, before=row.slot, limit=1)
        newer = public_issues(connection, site, digest, after=row.slot, limit=1)
    if html is None:
        return None
    return IssuePage(
        issue=row,
        html="" if withdrawn else html.decode(),
        other_articles=tuple(every[seq] for seq in seqs if seq in every and every[seq].id not in withdrawn),
        previous=older[0] if older else None,
        next=newer[0] if newer else None,
    )
