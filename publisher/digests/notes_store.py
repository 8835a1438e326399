"""Queries of editors' notes and lead articles for next issues, and of amended articles."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from publisher.storage.tables.articles import article, correction
from publisher.storage.tables.digests import issue, issue_article, next_issue_note


@dataclass(frozen=True, slots=True, kw_only=True)
class NextIssueNote:
    """The editor's note, lead article and order of the next issue."""

    #: Markdown; empty without a note.
    note: str = ""
    #: The arrival number of the lead article; None for the newest article.
    lead_seq: int | None = None
    #: Arrival numbers of articles in the order that an editor chose; empty for the usual order.
    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendedArticle:
    """An article of an earlier issue that was corrected or withdrawn since then."""

    seq: int
    at: int
    note: str
    withdrawn: bool


def load_next_issue_note(connection: Connection, digest: str) -> NextIssueNote:
    """Return the note of the digest's next issue."""
    row = connection.execute(select(next_issue_note).where(next_issue_note.c.digest == digest)).first()
    if row is None:
        return NextIssueNote()
    return NextIssueNote(note=row.note, lead_seq=row.lead_seq, order=tuple(json.loads(row.article_order or "[]")))


def save_next_issue_note(connection: Connection, digest: str, note: NextIssueNote) -> None:
    """Save the note of the digest's next issue, in place of an earlier one."""
    clear_next_issue_note(connection, digest)
    order = json.dumps(note.order) if note.order else None
    values = {"digest": digest, "note": note.note, "lead_seq": note.lead_seq, "article_order": order}
    connection.execute(insert(next_issue_note).values(**values))


def clear_next_issue_note(connection: Connection, digest: str) -> None:
    """Delete the note of the digest's next issue."""
    connection.execute(delete(next_issue_note).where(next_issue_note.c.digest == digest))


def amended_articles(connection: Connection, digest: str, now: int, without: Collection[int]) -> list[AmendedArticle]:
    """Return the articles of earlier issues that were amended since the approval of the last one, oldest first.

    Args:
        now: the current time (Unix time); later changes are left for the next issue.
        without: arrival numbers of articles to omit.
    """
    approvals = select(func.max(func.coalesce(issue.c.approved_at, issue.c.slot))).where(issue.c.digest == digest)
    since = connection.execute(approvals).scalar()
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
    amended = [
        AmendedArticle(seq=seq, at=at, note=note, withdrawn=is_withdrawn)
        for query, is_withdrawn in ((corrected, False), (withdrawn, True))
        for seq, at, note in connection.execute(query)
        if seq not in without
    ]
    return sorted(amended, key=lambda article: (article.at, article.seq))
