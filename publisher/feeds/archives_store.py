"""Archive pages of feeds: the page of each article, which never changes (RFC 5005 §4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from publisher.model.taxonomy import FacetKind
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import article
from publisher.storage.tables.feeds import archived, dirty_feed, dirty_page, facet, membership


def _places(connection: Connection, seqs: Collection[int]) -> dict[tuple[int, int], int | None]:
    """Return (facet ID, arrival number) → page of the articles in all archives."""
    places: dict[tuple[int, int], int | None] = {}
    for batch in batches(seqs):
        query = select(archived.c.facet_id, archived.c.article_seq, archived.c.page)
        rows = connection.execute(query.where(archived.c.article_seq.in_(batch)))
        places |= {(facet_id, seq): page for facet_id, seq, page in rows}
    return places


def add_to_archives(connection: Connection, rows: Iterable[tuple[int, int]], known: Collection[int]) -> None:
    """Add articles (facet ID, arrival number) to the archives of facets; they get a page later.

    Those of the articles KNOWN that are already in the archive are left unchanged.
    """
    present = _places(connection, known)
    new = [place for place in dict.fromkeys(rows) if place not in present]
    insert_rows(connection, archived, [{"facet_id": facet_id, "article_seq": seq} for facet_id, seq in new])


def remove_from_archives(connection: Connection, seqs: Collection[int], kept: Collection[tuple[int, int]] = ()) -> None:
    """Remove articles from all archives, except the (facet ID, arrival number) in KEPT."""
    for facet_id, seq in _places(connection, seqs).keys() - set(kept):
        connection.execute(delete(archived).where(archived.c.facet_id == facet_id, archived.c.article_seq == seq))


def replace_archived_articles(connection: Connection, facet_id: int, seqs: Collection[int]) -> None:
    """Replace the articles of a facet's archive; articles that stay keep their page."""
    query = select(archived.c.article_seq, archived.c.page).where(archived.c.facet_id == facet_id)
    before = dict(iter(connection.execute(query)))
    wanted = set(seqs)
    for page in sorted({page for seq, page in before.items() if seq not in wanted and page is not None}):
        mark_page_dirty(connection, facet_id, page)
    for batch in batches(set(before) - wanted):
        connection.execute(delete(archived).where(archived.c.facet_id == facet_id, archived.c.article_seq.in_(batch)))
    added = [{"facet_id": facet_id, "article_seq": seq} for seq in seqs if seq not in before]
    insert_rows(connection, archived, added)


def start_archives(connection: Connection, kind: FacetKind) -> None:
    """Add all articles to the archives of the facets of a kind."""
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
    """Delete the archives of all facets of a kind."""
    facet_ids = select(facet.c.id).where(facet.c.kind == kind.value)
    connection.execute(delete(dirty_page).where(dirty_page.c.facet_id.in_(facet_ids)))
    connection.execute(delete(archived).where(archived.c.facet_id.in_(facet_ids)))


def unpaged_articles(connection: Connection, facet_id: int, now: int) -> list[int]:
    """Return the arrival numbers of a facet's published articles that have no page yet, oldest first."""
    return page_articles(connection, facet_id, None, now)[::-1]


def last_page_number(connection: Connection, facet_id: int) -> int:
    """Return the number of a facet's newest archive page; 0 if there is none."""
    query = select(func.coalesce(func.max(archived.c.page), 0)).where(archived.c.facet_id == facet_id)
    return int(connection.execute(query).scalar_one())


def fill_page(connection: Connection, facet_id: int, page: int, seqs: Sequence[int]) -> None:
    """Assign articles to an archive page permanently, and mark the page for staging."""
    for batch in batches(seqs):
        query = update(archived).where(archived.c.facet_id == facet_id, archived.c.article_seq.in_(batch))
        connection.execute(query.values(page=page))
    mark_page_dirty(connection, facet_id, page)


def page_articles(connection: Connection, facet_id: int, page: int | None, now: int) -> list[int]:
    """Return the arrival numbers of a page's articles that are published at NOW, newest first; None for no page yet."""
    query = (
        select(archived.c.article_seq)
        .join(article, article.c.seq == archived.c.article_seq)
        .where(archived.c.facet_id == facet_id, archived.c.page == page, article.c.changed_at <= now)
        .order_by(article.c.published_at.desc())
    )
    return list(connection.execute(query).scalars())


def mark_page_dirty(connection: Connection, facet_id: int, page: int) -> None:
    """Mark an archive page for staging."""
    known = exists().where(dirty_page.c.facet_id == facet_id, dirty_page.c.page == page)
    if not connection.execute(select(known)).scalar():
        connection.execute(insert(dirty_page).values(facet_id=facet_id, page=page))


def mark_pages_dirty(connection: Connection, seqs: Collection[int]) -> None:
    """Mark the archive pages that contain one of the articles for staging."""
    pages = {(facet_id, page) for (facet_id, _), page in _places(connection, seqs).items() if page is not None}
    for facet_id, page in sorted(pages):
        mark_page_dirty(connection, facet_id, page)


def mark_all_pages_dirty(connection: Connection) -> None:
    """Mark all archive pages of the feeds that are marked for staging."""
    connection.execute(delete(dirty_page))
    pages_of_dirty_feeds = (
        select(archived.c.facet_id, archived.c.page)
        .join(dirty_feed, dirty_feed.c.facet_id == archived.c.facet_id)
        .where(archived.c.page.is_not(None))
        .distinct()
    )
    connection.execute(insert(dirty_page).from_select(["facet_id", "page"], pages_of_dirty_feeds))


def dirty_pages(connection: Connection, facet_id: int) -> list[int]:
    """Return the numbers of a facet's archive pages that are marked for staging."""
    query = select(dirty_page.c.page).where(dirty_page.c.facet_id == facet_id).order_by(dirty_page.c.page)
    return list(connection.execute(query).scalars())


def clear_dirty_pages(connection: Connection, facet_id: int, numbers: Collection[int]) -> None:
    """Clear the marks of archive pages that were staged."""
    for batch in batches(numbers):
        connection.execute(delete(dirty_page).where(dirty_page.c.facet_id == facet_id, dirty_page.c.page.in_(batch)))
