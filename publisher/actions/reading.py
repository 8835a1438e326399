"""What can be read on the web: articles, and issues that are out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from publisher.config import Site
from publisher.model import Article, DeliveryState, SendPolicy
from publisher.store import articles as store
from publisher.store import deliveries, issues, listening
from publisher.store.database import Database
from publisher.store.issues import IssueRow

__all__ = ["IssuePage", "article_at", "issue_page", "newest_articles", "newest_public", "opened", "public_issues"]

#: States of copies that are still to leave.
_LEAVING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePage:
    """An issue as everybody may read it, with its neighbours."""

    issue: IssueRow
    html: str
    #: The issue of the same newsletter before it, and the one after it.
    previous: IssueRow | None
    next: IssueRow | None


def public_issues(connection: Connection, site: Site, digest: str | None = None) -> list[IssueRow]:
    """Return issues that are out, newest first: an editor has let them go, or nothing keeps them back.

    Drafts, and what an editor has still to approve, are nobody's business.
    """
    return [
        row
        for row in issues.issues(connection)
        if (digest is None or row.digest == digest)
        and row.digest in site.digests
        and row.is_staged
        and row.may_be_sent
        and (row.approved is not None or site.digests[row.digest].send is SendPolicy.AUTO)
    ]


def newest_public(connection: Connection, site: Site, digest: str) -> IssueRow | None:
    """Return the newest issue of which every copy has left; None where there is none."""
    for row in public_issues(connection, site, digest):
        counts = deliveries.state_counts(connection, row.id).get(row.id, {})
        if not any(counts.get(state) for state in _LEAVING):
            return row
    return None


def issue_page(site: Site, db: Database, digest: str, name: str) -> IssuePage | None:
    """Return an issue to read; None where there is none of that name, or it is not out."""
    with db.read() as connection:
        rows = public_issues(connection, site, digest)
        place = next((place for place, row in enumerate(rows) if row.name == name), None)
        if place is None:
            return None
        html = issues.issue_files(connection, rows[place].id).get("index.html")
    if html is None:
        return None
    return IssuePage(
        issue=rows[place],
        html=html.decode(),
        previous=rows[place + 1] if place + 1 < len(rows) else None,
        next=rows[place - 1] if place else None,
    )


def newest_articles(site: Site, db: Database, now: datetime, most: int) -> Sequence[Article]:
    """Return the articles that came out last, newest first."""
    with db.read() as connection:
        seqs = store.newest(connection, int(now.timestamp()), most)
        found = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
    return [found[seq] for seq in seqs]


def article_at(site: Site, db: Database, path: str, now: datetime) -> Article | None:
    """Return the article at a path below base_url; None where there is none, or it is not out or was withdrawn."""
    with db.read() as connection:
        seq = store.at_path(connection, path, int(now.timestamp()))
        if seq is None:
            return None
        return store.articles_by_seq(connection, [seq], site.base_url, site.tz)[seq]


def opened(site: Site, connection: Connection, digest: str, name: str, seq: int, *, is_program: bool) -> str | None:
    """Count that an article was opened from an issue, and return where it is; None where the issue has no such one.

    The address is the article's own: no link can be made that leads elsewhere.
    """
    from publisher.render.digest import utm_of
    from publisher.render.story import tracked

    row = next((one for one in issues.issues(connection) if (one.digest, one.name) == (digest, name)), None)
    if row is None or digest not in site.digests or seq not in issues.articles_of(connection, row.id):
        return None
    found = store.articles_by_seq(connection, [seq], site.base_url, site.tz)
    listening.add_click(connection, row.id, seq, is_program=is_program)
    return tracked(found[seq].link, utm_of(site.digests[digest].digest(digest), row.number))
