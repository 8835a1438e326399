"""Corrections and withdrawals of published articles."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from publisher.model.delivery import FINAL_STATES
from publisher.storage.bulk import batches
from publisher.storage.tables.articles import article, correction
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue, issue_article, next_issue_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """A withdrawn article."""

    seq: int
    id: str
    #: Seconds since 1970.
    retracted_at: int
    #: The editor's reason; None if the record became a draft.
    reason: str | None
    #: The record without its body, as JSON.
    record: str
    path: str


def add_correction(connection: Connection, seq: int, at: int, note: str) -> None:
    """Store a correction of an article and set its change time to AT (seconds since 1970)."""
    connection.execute(insert(correction).values(article_seq=seq, corrected_at=at, note=note))
    connection.execute(update(article).where(article.c.seq == seq).values(changed_at=at))


def last_correction_times(connection: Connection, seqs: Collection[int]) -> dict[int, int]:
    """Return the time of the last correction by arrival number, for articles that have one."""
    times: dict[int, int] = {}
    for page in batches(seqs):
        query = (
            select(correction.c.article_seq, func.max(correction.c.corrected_at))
            .where(correction.c.article_seq.in_(page))
            .group_by(correction.c.article_seq)
        )
        times.update((seq, at) for seq, at in connection.execute(query))
    return times


def mark_retracted(connection: Connection, seq: int, at: int, reason: str) -> None:
    """Withdraw an article with a public reason, and remove it as the lead of next issues.

    It stays pending: digests carry it after the withdrawal is undone.
    """
    connection.execute(update(article).where(article.c.seq == seq).values(retracted_at=at, retraction=reason))
    connection.execute(update(next_issue_note).where(next_issue_note.c.lead_seq == seq).values(lead_seq=None))
    clear_send_overrides(connection, [seq])


def clear_send_overrides(connection: Connection, seqs: Iterable[int]) -> None:
    """Clear the override of blocking errors for unsent issues that carry the articles.

    An editor who allowed an issue to be sent despite errors did not know about this change.
    """
    for page in batches(seqs):
        carrying = select(issue_article.c.issue_id).where(issue_article.c.article_seq.in_(page))
        waiting = select(delivery.c.issue_id).where(
            delivery.c.issue_id.in_(carrying),
            delivery.c.state.not_in(FINAL_STATES),
        )
        is_unsent = issue.c.id.in_(waiting) | (issue.c.id.in_(carrying) & issue.c.opened_at.is_(None))
        connection.execute(update(issue).where(is_unsent).values(forced=None))


def clear_retraction(connection: Connection, seq: int, at: int) -> None:
    """Undo a withdrawal and set the change time of the article to AT (seconds since 1970)."""
    values = {"retracted_at": None, "retraction": None, "changed_at": at}
    connection.execute(update(article).where(article.c.seq == seq).values(values))


def drop_retraction_reason(connection: Connection, seq: int) -> None:
    """Remove the editor's reason from a withdrawn article whose record is a draft."""
    connection.execute(update(article).where(article.c.seq == seq).values(retraction=None))


def list_retractions(connection: Connection) -> list[Retraction]:
    """Return the withdrawn articles, most recent first.

    They include articles that became drafts after publication; these have no reason.
    """
    columns = [article.c[name] for name in ("seq", "id", "retracted_at", "record", "path")]
    query = (
        select(*columns, article.c.retraction.label("reason"))
        .where(
            article.c.retracted_at.is_not(None),
            article.c.retraction.is_not(None) | (article.c.published_at <= article.c.retracted_at),
        )
        .order_by(article.c.retracted_at.desc(), article.c.seq.desc())
    )
    return [Retraction(**row) for row in connection.execute(query).mappings()]


def issues_with(connection: Connection, seq: int, *, is_opened: bool) -> list[str]:
    """Return the approved issues that carry an article, newest first: those whose send has opened, or the others."""
    state = (
        issue.c.opened_at.is_not(None) if is_opened else issue.c.opened_at.is_(None) & issue.c.approved_at.is_not(None)
    )
    query = (
        select(issue.c.digest, issue.c.name)
        .join(issue_article, issue_article.c.issue_id == issue.c.id)
        .where(issue_article.c.article_seq == seq, state)
        .order_by(issue.c.slot.desc(), issue.c.digest)
    )
    return [f"{digest}/{name}" for digest, name in connection.execute(query)]
