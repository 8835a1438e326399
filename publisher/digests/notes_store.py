"""What editors say of a digest's next issue: a note, and which article leads it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from publisher.storage.tables.articles import article, correction
from publisher.storage.tables.digests import issue, issue_article, next_issue_note

__all__ = [
    "AmendedArticle",
    "NextIssueNote",
    "amended_articles",
    "clear_next_issue_note",
    "load_next_issue_note",
    "save_next_issue_note",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextIssueNote:
    """What is said of the next issue."""

    #: Markdown; empty where nothing is said.
    note: str = ""
    #: The arrival number of the article that leads it; None for the newest.
    lead_seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendedArticle:
    """An article of an earlier issue that was put right or taken back since."""

    seq: int
    at: int
    note: str
    withdrawn: bool


def load_next_issue_note(connection: Connection, digest: str) -> NextIssueNote:
    """Return what is said of the digest's next issue."""
    query = select(next_issue_note.c.note, next_issue_note.c.lead_seq).where(next_issue_note.c.digest == digest)
    row = connection.execute(query).first()
    return NextIssueNote(note=row.note, lead_seq=row.lead_seq) if row else NextIssueNote()


def save_next_issue_note(connection: Connection, digest: str, said: NextIssueNote) -> None:
    """Keep what is said of the digest's next issue, in place of what was said before."""
    clear_next_issue_note(connection, digest)
    connection.execute(insert(next_issue_note).values(digest=digest, note=said.note, lead_seq=said.lead_seq))


def clear_next_issue_note(connection: Connection, digest: str) -> None:
    """Forget what was said of the digest's next issue."""
    connection.execute(delete(next_issue_note).where(next_issue_note.c.digest == digest))


def amended_articles(connection: Connection, digest: str, now: int, without: Collection[int]) -> list[AmendedArticle]:
    """Return what became of articles that the digest has carried, since its last issue, oldest first.

    Args:
        connection: to the store.
        digest: its slug.
        now: what happened later is left for the next issue.
        without: arrival numbers that are not asked for.
    """
    last = select(issue.c.slot).where(issue.c.digest == digest).order_by(issue.c.slot.desc()).limit(1)
    since = connection.execute(last).scalar()
    if since is None:
        return []
    carried = select(issue_article.c.article_seq).where(issue_article.c.digest == digest)
    corrected = (
        select(correction.c.article_seq, correction.c.corrected_at, correction.c.note)
        .join(article, article.c.seq == correction.c.article_seq)
        .where(correction.c.article_seq.in_(carried), article.c.retracted_at.is_(None))
        .where(correction.c.corrected_at > since, correction.c.corrected_at <= now)
    )
    withdrawn = select(article.c.seq, article.c.retracted_at, article.c.retraction).where(
        article.c.seq.in_(carried),
        article.c.retracted_at > since,
        article.c.retracted_at <= now,
        # An article that became a draft is withdrawn without a notice.
        article.c.retraction.is_not(None),
    )
    found = [
        AmendedArticle(seq=seq, at=at, note=note, withdrawn=is_withdrawn)
        for query, is_withdrawn in ((corrected, False), (withdrawn, True))
        for seq, at, note in connection.execute(query)
        if seq not in without
    ]
    return sorted(found, key=lambda one: (one.at, one.seq))
