"""Archive pages: which article stands on which page of a feed's history, for ever (RFC 5005 §4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from publisher.model.taxonomy import FacetKind
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import article
from publisher.storage.tables.feeds import archived, dirty_feed, dirty_page, facet, membership

__all__ = [
    "add_to_archives",
    "clear_dirty_pages",
    "delete_archives",
    "dirty_pages",
    "fill_page",
    "last_page_number",
    "mark_all_pages_dirty",
    "mark_page_dirty",
    "mark_pages_dirty",
    "page_articles",
    "remove_from_archives",
    "replace_archived_articles",
    "start_archives",
    "unpaged_articles",
]


def add_to_archives(connection: Connection, rows: Iterable[tuple[int, int]], known: Collection[int]) -> None:
    """Let articles (facet, arrival number) wait for a page of the facet's archive.

    Those of the articles ``known`` that wait already, or stand on a page, go on as they do.
    """
    wanted = list(dict.fromkeys(rows))
    there: set[tuple[int, int]] = set()
    for page in batches(known):
        query = select(archived.c.facet_id, archived.c.article_seq).where(archived.c.article_seq.in_(page))
        there.update((facet_id, seq) for facet_id, seq in connection.execute(query))
    insert_rows(
        connection,
        archived,
        [{"facet_id": facet_id, "article_seq": seq} for facet_id, seq in wanted if (facet_id, seq) not in there],
    )


def remove_from_archives(connection: Connection, seqs: Collection[int], kept: Collection[tuple[int, int]] = ()) -> None:
    """Take articles off every archive page, but those of (facet, arrival number) that are kept."""
    gone: list[tuple[int, int]] = []
    for page in batches(seqs):
        query = select(archived.c.facet_id, archived.c.article_seq).where(archived.c.article_seq.in_(page))
        gone += [(facet_id, seq) for facet_id, seq in connection.execute(query) if (facet_id, seq) not in kept]
    for facet_id, seq in gone:
        connection.execute(delete(archived).where(archived.c.facet_id == facet_id, archived.c.article_seq == seq))


def replace_archived_articles(connection: Connection, facet_id: int, seqs: Collection[int]) -> None:
    """Give a facet's archive these articles and no other: pages lose those that are gone, new ones wait for theirs."""
    query = select(archived.c.article_seq, archived.c.page).where(archived.c.facet_id == facet_id)
    before = dict(iter(connection.execute(query)))
    wanted = set(seqs)
    for page in sorted({page for seq, page in before.items() if seq not in wanted and page is not None}):
        mark_page_dirty(connection, facet_id, page)
    for some in batches(set(before) - wanted):
        connection.execute(delete(archived).where(archived.c.facet_id == facet_id, archived.c.article_seq.in_(some)))
    fresh = [{"facet_id": facet_id, "article_seq": seq} for seq in seqs if seq not in before]
    insert_rows(connection, archived, fresh)


def start_archives(connection: Connection, kind: FacetKind) -> None:
    """Let every article of every facet of a kind wait for its pages."""
    members = (
        select(membership.c.facet_id, membership.c.article_seq)
        .join(facet, facet.c.id == membership.c.facet_id)
        .outerjoin(
            archived,
            (archived.c.facet_id == membership.c.facet_id) & (archived.c.article_seq == membership.c.article_seq),
        )
        .where(facet.c.kind == kind.value, archived.c.article_seq.is_(None))
    )
    connection.execute(insert(archived).from_select(["facet_id", "article_seq"], members))


def delete_archives(connection: Connection, kind: FacetKind) -> None:
    """Forget the archives of every facet of a kind."""
    which = select(facet.c.id).where(facet.c.kind == kind.value)
    connection.execute(delete(dirty_page).where(dirty_page.c.facet_id.in_(which)))
    connection.execute(delete(archived).where(archived.c.facet_id.in_(which)))


def unpaged_articles(connection: Connection, facet_id: int, now: int) -> list[int]:
    """Return the arrival numbers of a facet's articles that are out and on no page yet, oldest first."""
    query = (
        select(archived.c.article_seq)
        .join(article, article.c.seq == archived.c.article_seq)
        .where(archived.c.facet_id == facet_id, archived.c.page.is_(None), article.c.changed_at <= now)
        .order_by(article.c.published_at)
    )
    return list(connection.execute(query).scalars())


def last_page_number(connection: Connection, facet_id: int) -> int:
    """Return the number of a facet's newest archive page, 0 before the first."""
    query = select(func.coalesce(func.max(archived.c.page), 0)).where(archived.c.facet_id == facet_id)
    return int(connection.execute(query).scalar_one())


def fill_page(connection: Connection, facet_id: int, page: int, seqs: Sequence[int]) -> None:
    """Put articles on an archive page, for ever, and note that it is to be staged."""
    for some in batches(seqs):
        query = update(archived).where(archived.c.facet_id == facet_id, archived.c.article_seq.in_(some))
        connection.execute(query.values(page=page))
    mark_page_dirty(connection, facet_id, page)


def page_articles(connection: Connection, facet_id: int, page: int, now: int) -> list[int]:
    """Return the arrival numbers of the articles on an archive page that are out at ``now``, newest first."""
    query = (
        select(archived.c.article_seq)
        .join(article, article.c.seq == archived.c.article_seq)
        .where(archived.c.facet_id == facet_id, archived.c.page == page, article.c.changed_at <= now)
        .order_by(article.c.published_at.desc())
    )
    return list(connection.execute(query).scalars())


def mark_page_dirty(connection: Connection, facet_id: int, page: int) -> None:
    """Note that an archive page is to be staged again, and with it its feed."""
    known = exists().where(dirty_page.c.facet_id == facet_id, dirty_page.c.page == page)
    if not connection.execute(select(known)).scalar():
        connection.execute(insert(dirty_page).values(facet_id=facet_id, page=page))


def mark_pages_dirty(connection: Connection, seqs: Collection[int]) -> None:
    """Note that every archive page on which one of the articles stands is to be staged again."""
    found: set[tuple[int, int]] = set()
    for some in batches(seqs):
        query = select(archived.c.facet_id, archived.c.page).where(
            archived.c.article_seq.in_(some), archived.c.page.is_not(None)
        )
        found.update((facet_id, page) for facet_id, page in connection.execute(query))
    for facet_id, page in sorted(found):
        mark_page_dirty(connection, facet_id, page)


def mark_all_pages_dirty(connection: Connection) -> None:
    """Note that every archive page of every feed that is to be staged again is, too."""
    connection.execute(delete(dirty_page))
    every = (
        select(archived.c.facet_id, archived.c.page)
        .join(dirty_feed, dirty_feed.c.facet_id == archived.c.facet_id)
        .where(archived.c.page.is_not(None))
        .distinct()
    )
    connection.execute(insert(dirty_page).from_select(["facet_id", "page"], every))


def dirty_pages(connection: Connection, facet_id: int) -> list[int]:
    """Return the numbers of a facet's archive pages that are to be staged again."""
    query = select(dirty_page.c.page).where(dirty_page.c.facet_id == facet_id).order_by(dirty_page.c.page)
    return list(connection.execute(query).scalars())


def clear_dirty_pages(connection: Connection, facet_id: int, numbers: Collection[int]) -> None:
    """Note that archive pages of a facet have been staged."""
    for some in batches(numbers):
        connection.execute(delete(dirty_page).where(dirty_page.c.facet_id == facet_id, dirty_page.c.page.in_(some)))
