"""Queries of digests that have begun, and of the articles that are pending for their next issues."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import article
from publisher.storage.tables.digests import digest, issue, issue_article, pending


class SkipKind(StrEnum):
    """Why a pending article is not in the next issue."""

    #: Left out of this newsletter, until that is undone or an issue opens.
    DISCARDED = "discarded"
    #: Kept for the issue after the next slot: one article, by a note, and a whole draft.
    LATER = "later"
    DRAFT_LATER = "draft later"


_LATER: Final = (SkipKind.LATER.value, SkipKind.DRAFT_LATER.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingArticle:
    """An article that is a candidate for the next issue of a digest."""

    seq: int
    #: True if an earlier issue was full.
    carried_over: bool
    #: True if an editor added it to the next issue.
    is_added: bool
    #: True if an issue that had it was cancelled.
    is_returned: bool


def started_digests(connection: Connection) -> dict[str, int]:
    """Return digest → the arrival number up to which articles are not pending."""
    return dict(iter(connection.execute(select(digest.c.slug, digest.c.since_seq))))


def has_started(connection: Connection, slug: str) -> bool:
    """Return whether a digest was started."""
    return connection.execute(select(digest.c.slug).where(digest.c.slug == slug)).first() is not None


def start_digest(connection: Connection, slug: str, *, since_seq: int) -> None:
    """Start a digest: articles up to SINCE_SEQ are not pending, unless they are added."""
    connection.execute(insert(digest).values(slug=slug, since_seq=since_seq))


def add_pending(connection: Connection, rows: Iterable[tuple[str, int]]) -> None:
    """Add articles (digest, arrival number) to the pending ones of their digest; idempotent."""
    wanted = list(dict.fromkeys(rows))
    seqs = {seq for _, seq in wanted}
    query = select(pending.c.digest, pending.c.article_seq).where(pending.c.article_seq.in_(seqs))
    waiting = {(slug, seq) for slug, seq in connection.execute(query)}
    new = [pair for pair in wanted if pair not in waiting]
    insert_rows(connection, pending, [{"digest": slug, "article_seq": seq, "carried_over": False} for slug, seq in new])


def without_carried(connection: Connection, rows: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the (digest, arrival number) of ROWS that no issue of the digest contains."""
    wanted = list(dict.fromkeys(rows))
    seqs = {seq for _, seq in wanted}
    query = (
        select(issue_article.c.digest, issue_article.c.article_seq)
        .join(issue, issue.c.id == issue_article.c.issue_id)
        .where(issue_article.c.article_seq.in_(seqs), issue.c.cancelled_at.is_(None))
    )
    carried = {(slug, seq) for slug, seq in connection.execute(query)}
    return [pair for pair in wanted if pair not in carried]


def pending_articles(connection: Connection, slug: str, until: int, slot: datetime) -> list[PendingArticle]:
    """Return the articles that the issue of SLOT may have, by arrival.

    Args:
        until: articles that are published by then (Unix time), and not withdrawn.
        slot: the issue's slot; articles that were skipped for it are left out.
    """
    columns = (pending.c.article_seq.label("seq"), pending.c.carried_over, pending.c.is_added, pending.c.is_returned)
    is_later = pending.c.skip.in_(_LATER) & (pending.c.skip_slot < int(slot.timestamp()))
    query = (
        select(*columns)
        .join(article, article.c.seq == pending.c.article_seq)
        .where(pending.c.digest == slug, article.c.published_at <= until, article.c.retracted_at.is_(None))
        .where(or_(pending.c.skip.is_(None), is_later))
        .order_by(pending.c.article_seq)
    )
    return [PendingArticle(**row) for row in connection.execute(query).mappings()]


def every_skipped_article(connection: Connection, slug: str) -> set[int]:
    """Return the arrival numbers of the articles that are skipped, for whatever time."""
    query = select(pending.c.article_seq).where(pending.c.digest == slug, pending.c.skip.is_not(None))
    return set(connection.execute(query).scalars())


def _update(connection: Connection, slug: str, seqs: Collection[int], **values: Any) -> None:
    for page in batches(seqs):
        rows = (pending.c.digest == slug) & pending.c.article_seq.in_(page)
        connection.execute(update(pending).where(rows).values(**values))


def mark_carried_over(connection: Connection, slug: str, seqs: Collection[int]) -> None:
    """Mark articles that an approved issue had no room for."""
    _update(connection, slug, seqs, carried_over=True)


def restore_pending(connection: Connection, slug: str, articles: Iterable[PendingArticle]) -> None:
    """Make articles pending again as they were before an issue had them."""
    rows = list(articles)
    add_pending(connection, [(slug, row.seq) for row in rows])
    for row in rows:
        states = {"carried_over": row.carried_over, "is_added": row.is_added, "is_returned": row.is_returned}
        _update(connection, slug, [row.seq], **states)


def skip_articles(
    connection: Connection, slug: str, seqs: Collection[int], why: SkipKind, slot: datetime | None = None
) -> None:
    """Leave pending articles out of the next issue; unless they are discarded, out of the issue of SLOT."""
    skip_slot = int(slot.timestamp()) if slot else None
    _update(connection, slug, seqs, skip=why.value, skip_slot=skip_slot, is_added=False)


def skipped_articles(connection: Connection, slug: str, slot: datetime) -> list[int]:
    """Return the arrival numbers of the articles that the issue of SLOT leaves to a later one."""
    rows = (pending.c.digest == slug) & pending.c.skip.in_(_LATER)
    query = select(pending.c.article_seq).where(rows, pending.c.skip_slot >= int(slot.timestamp()))
    return list(connection.execute(query.order_by(pending.c.article_seq)).scalars())


def unskip_articles(connection: Connection, slug: str, seqs: Collection[int]) -> None:
    """Put articles back into the next issue, however they were skipped."""
    _update(connection, slug, seqs, skip=None, skip_slot=None)


def restore_skipped(
    connection: Connection, slug: str, kinds: Collection[SkipKind], *, since: datetime | None = None
) -> list[int]:
    """Put skipped articles of some kinds back into the next issue, and return their arrival numbers.

    With SINCE, only those that were skipped for the issue of this slot or a later one.
    """
    rows = (pending.c.digest == slug) & pending.c.skip.in_([kind.value for kind in kinds])
    if since is not None:
        rows &= pending.c.skip_slot >= int(since.timestamp())
    seqs = list(connection.execute(select(pending.c.article_seq).where(rows)).scalars())
    unskip_articles(connection, slug, seqs)
    return seqs


def has_left_out(connection: Connection, slug: str) -> bool:
    """Return whether articles of a draft of the digest were discarded or kept for later."""
    kinds = (SkipKind.DISCARDED.value, SkipKind.DRAFT_LATER.value)
    query = select(pending.c.article_seq).where(pending.c.digest == slug, pending.c.skip.in_(kinds))
    return connection.execute(query.limit(1)).first() is not None


def delete_discarded(connection: Connection, slug: str) -> None:
    """Forget the discarded articles of a digest: an issue has opened since."""
    rows = (pending.c.digest == slug) & (pending.c.skip == SkipKind.DISCARDED.value)
    connection.execute(delete(pending).where(rows))


def add_requested_article(connection: Connection, slug: str, seq: int) -> None:
    """Add an article to the digest's next issue at an editor's request; it is sufficient for an issue."""
    add_pending(connection, [(slug, seq)])
    _update(connection, slug, [seq], is_added=True, carried_over=False)


def requested_articles(connection: Connection, slug: str) -> list[int]:
    """Return the arrival numbers of the articles that editors requested for the digest's next issue."""
    query = select(pending.c.article_seq).where(pending.c.digest == slug, pending.c.is_added)
    return list(connection.execute(query.order_by(pending.c.article_seq)).scalars())


def clear_requested_articles(connection: Connection, slug: str) -> None:
    """Clear the requests for the digest's next issue; the articles stay pending."""
    requested = (pending.c.digest == slug) & pending.c.is_added
    connection.execute(update(pending).where(requested).values(is_added=False))


def remove_pending(connection: Connection, slug: str, seqs: Iterable[int]) -> None:
    """Remove articles from those that are pending for the digest."""
    for page in batches(seqs):
        connection.execute(delete(pending).where(pending.c.digest == slug, pending.c.article_seq.in_(page)))
