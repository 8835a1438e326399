"""Queries of feeds: those to stage again, rendered entries, and staged files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from publisher.model.taxonomy import FacetKind
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.facts import get_fact, increment_fact
from publisher.storage.tables.articles import article
from publisher.storage.tables.feeds import dirty_feed, entry, facet, feed, membership, staged

if TYPE_CHECKING:
    from publisher.staging.folder import StagedWrite

#: The fact that counts the changes of feeds.
_GENERATION: Final = "generation"
#: Entries that are in memory together.
_ENTRIES_IN_MEMORY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A topic, region, brand, tag, author or custom feed; all articles with the same value share a feed."""

    id: int
    kind: FacetKind
    label: str
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """A staged feed."""

    facet: Facet
    #: Number of articles, including those beyond the limit of the feed.
    articles: int
    #: The newest headlines, as JSON.
    latest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A staged file."""

    #: With the folder: ``feeds/all.rss``, ``outbox/…``.
    path: str
    owner: str
    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, written: StagedWrite, folder: str, owner: str) -> StagedFile:
        """Return the row of a file that was written into a folder, ``feeds`` or ``outbox``."""
        path, size = f"{folder}/{written.path}", written.size
        return cls(path=path, owner=owner, sha256=written.sha256, size=size, mtime_ns=written.mtime_ns)


def _facet(row: Any) -> Facet:
    return Facet(id=row.id, kind=FacetKind(row.kind), label=row.label, slug=row.slug)


def mark_dirty(connection: Connection, ids: Iterable[int], *, is_quiet: bool = False) -> None:
    """Mark feeds for staging; if IS_QUIET, without notifying hubs, unless another change marks the feed."""
    wanted = set(ids)
    if not wanted:
        return
    increment_fact(connection, _GENERATION, 1)
    marked = set(connection.execute(select(dirty_feed.c.facet_id)).scalars())
    if not is_quiet:
        for batch in batches(wanted & marked):
            connection.execute(update(dirty_feed).where(dirty_feed.c.facet_id.in_(batch)).values(is_quiet=False))
    insert_rows(
        connection, dirty_feed, [{"facet_id": number, "is_quiet": is_quiet} for number in sorted(wanted - marked)]
    )


def quiet_facets(connection: Connection) -> set[int]:
    """Return the facet IDs of feeds that are marked only because old articles were added."""
    return set(connection.execute(select(dirty_feed.c.facet_id).where(dirty_feed.c.is_quiet)).scalars())


def mark_all_dirty(connection: Connection) -> None:
    """Mark all feeds for staging."""
    increment_fact(connection, _GENERATION, 1)
    connection.execute(delete(dirty_feed))
    connection.execute(insert(dirty_feed).from_select(["facet_id"], select(facet.c.id)))


def feeds_generation(connection: Connection) -> int:
    """Return a number that changes with every marked feed, as a cache key for pages that show articles."""
    return int(get_fact(connection, _GENERATION) or 0)


def dirty_facets(connection: Connection) -> list[Facet]:
    """Return the facets of feeds that are marked for staging, by kind and slug."""
    query = select(facet).join(dirty_feed, dirty_feed.c.facet_id == facet.c.id).order_by(facet.c.kind, facet.c.slug)
    return [_facet(row) for row in connection.execute(query)]


def count_feeds(connection: Connection, kinds: Collection[FacetKind]) -> int:
    """Return the number of staged feeds of these kinds."""
    query = select(func.count()).select_from(feed.join(facet, feed.c.facet_id == facet.c.id))
    return int(connection.execute(query.where(facet.c.kind.in_([kind.value for kind in kinds]))).scalar_one())


def new_facets(connection: Connection, kinds: Collection[FacetKind]) -> list[Facet]:
    """Return the marked facets of these kinds that have no staged feed yet, those with the most articles first."""
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
    """Clear the marks of feeds that were staged."""
    connection.execute(delete(dirty_feed).where(dirty_feed.c.facet_id.in_(list(ids))))


def count_articles(connection: Connection, facet_id: int, now: int) -> int:
    """Return the number of a facet's articles that are published at NOW."""
    query = (
        select(func.count())
        .select_from(membership)
        .where(membership.c.facet_id == facet_id, membership.c.changed_at <= now)
    )
    return int(connection.execute(query).scalar_one())


def newest_articles(connection: Connection, facet_id: int, now: int, limit: int | None) -> list[int]:
    """Return the arrival numbers of a facet's articles that are published at NOW, the last changed first.

    The order is that of the primary key, so the database does not sort.
    """
    query = (
        select(membership.c.article_seq)
        .where(membership.c.facet_id == facet_id, membership.c.changed_at <= now)
        .order_by(membership.c.changed_at.desc(), membership.c.article_seq.desc())
    )
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def sort_by_change_time(connection: Connection, seqs: Collection[int]) -> list[int]:
    """Return the arrival numbers in the order of a feed: the last changed first."""
    changes: list[tuple[int, int]] = []
    for batch in batches(seqs):
        query = select(article.c.changed_at, article.c.seq).where(article.c.seq.in_(batch))
        changes += [(at, seq) for at, seq in connection.execute(query)]
    return [seq for _, seq in sorted(changes, reverse=True)]


def stale_entries(connection: Connection, seqs: Collection[int], fingerprint: str) -> list[int]:
    """Return the articles without an entry of their current revision and of the settings' FINGERPRINT."""
    is_stale = func.coalesce(entry.c.revision, "") != article.c.hash + literal(":" + fingerprint)
    stale: list[int] = []
    for batch in batches(seqs):
        query = (
            select(article.c.seq)
            .outerjoin(entry, entry.c.article_seq == article.c.seq)
            .where(article.c.seq.in_(batch), is_stale)
        )
        stale += connection.execute(query).scalars()
    return sorted(stale)


def last_change_time(connection: Connection, seqs: Collection[int]) -> int | None:
    """Return the time of the last change of the articles (Unix time); None if there are none."""
    latest = [
        connection.execute(select(func.max(article.c.changed_at)).where(article.c.seq.in_(batch))).scalar()
        for batch in batches(seqs)
    ]
    return max((at for at in latest if at is not None), default=None)


def load_entries(connection: Connection, seqs: Sequence[int], form: str) -> Iterator[tuple[str, bytes]]:
    """Yield (body, entry in the format FORM) of the articles, in their order, a few in memory at a time.

    Articles without an entry are omitted.
    """
    for at in range(0, len(seqs), _ENTRIES_IN_MEMORY):
        batch = seqs[at : at + _ENTRIES_IN_MEMORY]
        query = (
            select(entry.c.article_seq, func.coalesce(entry.c.body, article.c.body), entry.c[form])
            .join(article, article.c.seq == entry.c.article_seq)
            .where(entry.c.article_seq.in_(batch))
        )
        rows = {seq: (body, text) for seq, body, text in connection.execute(query)}
        yield from (rows[seq] for seq in batch if seq in rows)


def delete_entries(connection: Connection, seqs: Collection[int]) -> None:
    """Delete entries, so that they are rendered again when they are needed."""
    for batch in batches(seqs):
        connection.execute(delete(entry).where(entry.c.article_seq.in_(batch)))


def save_entries(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Save entries (article_seq, revision, body, rss, atom, json) in place of older ones."""
    if rows:
        connection.execute(delete(entry).where(entry.c.article_seq.in_([row["article_seq"] for row in rows])))
        insert_rows(connection, entry, rows)


def save_feed(connection: Connection, facet_id: int, *, articles: int, changed_at: int, latest: str) -> None:
    """Save the properties of a feed for the feed directory."""
    connection.execute(delete(feed).where(feed.c.facet_id == facet_id))
    connection.execute(insert(feed).values(facet_id=facet_id, articles=articles, changed_at=changed_at, latest=latest))


def delete_feed(connection: Connection, facet_id: int) -> None:
    """Delete a feed that is no longer staged."""
    connection.execute(delete(feed).where(feed.c.facet_id == facet_id))


def feed_rows(connection: Connection) -> list[FeedRow]:
    """Return all staged feeds, by kind and label."""
    query = (
        select(facet, feed.c.articles, feed.c.latest)
        .join(feed, feed.c.facet_id == facet.c.id)
        .order_by(facet.c.kind, facet.c.folded)
    )
    return [FeedRow(facet=_facet(row), articles=row.articles, latest=row.latest) for row in connection.execute(query)]


def staged_files(connection: Connection, owner: str | None = None, *, below: bool = False) -> list[StagedFile]:
    """Return staged files by path: of all owners, of OWNER, or (with BELOW) of the owners that begin with OWNER."""
    query = select(staged).order_by(staged.c.path)
    if owner is not None and below:
        query = query.where(staged.c.owner.startswith(f"{owner}:", autoescape=True))
    elif owner is not None:
        query = query.where(staged.c.owner == owner)
    return [StagedFile(**row) for row in connection.execute(query).mappings()]


def count_staged_files(connection: Connection, folder: str) -> int:
    """Return the number of staged files in a folder: ``feeds`` or ``outbox``."""
    query = select(func.count()).select_from(staged).where(staged.c.path.startswith(f"{folder}/"))
    return int(connection.execute(query).scalar_one())


def save_staged_files(connection: Connection, files: Sequence[StagedFile]) -> None:
    """Save staged files in place of those of the same path."""
    if files:
        delete_staged_files(connection, [file.path for file in files])
        insert_rows(connection, staged, [asdict(file) for file in files])


def delete_staged_files(connection: Connection, paths: Sequence[str]) -> None:
    """Delete the rows of files that are no longer staged."""
    for batch in batches(paths):
        connection.execute(delete(staged).where(staged.c.path.in_(batch)))
