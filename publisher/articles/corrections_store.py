"""Corrections and withdrawals of published articles."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sqlalchemy import Connection, func, insert, select, update

from publisher.html.urls import url_path
from publisher.model.delivery import DeliveryState
from publisher.storage.bulk import batches
from publisher.storage.tables.articles import article, article_key, correction
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue, issue_article, next_issue_note

__all__ = [
    "ArticleMatch",
    "Retraction",
    "add_correction",
    "clear_retraction",
    "clear_send_overrides",
    "drop_retraction_reason",
    "find_articles",
    "issue_folders_with",
    "last_correction_times",
    "list_retractions",
    "mark_retracted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleMatch:
    """An article that a person has named."""

    seq: int
    id: str
    #: Its address: the record's own, or the path below the site's.
    path: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """An article that was withdrawn."""

    seq: int
    id: str
    retracted_at: int
    #: The editor's; None where the record became a draft.
    reason: str | None
    #: The record without its body, JSON.
    record: str
    path: str


def find_articles(connection: Connection, name: str, base_url: str) -> list[ArticleMatch]:
    """Return the articles that a name may mean, at most ten: those of the first kind of name that fits.

    A name is an id, an address, the id of the export, a file in articles/, with its suffix or
    without, a path, or the last part of one.
    """
    # Addresses are percent-encoded, paths in the store are not.
    path = unquote(name.removeprefix(base_url)) if name.startswith(base_url + "/") else name
    file = name.removeprefix("./").removeprefix("articles/")
    keys = [f"id:{name}", f"url:{name}", f"file:{file}"]
    columns = (article.c.seq, article.c.id, article.c.path, article.c.source)
    by_key = select(article_key.c.article_seq).where(article_key.c.key.in_(keys))
    tail = article.c.path.endswith("/" + name.strip("/"), autoescape=True)
    for condition in (
        article.c.id == name,
        article.c.seq.in_(by_key),
        article.c.path.in_([path, "/" + path.strip("/")]),
        article.c.source == file,
        tail,
        article.c.source.startswith(f"{file}.", autoescape=True),
    ):
        found = connection.execute(select(*columns).where(condition).order_by(article.c.seq).limit(10)).all()
        if found:
            return [ArticleMatch(seq=row.seq, id=row.id, path=url_path(row.path), source=row.source) for row in found]
    return []


def add_correction(connection: Connection, seq: int, at: int, note: str) -> None:
    """Keep what was put right in an article; its last change is now that."""
    connection.execute(insert(correction).values(article_seq=seq, corrected_at=at, note=note))
    connection.execute(update(article).where(article.c.seq == seq).values(changed_at=at))


def last_correction_times(connection: Connection, seqs: Collection[int]) -> dict[int, int]:
    """Return arrival number → the instant of the last correction, for those that have one."""
    found: dict[int, int] = {}
    for some in batches(seqs):
        query = (
            select(correction.c.article_seq, func.max(correction.c.corrected_at))
            .where(correction.c.article_seq.in_(some))
            .group_by(correction.c.article_seq)
        )
        found.update((seq, at) for seq, at in connection.execute(query))
    return found


def mark_retracted(connection: Connection, seq: int, at: int, reason: str) -> None:
    """Withdraw an article with a reason for everybody to read. It leads no issue.

    No issue carries it while it is withdrawn; digests that it waits for carry it when the withdrawal is taken back.
    """
    connection.execute(update(article).where(article.c.seq == seq).values(retracted_at=at, retraction=reason))
    connection.execute(update(next_issue_note).where(next_issue_note.c.lead_seq == seq).values(lead_seq=None))
    clear_send_overrides(connection, [seq])


#: States of deliveries that are sent no more.
_CLOSED: Final = (DeliveryState.ACCEPTED.value, DeliveryState.FAILED.value, DeliveryState.SUPPRESSED.value)


def clear_send_overrides(connection: Connection, seqs: Iterable[int]) -> None:
    """Hold back issues that carry the articles and are still to be sent to somebody.

    A reason that an editor gave before, for sending an issue in spite of errors, was not given for this.
    """
    for some in batches(seqs):
        carrying = select(issue_article.c.issue_id).where(issue_article.c.article_seq.in_(some))
        waiting = select(delivery.c.issue_id).where(
            delivery.c.issue_id.in_(carrying),
            delivery.c.state.not_in(_CLOSED),
        )
        connection.execute(update(issue).where(issue.c.id.in_(waiting)).values(forced=None))


def clear_retraction(connection: Connection, seq: int, at: int) -> None:
    """Take a withdrawal back; the article's last change is now that."""
    values = {"retracted_at": None, "retraction": None, "changed_at": at}
    connection.execute(update(article).where(article.c.seq == seq).values(values))


def drop_retraction_reason(connection: Connection, seq: int) -> None:
    """Take an editor's withdrawal back from an article that is a draft: it stays withdrawn, without a reason."""
    connection.execute(update(article).where(article.c.seq == seq).values(retraction=None))


def list_retractions(connection: Connection) -> list[Retraction]:
    """Return the articles that were withdrawn, the last one first.

    An article that became a draft after it was published is among them, without a reason.
    """
    query = (
        select(
            article.c.seq,
            article.c.id,
            article.c.retracted_at,
            article.c.retraction.label("reason"),
            article.c.record,
            article.c.path,
        )
        .where(
            article.c.retracted_at.is_not(None),
            article.c.retraction.is_not(None) | (article.c.published_at <= article.c.retracted_at),
        )
        .order_by(article.c.retracted_at.desc(), article.c.seq.desc())
    )
    return [Retraction(**row) for row in connection.execute(query).mappings()]


def issue_folders_with(connection: Connection, seq: int) -> list[str]:
    """Return the folders under outbox/ of the issues that carry an article, newest first."""
    query = (
        select(issue.c.digest, issue.c.name)
        .join(issue_article, issue_article.c.issue_id == issue.c.id)
        .where(issue_article.c.article_seq == seq)
        .order_by(issue.c.slot.desc(), issue.c.digest)
    )
    return [f"{digest}/{name}" for digest, name in connection.execute(query)]
