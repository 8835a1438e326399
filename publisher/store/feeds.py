"""Feeds: what is dirty, entries made once per revision, what is staged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, literal, select

from publisher.model import FacetKind
from publisher.store.bulk import insert_rows
from publisher.store.schema import article, dirty, entry, facet, feed, membership, staged

__all__ = [
    "Facet",
    "FeedRow",
    "StagedFile",
    "Window",
    "clean",
    "count_members",
    "dirty_facets",
    "drop_feed",
    "drop_staged",
    "entries",
    "facets",
    "feed_rows",
    "mark_all_dirty",
    "mark_dirty",
    "newest_change",
    "save_entries",
    "save_feed",
    "save_staged",
    "staged_files",
    "stale_entries",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """Something that a feed can be about."""

    id: int
    kind: FacetKind
    label: str
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """A feed as it was last staged."""

    facet: Facet
    #: How many articles it has, in the feed and beyond its limit.
    articles: int
    changed_at: int
    #: Its newest headlines, JSON.
    latest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A file as it was written."""

    #: Relative to the site's folder of its kind: ``feeds/all.rss``, ``outbox/…``.
    path: str
    owner: str
    sha256: str
    size: int
    mtime_ns: int


def _facet(row: Any) -> Facet:
    return Facet(id=row.id, kind=FacetKind(row.kind), label=row.label, slug=row.slug)


def facets(connection: Connection, kinds: Collection[FacetKind] | None = None) -> list[Facet]:
    """Return the facets of these kinds (of all), by kind and slug."""
    query = select(facet).order_by(facet.c.kind, facet.c.slug)
    if kinds is not None:
        query = query.where(facet.c.kind.in_([kind.value for kind in kinds]))
    return [_facet(row) for row in connection.execute(query)]


def mark_dirty(connection: Connection, ids: Iterable[int]) -> None:
    """Note that these feeds are to be staged again."""
    wanted = set(ids)
    if wanted:
        wanted -= set(connection.execute(select(dirty.c.facet_id)).scalars())
    if wanted:
        insert_rows(connection, dirty, [{"facet_id": number} for number in sorted(wanted)])


def mark_all_dirty(connection: Connection) -> None:
    """Note that every feed is to be staged again."""
    connection.execute(delete(dirty))
    connection.execute(insert(dirty).from_select(["facet_id"], select(facet.c.id)))


def dirty_facets(connection: Connection) -> list[Facet]:
    """Return the feeds that are to be staged again, by kind and slug."""
    query = select(facet).join(dirty, dirty.c.facet_id == facet.c.id).order_by(facet.c.kind, facet.c.slug)
    return [_facet(row) for row in connection.execute(query)]


def clean(connection: Connection, ids: Collection[int]) -> None:
    """Note that these feeds have been staged."""
    connection.execute(delete(dirty).where(dirty.c.facet_id.in_(list(ids))))


def count_members(connection: Connection, facet_id: int, now: int) -> int:
    """Return how many of a facet's articles are out at ``now``."""
    query = (
        select(func.count())
        .select_from(membership)
        .where(membership.c.facet_id == facet_id, membership.c.published_at <= now)
    )
    return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which articles stand in a feed: the newest of a facet that are out at a time."""

    facet_id: int
    #: Seconds since 1970.
    now: int
    #: How many; None for all.
    limit: int | None

    def rows(self, query: Select[Any]) -> Select[Any]:
        """Narrow a query over the table of memberships to the window, newest first.

        The order is that of the table's own key, so nothing is sorted.
        """
        query = query.where(membership.c.facet_id == self.facet_id, membership.c.published_at <= self.now)
        query = query.order_by(membership.c.published_at.desc(), membership.c.article_seq.desc())
        return query.limit(self.limit) if self.limit else query


def stale_entries(connection: Connection, window: Window, fingerprint: str) -> list[int]:
    """Return those of the articles that have no entry made from what they and the settings are now."""
    is_stale = func.coalesce(entry.c.revision, "") != article.c.hash + literal(":" + fingerprint)
    query = window.rows(
        select(membership.c.article_seq, is_stale)
        .join(article, article.c.seq == membership.c.article_seq)
        .outerjoin(entry, entry.c.article_seq == membership.c.article_seq)
    )
    return sorted(seq for seq, stale in connection.execute(query) if stale)


def newest_change(connection: Connection, window: Window) -> int | None:
    """Return the latest change among the articles, seconds since 1970; None of no articles."""
    query = select(article.c.changed_at).join(membership, membership.c.article_seq == article.c.seq)
    inside = window.rows(query).subquery()
    found: int | None = connection.execute(select(func.max(inside.c.changed_at))).scalar()
    return found


def entries(connection: Connection, window: Window, form: str) -> Iterator[tuple[str, bytes]]:
    """Yield (text, entry in the format ``form``) of the articles, newest first, a few in memory at a time."""
    query = window.rows(
        select(func.coalesce(entry.c.body, article.c.body), entry.c[form])
        .select_from(membership)
        .join(article, article.c.seq == membership.c.article_seq)
        .join(entry, entry.c.article_seq == membership.c.article_seq)
    )
    yield from connection.execute(query, execution_options={"yield_per": 200})


def save_entries(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep entries (article_seq, revision, body, rss, atom, json) over older ones."""
    if rows:
        connection.execute(delete(entry).where(entry.c.article_seq.in_([row["article_seq"] for row in rows])))
        insert_rows(connection, entry, rows)


def save_feed(connection: Connection, facet_id: int, *, articles: int, changed_at: int, latest: str) -> None:
    """Keep what the page of feeds says about one of them."""
    connection.execute(delete(feed).where(feed.c.facet_id == facet_id))
    connection.execute(insert(feed).values(facet_id=facet_id, articles=articles, changed_at=changed_at, latest=latest))


def drop_feed(connection: Connection, facet_id: int) -> None:
    """Forget a feed that is no longer staged."""
    connection.execute(delete(feed).where(feed.c.facet_id == facet_id))


def feed_rows(connection: Connection) -> list[FeedRow]:
    """Return every staged feed, by kind and label."""
    query = (
        select(facet, feed.c.articles, feed.c.changed_at, feed.c.latest)
        .join(feed, feed.c.facet_id == facet.c.id)
        .order_by(facet.c.kind, facet.c.folded)
    )
    return [
        FeedRow(facet=_facet(row), articles=row.articles, changed_at=row.changed_at, latest=row.latest)
        for row in connection.execute(query)
    ]


def staged_files(connection: Connection, owner: str | None = None) -> list[StagedFile]:
    """Return what was staged, by path; only one owner's if asked."""
    query = select(staged).order_by(staged.c.path)
    if owner is not None:
        query = query.where(staged.c.owner == owner)
    return [StagedFile(**row) for row in connection.execute(query).mappings()]


def save_staged(connection: Connection, files: Sequence[StagedFile]) -> None:
    """Keep files as they were written."""
    if files:
        drop_staged(connection, [one.path for one in files])
        insert_rows(
            connection,
            staged,
            [
                {
                    "path": one.path,
                    "owner": one.owner,
                    "sha256": one.sha256,
                    "size": one.size,
                    "mtime_ns": one.mtime_ns,
                }
                for one in files
            ],
        )


def drop_staged(connection: Connection, paths: Sequence[str]) -> None:
    """Forget files that are no longer staged."""
    for at in range(0, len(paths), 5_000):
        connection.execute(delete(staged).where(staged.c.path.in_(list(paths[at : at + 5_000]))))
