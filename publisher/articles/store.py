"""Queries for articles: rows, keys, hashes, and publication and change times."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, func, select, update

from publisher.articles.records import article_text, record_fields, to_article
from publisher.model.articles import Article, Record
from publisher.storage.bulk import batches, insert_rows, select_mapping
from publisher.storage.tables.articles import article, article_key, correction


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleRow:
    """A stored article without its record and body. Times are seconds since 1970."""

    #: Arrival number: 1 for the first article.
    seq: int
    id: str
    path: str
    #: The publication time that the record names.
    asked_at: int
    published_at: int
    changed_at: int
    #: The change time that the record names (``updated``).
    updated_at: int | None
    #: When the article was withdrawn.
    retracted_at: int | None
    #: Content hash of the record.
    hash: str
    #: The file that it was last parsed from, relative to articles/.
    source: str
    #: The editor's reason for the withdrawal.
    retraction: str | None = None
    #: The field that makes its record a draft.
    draft: str | None = None
    #: When its record was first read, also as a draft; None if that is unknown.
    first_read_at: int | None = None


def articles_by_seq(connection: Connection, seqs: Collection[int], base_url: str, zone: ZoneInfo) -> dict[int, Article]:
    """Return the articles with these arrival numbers, by arrival number."""
    return {row["seq"]: to_article(row, base_url, zone, notes) for row, notes in _full_rows(connection, seqs)}


def article_texts(connection: Connection, seqs: Collection[int]) -> dict[int, str]:
    """Return arrival number → text of the article as it is now, in the order of SEQS."""
    texts = {row["seq"]: article_text(row, notes) for row, notes in _full_rows(connection, seqs)}
    return {seq: texts[seq] for seq in seqs}


def _full_rows(
    connection: Connection, seqs: Collection[int]
) -> Iterator[tuple[dict[str, Any], Sequence[tuple[int, str]]]]:
    """Yield the rows of articles, with their corrections."""
    for page in batches(seqs):
        notes = _corrections(connection, page)
        for row in connection.execute(select(article).where(article.c.seq.in_(page))).mappings():
            yield dict(row), notes.get(row["seq"], ())


def _corrections(connection: Connection, seqs: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    """Return the corrections as (time, note) pairs by arrival number, oldest first."""
    query = select(correction).where(correction.c.article_seq.in_(seqs)).order_by(correction.c.corrected_at)
    corrections: dict[int, list[tuple[int, str]]] = {}
    for seq, at, note in connection.execute(query):
        corrections.setdefault(seq, []).append((at, note))
    return corrections


def last_seq(connection: Connection) -> int:
    """Return the highest arrival number, 0 in an empty database."""
    return int(connection.execute(select(func.coalesce(func.max(article.c.seq), 0))).scalar_one())


def count_articles(connection: Connection) -> int:
    """Return the number of articles, without those that were withdrawn or became drafts."""
    query = select(func.count()).select_from(article).where(article.c.retracted_at.is_(None))
    return int(connection.execute(query).scalar_one())


def seqs_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return the arrival numbers of the known keys, by key."""
    return select_mapping(connection, article_key.c.key, article_key.c.article_seq, keys)


def has_id_key(connection: Connection, seq: int) -> bool:
    """Return whether an article has an external ID."""
    query = select(article_key.c.key).where(article_key.c.article_seq == seq, article_key.c.key.startswith("id:"))
    return connection.execute(query.limit(1)).first() is not None


def set_sources(connection: Connection, names: Mapping[int, str]) -> None:
    """Store the files that articles are parsed from now (arrival number → name)."""
    for seq, name in names.items():
        connection.execute(update(article).where(article.c.seq == seq).values(source=name))


def delete_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Delete keys, so that another article can have them."""
    for page in batches(keys):
        connection.execute(delete(article_key).where(article_key.c.key.in_(page)))


def set_keys(connection: Connection, keys: Mapping[str, int]) -> None:
    """Assign each key to its article, also if another article has it."""
    before = seqs_by_key(connection, keys)
    delete_keys(connection, [key for key, seq in before.items() if seq != keys[key]])
    rows = [{"key": key, "article_seq": seq} for key, seq in keys.items() if before.get(key) != seq]
    insert_rows(connection, article_key, rows)


_ROW_COLUMNS: Final = tuple(article.c[field.name] for field in fields(ArticleRow))


def rows_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, ArticleRow]:
    """Return the rows of articles by arrival number."""
    rows: dict[int, ArticleRow] = {}
    for page in batches(seqs):
        for row in connection.execute(select(*_ROW_COLUMNS).where(article.c.seq.in_(page))).mappings():
            rows[row["seq"]] = ArticleRow(**row)
    return rows


def rows_by_hash(connection: Connection, hashes: Iterable[str]) -> dict[str, list[ArticleRow]]:
    """Return the rows of articles by content hash."""
    rows: dict[str, list[ArticleRow]] = {}
    for page in batches(hashes):
        query = select(*_ROW_COLUMNS).where(article.c.hash.in_(page)).order_by(article.c.seq)
        for row in connection.execute(query).mappings():
            rows.setdefault(row["hash"], []).append(ArticleRow(**row))
    return rows


def find_articles(connection: Connection, name: str, base_url: str) -> list[ArticleRow]:
    """Return up to ten articles that a name matches.

    A name can be an ID, a URL, the export's own ID, a file in articles/ with or without its suffix,
    a path, or the last part of a path. Only matches of the first of these kinds are returned.
    """
    # URLs are percent-encoded, stored paths are not.
    path = unquote(name.removeprefix(base_url)) if name.startswith(base_url + "/") else name
    file = name.removeprefix("./").removeprefix("articles/")
    keys = [f"id:{name}", f"url:{name}", f"file:{file}"]
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
        query = select(*_ROW_COLUMNS).where(condition).order_by(article.c.seq).limit(10)
        if rows := [ArticleRow(**row) for row in connection.execute(query).mappings()]:
            return rows
    return []


def seqs_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """Return the arrival numbers of the existing IDs, by ID."""
    return select_mapping(connection, article.c.id, article.c.seq, ids)


def taken_paths(connection: Connection, paths: Iterable[str]) -> set[str]:
    """Return the subset of the paths that articles already have."""
    taken: set[str] = set()
    for page in batches(paths):
        taken.update(connection.execute(select(article.c.path).where(article.c.path.in_(page))).scalars())
    return taken


def free_publication_times(connection: Connection, asked: Sequence[int]) -> list[int]:
    """Return, for each requested time, the first free second at or after it, each only once.

    Feed validators warn about two Atom entries with the same ``updated``. Records with a date and no time
    would all have the same, so articles of one day are published seconds apart, in order of arrival.
    """
    offsets: dict[int, int] = {}
    for page in batches(set(asked)):
        query = (
            select(article.c.asked_at, func.max(article.c.published_at))
            .where(article.c.asked_at.in_(page))
            .group_by(article.c.asked_at)
        )
        offsets.update((base, latest + 1) for base, latest in connection.execute(query))
    assigned: list[int] = []
    used: set[int] = set()
    for base in asked:
        instant = offsets.get(base, base)
        while instant in used:
            instant += 1
        used.add(instant)
        offsets[base] = instant + 1
        assigned.append(instant)
    taken = _instants_taken(connection, assigned)
    for number, first in enumerate(assigned):
        instant = first
        # Rare: an article with an exact time has the second after midnight that a record without a time was moved to.
        while instant in taken:
            instant += 1
            while instant in used:
                instant += 1
            taken |= _instants_taken(connection, [instant])
        used.add(instant)
        assigned[number] = instant
    return assigned


def free_change_times(connection: Connection, asked: Sequence[int], now: int, granted: Collection[int]) -> list[int]:
    """Return the first free second at or after each requested change time, each only once.

    If that is in the future, the last free second before the requested time is returned: a feed must not show
    a later time than its own. All times are seconds since 1970.

    Args:
        asked: the requested change times, none after NOW.
        granted: times that are assigned to other articles in the same transaction.
    """
    used = set(granted)
    taken = _instants_taken(connection, asked)
    assigned = []
    for requested in asked:
        instant, step = requested, 1
        while instant in used or instant in taken:
            if instant >= now:
                instant, step = requested, -1
            instant += step
            taken |= _instants_taken(connection, [instant])
        used.add(instant)
        assigned.append(instant)
    return assigned


def last_free_change_time(connection: Connection, after: int, now: int) -> int | None:
    """Return the last free second after AFTER and up to NOW, or None if there is none."""
    for instant in range(now, after, -1):
        if not _instants_taken(connection, [instant]):
            return instant
    return None


def recent_free_change_times(connection: Connection, count: int, now: int) -> list[int]:
    """Return the last COUNT free seconds up to NOW, latest first."""
    free: list[int] = []
    end, window = now, count + 100
    while len(free) < count:
        taken = set[int]()
        for column in (article.c.published_at, article.c.changed_at):
            taken.update(connection.execute(select(column).where(column <= end, column > end - window)).scalars())
        free += [instant for instant in range(end, end - window, -1) if instant not in taken]
        end -= window
    return free[:count]


def _instants_taken(connection: Connection, instants: Iterable[int]) -> set[int]:
    taken: set[int] = set()
    for page in batches(instants):
        for column in (article.c.published_at, article.c.changed_at):
            taken.update(connection.execute(select(column).where(column.in_(page))).scalars())
    return taken


def insert_articles(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert full rows of the article table."""
    insert_rows(connection, article, rows)


def update_articles(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update all columns but seq, id and path of the rows with these ``seq``."""
    names = ("asked_at", "published_at", "changed_at", "updated_at", "hash", "record", "body", "source")
    if rows:
        statement = (
            update(article)
            .where(article.c.seq == bindparam("article_seq"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        values = [{"article_seq": row["seq"], **{f"new_{name}": row[name] for name in names}} for row in rows]
        connection.execute(statement, values)


def newest_seqs(connection: Connection, now: int, limit: int | None) -> list[int]:
    """Return the arrival numbers of the articles that are published at NOW, newest first."""
    query = (
        select(article.c.seq)
        .where(article.c.published_at <= now, article.c.retracted_at.is_(None))
        .order_by(article.c.published_at.desc())
    )
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def published_since(connection: Connection, after: int, now: int, limit: int) -> list[tuple[int, str]]:
    """Return (arrival number, hash) of the articles published after AFTER, newest first."""
    query = (
        select(article.c.seq, article.c.hash)
        .where(article.c.published_at > after, article.c.published_at <= now, article.c.retracted_at.is_(None))
        .order_by(article.c.published_at.desc())
        .limit(limit)
    )
    return [(seq, text) for seq, text in connection.execute(query)]


def records_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, Record]:
    """Return the records of articles by arrival number, without their bodies."""
    texts = select_mapping(connection, article.c.seq, article.c.record, seqs)
    return {seq: Record(**record_fields(text, "")) for seq, text in texts.items()}


def seq_at_path(connection: Connection, path: str, now: int) -> int | None:
    """Return the arrival number of the published article with this URL path, or None."""
    query = select(article.c.seq).where(
        article.c.path == path, article.c.published_at <= now, article.c.retracted_at.is_(None)
    )
    return connection.execute(query).scalar()


def next_publication_time(connection: Connection, now: int) -> int | None:
    """Return the earliest publication time after NOW, or None if no article is scheduled."""
    query = select(func.min(article.c.published_at)).where(
        article.c.published_at > now, article.c.retracted_at.is_(None)
    )
    return connection.execute(query).scalar()


def newest_among(connection: Connection, seqs: Sequence[int], limit: int) -> list[int]:
    """Return the LIMIT most recently published articles among SEQS, newest first."""
    newest: list[tuple[int, int]] = []
    for page in batches(seqs):
        query = select(article.c.published_at, article.c.seq).where(article.c.seq.in_(page))
        newest += [
            (at, seq) for at, seq in connection.execute(query.order_by(article.c.published_at.desc()).limit(limit))
        ]
    return [seq for _, seq in sorted(newest, reverse=True)[:limit]]


def hashes_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, str]:
    """Return the content hashes of articles by arrival number."""
    return select_mapping(connection, article.c.seq, article.c.hash, seqs)


def iterate_articles(connection: Connection, base_url: str, zone: ZoneInfo) -> Iterator[list[Article]]:
    """Yield all articles that are not withdrawn, in pages of 500, in order of arrival."""
    last = 0
    while True:
        query = select(article.c.seq).where(article.c.seq > last, article.c.retracted_at.is_(None))
        seqs = list(connection.execute(query.order_by(article.c.seq).limit(500)).scalars())
        if not seqs:
            return
        articles = articles_by_seq(connection, seqs, base_url, zone)
        yield [articles[seq] for seq in seqs]
        last = seqs[-1]


def seqs_changed_between(connection: Connection, after: int, until: int) -> list[int]:
    """Return the arrival numbers of articles whose last change is after AFTER and up to UNTIL."""
    query = select(article.c.seq).where(
        article.c.changed_at > after, article.c.changed_at <= until, article.c.retracted_at.is_(None)
    )
    return list(connection.execute(query).scalars())
