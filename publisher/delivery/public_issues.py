"""What can be read on the web: articles, and issues that are out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import store
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.model.articles import Article
from publisher.model.delivery import DeliveryState
from publisher.model.digests import SendPolicy
from publisher.settings import Site
from publisher.storage.engine import Database

__all__ = ["IssuePage", "article_at", "issue_page", "newest_articles", "newest_public_issue", "public_issues"]

#: Issues that are looked at for one of which every copy has left.
_MAX_CANDIDATES = 5
#: States of copies that are still to leave.
_UNSENT_STATES = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePage:
    """An issue as everybody may read it, with its neighbours."""

    issue: IssueRow
    #: As it was sent; empty where an article of it was withdrawn since.
    html: str
    #: Its other articles, where one was withdrawn.
    other_articles: tuple[Article, ...]
    #: The issue of the same newsletter before it, and the one after it.
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
    """Return issues that are out, newest first (after a time: oldest first): nothing keeps them back.

    Drafts, and what an editor has still to approve, are nobody's business.
    """
    if digest not in site.digests:
        return []
    is_auto = site.digests[digest].send is SendPolicy.AUTO
    return issues.public_issues(connection, digest, is_auto=is_auto, name=name, before=before, after=after, limit=limit)


def newest_public_issue(connection: Connection, site: Site, digest: str) -> IssueRow | None:
    """Return the newest issue of which every copy has left; None where there is none."""
    for row in public_issues(connection, site, digest, limit=_MAX_CANDIDATES):
        counts = deliveries.state_counts(connection, row.id).get(row.id, {})
        if not any(counts.get(state) for state in _UNSENT_STATES):
            return row
    return None


def issue_page(site: Site, db: Database, digest: str, name: str) -> IssuePage | None:
    """Return an issue to read; None where there is none of that name, or it is not out."""
    with db.read() as connection:
        rows = public_issues(connection, site, digest, name=name, limit=1)
        if not rows:
            return None
        row = rows[0]
        html = issues.issue_files(connection, row.id).get("index.html")
        gone = set(issues.withdrawn_article_ids(connection, row.id))
        seqs = issues.issue_article_seqs(connection, row.id) if gone else []
        every = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        older = public_issues(connection, site, digest, before=row.slot, limit=1)
        newer = public_issues(connection, site, digest, after=row.slot, limit=1)
    if html is None:
        return None
    return IssuePage(
        issue=row,
        html="" if gone else html.decode(),
        other_articles=tuple(every[seq] for seq in seqs if seq in every and every[seq].id not in gone),
        previous=older[0] if older else None,
        next=newer[0] if newer else None,
    )


def newest_articles(site: Site, db: Database, now: datetime, most: int) -> Sequence[Article]:
    """Return the articles that came out last, newest first."""
    with db.read() as connection:
        seqs = store.newest_seqs(connection, int(now.timestamp()), most)
        found = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
    return [found[seq] for seq in seqs]


def article_at(site: Site, db: Database, path: str, now: datetime) -> Article | None:
    """Return the article at a path below base_url; None where there is none, or it is not out or was withdrawn."""
    with db.read() as connection:
        seq = store.seq_at_path(connection, path, int(now.timestamp()))
        if seq is None:
            return None
        return store.articles_by_seq(connection, [seq], site.base_url, site.tz)[seq]
