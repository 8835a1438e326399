"""Feeds: what is dirty, entries made once per revision, what is staged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, literal, select

from publisher.model import FacetKind
from publisher.store.schema import article, dirty, entry, facet, feed, membership, staged

__all__ = [
    "Facet",
    "FeedRow",
    "StagedFile",
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
        connection.execute(insert(dirty), [{"facet_id": number} for number in sorted(wanted)])


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


def stale_entries(connection: Connection, seqs: Collection[int], fingerprint: str) -> list[int]:
    """Return those of the articles that have no entry made from what they and the settings are now."""
    query = (
        select(article.c.seq)
        .outerjoin(entry, entry.c.article_seq == article.c.seq)
        .where(
            article.c.seq.in_(list(seqs)),
            func.coalesce(entry.c.revision, "") != article.c.hash + literal(":" + fingerprint),
        )
        .order_by(article.c.seq)
    )
    return list(connection.execute(query).scalars())


def save_entries(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep entries (article_seq, revision, body, rss, atom, json) over older ones."""
    if rows:
        connection.execute(delete(entry).where(entry.c.article_seq.in_([row["article_seq"] for row in rows])))
        connection.execute(insert(entry), list(rows))


def entries(connection: Connection, seqs: Sequence[int], form: str) -> Iterator[tuple[str, bytes]]:
    """Yield (body, entry in the format ``form``) of the articles, in the order given."""
    for at in range(0, len(seqs), 500):
        page = seqs[at : at + 500]
        query = select(entry.c.article_seq, entry.c.body, entry.c[form]).where(entry.c.article_seq.in_(page))
        found = {seq: (body, data) for seq, body, data in connection.execute(query)}
        yield from (found[seq] for seq in page)


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
        connection.execute(
            insert(staged),
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
