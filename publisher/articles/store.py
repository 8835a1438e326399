"""Articles: their keys, their rows, their instants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, func, select, update

from publisher.articles.records import record_fields, to_article
from publisher.model.articles import Article, Record
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import article, article_key, correction

__all__ = [
    "ArticleRow",
    "articles_by_seq",
    "count_articles",
    "delete_keys",
    "free_change_times",
    "free_publication_times",
    "has_id_key",
    "hashes_by_seq",
    "insert_articles",
    "iterate_articles",
    "last_free_change_time",
    "last_seq",
    "newest_among",
    "newest_seqs",
    "next_publication_time",
    "published_since",
    "recent_free_change_times",
    "records_by_seq",
    "rows_by_hash",
    "rows_by_seq",
    "seq_at_path",
    "seqs_by_id",
    "seqs_by_key",
    "seqs_changed_between",
    "set_keys",
    "set_sources",
    "taken_paths",
    "update_articles",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleRow:
    """What the store knows of an article, short of its text."""

    seq: int
    id: str
    path: str
    #: The instant the record asked for, seconds since 1970.
    asked_at: int
    published_at: int
    changed_at: int
    #: The change that the record asked for by its own ``updated``.
    updated_at: int | None
    #: When it was withdrawn.
    retracted_at: int | None
    hash: str
    #: The file it was last read from.
    source: str
    #: The editor's reason for withdrawing it.
    retraction: str | None = None
    #: What in its record says that it is a draft.
    draft: str | None = None
    #: When its record was first read, as a draft too; None where that was not stored.
    first_read_at: int | None = None


def articles_by_seq(connection: Connection, seqs: Collection[int], base_url: str, zone: ZoneInfo) -> dict[int, Article]:
    """Return the articles of these arrival numbers."""
    found: dict[int, Article] = {}
    for page in batches(seqs):
        notes = _corrections(connection, page)
        for row in connection.execute(select(article).where(article.c.seq.in_(page))).mappings():
            found[row["seq"]] = to_article(row, base_url, zone, notes.get(row["seq"], ()))
    return found


def _corrections(connection: Connection, seqs: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    """Return arrival number → (instant, note) of what was put right, oldest first."""
    query = select(correction).where(correction.c.article_seq.in_(seqs)).order_by(correction.c.corrected_at)
    found: dict[int, list[tuple[int, str]]] = {}
    for seq, at, note in connection.execute(query):
        found.setdefault(seq, []).append((at, note))
    return found


def last_seq(connection: Connection) -> int:
    """Return the arrival number of the newest article, 0 in an empty store."""
    return int(connection.execute(select(func.coalesce(func.max(article.c.seq), 0))).scalar_one())


def count_articles(connection: Connection) -> int:
    """Return how many articles are published: without those that were withdrawn or became drafts."""
    query = select(func.count()).select_from(article).where(article.c.retracted_at.is_(None))
    return int(connection.execute(query).scalar_one())


def seqs_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return key → arrival number, for those of the keys that are known."""
    found: dict[str, int] = {}
    for page in batches(keys):
        query = select(article_key.c.key, article_key.c.article_seq).where(article_key.c.key.in_(page))
        found.update((key, seq) for key, seq in connection.execute(query))
    return found


def has_id_key(connection: Connection, seq: int) -> bool:
    """Tell whether an article is known under an id of its export."""
    query = select(article_key.c.key).where(article_key.c.article_seq == seq, article_key.c.key.startswith("id:"))
    return connection.execute(query.limit(1)).first() is not None


def set_sources(connection: Connection, names: Mapping[int, str]) -> None:
    """Note the files that articles are now read from (arrival number → name)."""
    for seq, name in names.items():
        connection.execute(update(article).where(article.c.seq == seq).values(source=name))


def delete_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Make keys lead nowhere, so that they are free for another article."""
    for page in batches(keys):
        connection.execute(delete(article_key).where(article_key.c.key.in_(page)))


def set_keys(connection: Connection, keys: Mapping[str, int]) -> None:
    """Make each key lead to its article from now on."""
    before = seqs_by_key(connection, keys)
    stale = [key for key, seq in before.items() if seq != keys[key]]
    for page in batches(stale):
        connection.execute(delete(article_key).where(article_key.c.key.in_(page)))
    rows = [{"key": key, "article_seq": seq} for key, seq in keys.items() if before.get(key) != seq]
    if rows:
        insert_rows(connection, article_key, rows)


_STORED: Final = (
    article.c.seq,
    article.c.id,
    article.c.path,
    article.c.asked_at,
    article.c.published_at,
    article.c.changed_at,
    article.c.updated_at,
    article.c.retracted_at,
    article.c.hash,
    article.c.source,
    article.c.retraction,
    article.c.draft,
    article.c.first_read_at,
)


def rows_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, ArticleRow]:
    """Return what the store knows of these articles."""
    found: dict[int, ArticleRow] = {}
    for page in batches(seqs):
        for row in connection.execute(select(*_STORED).where(article.c.seq.in_(page))).mappings():
            found[row["seq"]] = ArticleRow(**row)
    return found


def rows_by_hash(connection: Connection, hashes: Iterable[str]) -> dict[str, list[ArticleRow]]:
    """Return hash → the articles whose record is that, byte for byte."""
    found: dict[str, list[ArticleRow]] = {}
    for page in batches(hashes):
        query = select(*_STORED).where(article.c.hash.in_(page)).order_by(article.c.seq)
        for row in connection.execute(query).mappings():
            found.setdefault(row["hash"], []).append(ArticleRow(**row))
    return found


def seqs_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """Return id → arrival number, for those of the ids that are taken."""
    found: dict[str, int] = {}
    for page in batches(ids):
        query = select(article.c.id, article.c.seq).where(article.c.id.in_(page))
        found.update((one, seq) for one, seq in connection.execute(query))
    return found


def taken_paths(connection: Connection, paths: Iterable[str]) -> set[str]:
    """Return those of the paths that articles already have."""
    taken: set[str] = set()
    for page in batches(paths):
        taken.update(connection.execute(select(article.c.path).where(article.c.path.in_(page))).scalars())
    return taken


def free_publication_times(connection: Connection, asked: Sequence[int]) -> list[int]:
    """Return, for each instant asked for, the first free one at or after it, none given twice.

    Two Atom entries with the same ``updated`` draw a warning, and records of one day that carry
    no time would all have it, so articles of one day stand seconds apart, in order of arrival.
    """
    offsets: dict[int, int] = {}
    for page in batches(set(asked)):
        query = (
            select(article.c.asked_at, func.max(article.c.published_at))
            .where(article.c.asked_at.in_(page))
            .group_by(article.c.asked_at)
        )
        offsets.update((base, latest + 1) for base, latest in connection.execute(query))
    granted: list[int] = []
    mine: set[int] = set()
    for base in asked:
        instant = offsets.get(base, base)
        while instant in mine:
            instant += 1
        mine.add(instant)
        offsets[base] = instant + 1
        granted.append(instant)
    taken = _instants_taken(connection, granted)
    for number, first in enumerate(granted):
        instant = first
        # Rare: the second after midnight that a dateless record moved to is another one's exact time.
        while instant in taken:
            instant += 1
            while instant in mine:
                instant += 1
            taken |= _instants_taken(connection, [instant])
        mine.add(instant)
        granted[number] = instant
    return granted


def free_change_times(connection: Connection, asked: Sequence[int], now: int, granted: Collection[int]) -> list[int]:
    """Return, for each change asked for, the first free instant at or after it, none given twice.

    Where that would lie in the future, it is the last free one before: a feed shows no later time
    than that at which it was made.

    Args:
        connection: the store.
        asked: instants of changes, none after ``now``.
        now: what time it is.
        granted: instants that are given to others at the same time.
    """
    mine = set(granted)
    taken = _instants_taken(connection, asked)
    found = []
    for wanted in asked:
        instant, step = wanted, 1
        while instant in mine or instant in taken:
            if instant >= now:
                instant, step = wanted, -1
            instant += step
            taken |= _instants_taken(connection, [instant])
        mine.add(instant)
        found.append(instant)
    return found


def last_free_change_time(connection: Connection, after: int, now: int) -> int | None:
    """Return the last free instant up to ``now`` that is later than ``after``, or None where there is none."""
    for instant in range(now, after, -1):
        if not _instants_taken(connection, [instant]):
            return instant
    return None


def recent_free_change_times(connection: Connection, count: int, now: int) -> list[int]:
    """Return the last ``count`` free instants up to ``now``, the latest first."""
    found: list[int] = []
    end, window = now, count + 100
    while len(found) < count:
        taken = set[int]()
        for column in (article.c.published_at, article.c.changed_at):
            taken.update(connection.execute(select(column).where(column <= end, column > end - window)).scalars())
        found += [instant for instant in range(end, end - window, -1) if instant not in taken]
        end -= window
    return found[:count]


def _instants_taken(connection: Connection, instants: Iterable[int]) -> set[int]:
    taken: set[int] = set()
    for page in batches(instants):
        for column in (article.c.published_at, article.c.changed_at):
            taken.update(connection.execute(select(column).where(column.in_(page))).scalars())
    return taken


def insert_articles(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert full rows of the article table."""
    if rows:
        insert_rows(connection, article, rows)


def update_articles(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Overwrite everything but seq, id and path of the rows that these name by ``seq``."""
    names = ("asked_at", "published_at", "changed_at", "updated_at", "hash", "record", "body", "source")
    if rows:
        statement = (
            update(article)
            .where(article.c.seq == bindparam("which"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        values = [{"which": row["seq"], **{f"new_{name}": row[name] for name in names}} for row in rows]
        connection.execute(statement, values)


def newest_seqs(connection: Connection, now: int, limit: int | None) -> list[int]:
    """Return the arrival numbers of the articles that are out at ``now``, newest first."""
    query = (
        select(article.c.seq)
        .where(article.c.published_at <= now, article.c.retracted_at.is_(None))
        .order_by(article.c.published_at.desc())
    )
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def published_since(connection: Connection, after: int, now: int, limit: int) -> list[tuple[int, str]]:
    """Return (arrival number, hash) of the articles that came out later than ``after``, newest first."""
    query = (
        select(article.c.seq, article.c.hash)
        .where(article.c.published_at > after, article.c.published_at <= now, article.c.retracted_at.is_(None))
        .order_by(article.c.published_at.desc())
        .limit(limit)
    )
    return [(seq, text) for seq, text in connection.execute(query)]


def records_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, Record]:
    """Return the records of articles without their texts: enough to know what they are about."""
    found: dict[int, Record] = {}
    for page in batches(seqs):
        query = select(article.c.seq, article.c.record).where(article.c.seq.in_(page))
        found.update((seq, Record(**record_fields(text, ""))) for seq, text in connection.execute(query))
    return found


def seq_at_path(connection: Connection, path: str, now: int) -> int | None:
    """Return the published article whose address has this path, or None."""
    query = select(article.c.seq).where(
        article.c.path == path, article.c.published_at <= now, article.c.retracted_at.is_(None)
    )
    return connection.execute(query).scalar()


def next_publication_time(connection: Connection, now: int) -> int | None:
    """Return when the next article is out whose time has not come; None where none waits."""
    query = select(func.min(article.c.published_at)).where(
        article.c.published_at > now, article.c.retracted_at.is_(None)
    )
    return connection.execute(query).scalar()


def newest_among(connection: Connection, seqs: Sequence[int], limit: int) -> list[int]:
    """Return the arrival numbers of those that were published last, newest first."""
    found: list[tuple[int, int]] = []
    for some in batches(seqs):
        query = select(article.c.published_at, article.c.seq).where(article.c.seq.in_(some))
        found += [
            (at, seq) for at, seq in connection.execute(query.order_by(article.c.published_at.desc()).limit(limit))
        ]
    return [seq for _, seq in sorted(found, reverse=True)[:limit]]


def hashes_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, str]:
    """Return arrival number → hash of the record."""
    found: dict[int, str] = {}
    for page in batches(seqs):
        query = select(article.c.seq, article.c.hash).where(article.c.seq.in_(page))
        found.update((seq, text) for seq, text in connection.execute(query))
    return found


def iterate_articles(connection: Connection, base_url: str, zone: ZoneInfo) -> Iterator[list[Article]]:
    """Yield all articles that have not been withdrawn in pages, in order of arrival."""
    last = 0
    while True:
        query = select(article.c.seq).where(article.c.seq > last, article.c.retracted_at.is_(None))
        seqs = list(connection.execute(query.order_by(article.c.seq).limit(500)).scalars())
        if not seqs:
            return
        found = articles_by_seq(connection, seqs, base_url, zone)
        yield [found[seq] for seq in seqs]
        last = seqs[-1]


def seqs_changed_between(connection: Connection, after: int, until: int) -> list[int]:
    """Return the arrival numbers of articles whose last change came later than ``after``, up to ``until``."""
    query = select(article.c.seq).where(
        article.c.changed_at > after, article.c.changed_at <= until, article.c.retracted_at.is_(None)
    )
    return list(connection.execute(query).scalars())
