"""Feeds: what is dirty, entries made once per revision, what is staged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from publisher.model.taxonomy import FacetKind
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.facts import get_fact, increment_fact
from publisher.storage.tables.articles import article
from publisher.storage.tables.feeds import dirty_feed, entry, facet, feed, membership, staged

__all__ = [
    "Facet",
    "FeedRow",
    "StagedFile",
    "clear_dirty",
    "count_articles",
    "count_staged_files",
    "delete_entries",
    "delete_feed",
    "delete_staged_files",
    "dirty_facets",
    "facets",
    "feed_rows",
    "feeds_generation",
    "last_change_time",
    "load_entries",
    "mark_all_dirty",
    "mark_dirty",
    "newest_articles",
    "quiet_facets",
    "save_entries",
    "save_feed",
    "save_staged_files",
    "sort_by_change_time",
    "staged_files",
    "stale_entries",
]

#: The fact that counts changes of what feeds are made of.
_GENERATION: Final = "generation"
#: Entries in memory at a time.
_ENTRIES_IN_MEMORY: Final = 200


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


def mark_dirty(connection: Connection, ids: Iterable[int], *, is_quiet: bool = False) -> None:
    """Note that these feeds are to be staged again.

    Args:
        connection: to the store.
        ids: of the facets.
        is_quiet: notify nobody of the change, if nothing else changes the feed.
    """
    wanted = set(ids)
    if not wanted:
        return
    increment_fact(connection, _GENERATION, 1)
    known = set(connection.execute(select(dirty_feed.c.facet_id)).scalars())
    if not is_quiet:
        for some in batches(wanted & known):
            connection.execute(update(dirty_feed).where(dirty_feed.c.facet_id.in_(some)).values(is_quiet=False))
    insert_rows(
        connection, dirty_feed, [{"facet_id": number, "is_quiet": is_quiet} for number in sorted(wanted - known)]
    )


def quiet_facets(connection: Connection) -> set[int]:
    """Return the ids of feeds that are to be staged again only because old articles were added."""
    return set(connection.execute(select(dirty_feed.c.facet_id).where(dirty_feed.c.is_quiet)).scalars())


def mark_all_dirty(connection: Connection) -> None:
    """Note that every feed is to be staged again."""
    increment_fact(connection, _GENERATION, 1)
    connection.execute(delete(dirty_feed))
    connection.execute(insert(dirty_feed).from_select(["facet_id"], select(facet.c.id)))


def feeds_generation(connection: Connection) -> int:
    """Return a number that is another one as soon as a feed is to be staged again: whatever is made of articles."""
    return int(get_fact(connection, _GENERATION) or 0)


def dirty_facets(connection: Connection) -> list[Facet]:
    """Return the feeds that are to be staged again, by kind and slug."""
    query = select(facet).join(dirty_feed, dirty_feed.c.facet_id == facet.c.id).order_by(facet.c.kind, facet.c.slug)
    return [_facet(row) for row in connection.execute(query)]


def count_feeds(connection: Connection, kinds: Collection[FacetKind]) -> int:
    """Return how many feeds of these kinds are staged."""
    query = select(func.count()).select_from(feed.join(facet, feed.c.facet_id == facet.c.id))
    return int(connection.execute(query.where(facet.c.kind.in_([kind.value for kind in kinds]))).scalar_one())


def new_facets(connection: Connection, kinds: Collection[FacetKind]) -> list[Facet]:
    """Return the facets of these kinds that are to be staged for the first time, those of most articles first."""
    articles = func.count(membership.c.article_seq)
    query = (
        select(facet)
        .join(dirty_feed, dirty_feed.c.facet_id == facet.c.id)
        .outerjoin(feed, feed.c.facet_id == facet.c.id)
        .join(membership, membership.c.facet_id == facet.c.id)
        .where(feed.c.facet_id.is_(None), facet.c.kind.in_([kind.value for kind in kinds]))
        .group_by(*facet.c)
        .order_by(articles.desc(), facet.c.kind, facet.c.folded)
    )
    return [_facet(row) for row in connection.execute(query)]


def clear_dirty(connection: Connection, ids: Collection[int]) -> None:
    """Note that these feeds have been staged."""
    connection.execute(delete(dirty_feed).where(dirty_feed.c.facet_id.in_(list(ids))))


def count_articles(connection: Connection, facet_id: int, now: int) -> int:
    """Return how many of a facet's articles are out at ``now``."""
    query = (
        select(func.count())
        .select_from(membership)
        .where(membership.c.facet_id == facet_id, membership.c.changed_at <= now)
    )
    return int(connection.execute(query).scalar_one())


def newest_articles(connection: Connection, facet_id: int, now: int, limit: int | None) -> list[int]:
    """Return the arrival numbers of a facet's articles that are out at ``now``, the last changed first.

    The order is that of the table's own key, so nothing is sorted, and nothing is looked at twice.
    """
    query = (
        select(membership.c.article_seq)
        .where(membership.c.facet_id == facet_id, membership.c.changed_at <= now)
        .order_by(membership.c.changed_at.desc(), membership.c.article_seq.desc())
    )
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def sort_by_change_time(connection: Connection, seqs: Collection[int]) -> list[int]:
    """Return the arrival numbers in the order of a feed."""
    found: list[tuple[int, int]] = []
    for some in batches(seqs):
        query = select(article.c.changed_at, article.c.seq).where(article.c.seq.in_(some))
        found += [(at, seq) for at, seq in connection.execute(query)]
    return [seq for _, seq in sorted(found, reverse=True)]


def stale_entries(connection: Connection, seqs: Collection[int], fingerprint: str) -> list[int]:
    """Return those of the articles that have no entry made from what they and the settings are now."""
    is_stale = func.coalesce(entry.c.revision, "") != article.c.hash + literal(":" + fingerprint)
    stale: list[int] = []
    for some in batches(seqs):
        query = (
            select(article.c.seq)
            .outerjoin(entry, entry.c.article_seq == article.c.seq)
            .where(article.c.seq.in_(some), is_stale)
        )
        stale += connection.execute(query).scalars()
    return sorted(stale)


def last_change_time(connection: Connection, seqs: Collection[int]) -> int | None:
    """Return the latest change among the articles, seconds since 1970; None of no articles."""
    found = [
        connection.execute(select(func.max(article.c.changed_at)).where(article.c.seq.in_(some))).scalar()
        for some in batches(seqs)
    ]
    return max((at for at in found if at is not None), default=None)


def load_entries(connection: Connection, seqs: Sequence[int], form: str) -> Iterator[tuple[str, bytes]]:
    """Yield (text, entry in the format ``form``) of the articles, in their order, a few in memory at a time.

    An article that has no entry is left out.
    """
    for at in range(0, len(seqs), _ENTRIES_IN_MEMORY):
        some = seqs[at : at + _ENTRIES_IN_MEMORY]
        query = (
            select(entry.c.article_seq, func.coalesce(entry.c.body, article.c.body), entry.c[form])
            .join(article, article.c.seq == entry.c.article_seq)
            .where(entry.c.article_seq.in_(some))
        )
        found = {seq: (body, made) for seq, body, made in connection.execute(query)}
        yield from (found[seq] for seq in some if seq in found)


def delete_entries(connection: Connection, seqs: Collection[int]) -> None:
    """Forget entries, so that they are made anew where they are wanted."""
    for some in batches(seqs):
        connection.execute(delete(entry).where(entry.c.article_seq.in_(some)))


def save_entries(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep entries (article_seq, revision, body, rss, atom, json) over older ones."""
    if rows:
        connection.execute(delete(entry).where(entry.c.article_seq.in_([row["article_seq"] for row in rows])))
        insert_rows(connection, entry, rows)


def save_feed(connection: Connection, facet_id: int, *, articles: int, changed_at: int, latest: str) -> None:
    """Keep what the page of feeds says about one of them."""
    connection.execute(delete(feed).where(feed.c.facet_id == facet_id))
    connection.execute(insert(feed).values(facet_id=facet_id, articles=articles, changed_at=changed_at, latest=latest))


def delete_feed(connection: Connection, facet_id: int) -> None:
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


def staged_files(connection: Connection, owner: str | None = None, *, below: bool = False) -> list[StagedFile]:
    """Return what was staged, by path; only one owner's if asked, or those of all that it is over."""
    query = select(staged).order_by(staged.c.path)
    if owner is not None and below:
        query = query.where(staged.c.owner.startswith(f"{owner}:", autoescape=True))
    elif owner is not None:
        query = query.where(staged.c.owner == owner)
    return [StagedFile(**row) for row in connection.execute(query).mappings()]


def count_staged_files(connection: Connection, folder: str) -> int:
    """Return how many files are staged below a folder: ``feeds`` or ``outbox``."""
    query = select(func.count()).select_from(staged).where(staged.c.path.startswith(f"{folder}/"))
    return int(connection.execute(query).scalar_one())


def save_staged_files(connection: Connection, files: Sequence[StagedFile]) -> None:
    """Keep files as they were written."""
    if files:
        delete_staged_files(connection, [one.path for one in files])
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


def delete_staged_files(connection: Connection, paths: Sequence[str]) -> None:
    """Forget files that are no longer staged."""
    for some in batches(paths):
        connection.execute(delete(staged).where(staged.c.path.in_(some)))
