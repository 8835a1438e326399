"""Issues of the public archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from publisher.articles import store
from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.digests.public_version import PublicLink, public_html, public_links, public_text
from publisher.digests.store import IssueRow
from publisher.digests.variants_store import whole_variant
from publisher.model.articles import Article
from publisher.model.delivery import DeliveryState
from publisher.model.digests import IssueVariant
from publisher.model.result import Result
from publisher.settings import Site

#: Number of issues in which a completely sent one is looked for.
_MAX_CANDIDATES = 5
#: States of deliveries that are not sent yet.
_UNSENT_STATES = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePage(Result):
    """A public issue, with links to the issues before and after it."""

    issue: IssueRow
    #: HTML without personal links; empty if an article of the issue was withdrawn.
    html: str
    #: The same as plain text.
    text: str
    #: Public links that the HTML does not have.
    missing_links: tuple[PublicLink, ...]
    #: The articles that were not withdrawn, if one was.
    other_articles: tuple[Article, ...]
    #: The issue of the same digest before it; None for the first.
    previous: IssueRow | None
    #: The issue after it; None for the newest.
    next: IssueRow | None


def public_issues(connection: Connection, site: Site, digest: str, **options: Any) -> list[IssueRow]:
    """Return the public issues of a digest of the settings: those whose send is open. Options are those of the store."""
    return issues.public_issues(connection, digest, **options) if digest in site.digests else []


def newest_issues(context: Context, most: int) -> dict[str, list[IssueRow]]:
    """Return digest → at most MOST of its public issues, newest first, for the digests of the settings.

    An issue is public once its send is open.
    """
    with context.db.read() as connection:
        return {slug: public_issues(connection, context.site, slug, limit=most) for slug in context.site.digests}


def archived_issues(context: Context, digest: str, most: int, *, before: str | None = None) -> list[IssueRow] | None:
    """Return at most MOST public issues of a digest, newest first.

    Args:
        before: the name of an issue: only older ones are returned, or None if there is no such issue.
    """
    with context.db.read() as connection:
        later = public_issues(connection, context.site, digest, name=before, limit=1) if before is not None else []
        if before is not None and not later:
            return None
        return public_issues(connection, context.site, digest, before=later[0].slot if later else None, limit=most)


def newest_public_issue(connection: Connection, site: Site, digest: str) -> IssueRow | None:
    """Return the issue whose send opened last, of those of which every delivery is sent; None if there is none.

    New subscribers get it. A cancelled issue is none of them: an operator stopped it.
    """
    rows = public_issues(connection, site, digest, limit=_MAX_CANDIDATES)
    candidates = [row for row in rows if row.cancelled_at is None]
    for row in sorted(candidates, key=lambda row: row.opened_at or 0, reverse=True):
        counts = deliveries.state_counts(connection, row.id).get(row.id, {})
        if not any(counts.get(state) for state in _UNSENT_STATES):
            return row
    return None


def _staged_variant(connection: Connection, issue_id: int) -> IssueVariant | None:
    """Return the staged text of an issue that was made before issues had variants; None if it has no files."""
    files = issues.issue_files(connection, issue_id)
    if "index.html" not in files:
        return None
    return IssueVariant(articles=(), placeholder_hash="", html=files["index.html"], text=files.get("message.txt", b""))


def issue_page(context: Context, digest: str, name: str) -> IssuePage | None:
    """Return a public issue; None if there is no issue of that name, or it is not public."""
    site = context.site
    with context.db.read() as connection:
        row = next(iter(public_issues(connection, site, digest, name=name)), None)
        if row is None:
            return None
        variant = whole_variant(connection, row.id) or _staged_variant(connection, row.id)
        withdrawn = issues.withdrawn_articles(connection, row.id)
        seqs = issues.issue_article_seqs(connection, row.id) if withdrawn else []
        every = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        older = public_issues(connection, site, digest, before=row.slot, limit=1)
        newer = public_issues(connection, site, digest, after=row.slot, limit=1)
    if variant is None:
        return None
    title, links = site.digests[digest].title, public_links(site, digest, name)
    html, shown = public_html(variant, title, links)
    return IssuePage(
        issue=row,
        html="" if withdrawn else html,
        text="" if withdrawn else public_text(variant, title, links, site.issue_page_url(digest, name)),
        missing_links=tuple(links[key] for key in ("unsubscribe", "web_view") if key not in shown),
        other_articles=tuple(every[seq] for seq in seqs if seq in every and every[seq].id not in withdrawn),
        previous=older[0] if older else None,
        next=newer[0] if newer else None,
    )
