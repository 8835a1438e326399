"""Articles: their keys, their rows, the facets they belong to."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, select, update

from publisher.markup import slugify, url_path
from publisher.model import Article, Author, FacetKind, Image, Record
from publisher.selection import folded
from publisher.store.bulk import insert_rows
from publisher.store.schema import article, article_key, facet, membership

__all__ = [
    "Stored",
    "add_memberships",
    "articles_by_seq",
    "count",
    "drop_keys",
    "empty_facet",
    "every_article",
    "free_instants",
    "has_id_key",
    "hashes",
    "ids_of",
    "insert_articles",
    "keyed",
    "last_seq",
    "load_record",
    "memberships",
    "mint_facets",
    "newest",
    "paths_taken",
    "record_json",
    "replace_memberships",
    "seqs_published_between",
    "set_keys",
    "set_sources",
    "stored",
    "stored_by_hash",
    "to_article",
    "update_articles",
]

#: SQLite takes 32,766 parameters a statement, PostgreSQL 65,535; short of both.
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store knows of an article, short of its text."""

    seq: int
    id: str
    path: str
    #: The instant the record asked for, seconds since 1970.
    asked_at: int
    published_at: int
    changed_at: int
    hash: str
    #: The file it was last read from.
    source: str


def _pages(items: Iterable[Any]) -> Iterable[list[Any]]:
    every = list(items)
    return (every[at : at + _PAGE] for at in range(0, len(every), _PAGE))


def record_json(record: Record) -> str:
    """Return the record without its body as canonical JSON: only what is set, keys in order."""
    fields: dict[str, Any] = {
        "title": record.title,
        "date": record.date.isoformat(),
        "dek": record.dek,
        "authors": [_set(name=one.name, bio=one.bio, url=one.url) for one in record.authors],
        "topic": record.topic,
        "region": record.region,
        "brand": record.brand,
        "tags": list(record.tags),
        "external_id": record.external_id,
        "url": record.url,
        "slug": record.slug,
        "updated": record.updated.isoformat() if record.updated else None,
        "language": record.language,
    }
    if (image := record.image) is not None:
        fields["image"] = _set(
            url=image.url,
            credit=image.credit,
            alt=image.alt,
            caption=image.caption,
            width=image.width,
            height=image.height,
        )
    return json.dumps(_set(**fields), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _set(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def load_record(text: str, body: str) -> dict[str, Any]:
    """Return the fields of the record that :func:`record_json` wrote, as :class:`Record` takes them."""
    fields: dict[str, Any] = json.loads(text)
    day = fields["date"]
    fields["date"] = date.fromisoformat(day) if len(day) == 10 else datetime.fromisoformat(day)
    if "updated" in fields:
        fields["updated"] = datetime.fromisoformat(fields["updated"])
    if "authors" in fields:
        fields["authors"] = tuple(Author(**one) for one in fields["authors"])
    if "tags" in fields:
        fields["tags"] = tuple(fields["tags"])
    if "image" in fields:
        fields["image"] = Image(**fields["image"])
    fields["body"] = body
    return fields


def to_article(row: RowMapping, base_url: str, zone: ZoneInfo) -> Article:
    """Return the article that a full row of the table holds."""
    fields = load_record(row["record"], row["body"])
    return Article(
        **fields,
        id=row["id"],
        seq=row["seq"],
        link=fields.get("url") or base_url + url_path(row["path"]),
        published=datetime.fromtimestamp(row["published_at"], UTC).astimezone(zone),
        changed=datetime.fromtimestamp(row["changed_at"], UTC).astimezone(zone),
    )


def articles_by_seq(connection: Connection, seqs: Collection[int], base_url: str, zone: ZoneInfo) -> dict[int, Article]:
    """Return the articles of these arrival numbers."""
    found: dict[int, Article] = {}
    for page in _pages(seqs):
        for row in connection.execute(select(article).where(article.c.seq.in_(page))).mappings():
            found[row["seq"]] = to_article(row, base_url, zone)
    return found


def last_seq(connection: Connection) -> int:
    """Return the arrival number of the newest article, 0 in an empty store."""
    return int(connection.execute(select(func.coalesce(func.max(article.c.seq), 0))).scalar_one())


def count(connection: Connection) -> int:
    """Return how many articles there are."""
    return int(connection.execute(select(func.count()).select_from(article)).scalar_one())


def keyed(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return key → arrival number, for those of the keys that are known."""
    found: dict[str, int] = {}
    for page in _pages(keys):
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


def drop_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Make keys lead nowhere, so that they are free for another article."""
    for page in _pages(keys):
        connection.execute(delete(article_key).where(article_key.c.key.in_(page)))


def set_keys(connection: Connection, keys: Mapping[str, int]) -> None:
    """Make each key lead to its article from now on."""
    before = keyed(connection, keys)
    stale = [key for key, seq in before.items() if seq != keys[key]]
    for page in _pages(stale):
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
    article.c.hash,
    article.c.source,
)


def stored(connection: Connection, seqs: Iterable[int]) -> dict[int, Stored]:
    """Return what the store knows of these articles."""
    found: dict[int, Stored] = {}
    for page in _pages(seqs):
        for row in connection.execute(select(*_STORED).where(article.c.seq.in_(page))).mappings():
            found[row["seq"]] = Stored(**row)
    return found


def stored_by_hash(connection: Connection, hashes: Iterable[str]) -> dict[str, list[Stored]]:
    """Return hash → the articles whose record is that, byte for byte."""
    found: dict[str, list[Stored]] = {}
    for page in _pages(hashes):
        query = select(*_STORED).where(article.c.hash.in_(page)).order_by(article.c.seq)
        for row in connection.execute(query).mappings():
            found.setdefault(row["hash"], []).append(Stored(**row))
    return found


def ids_of(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """Return id → arrival number, for those of the ids that are taken."""
    found: dict[str, int] = {}
    for page in _pages(ids):
        query = select(article.c.id, article.c.seq).where(article.c.id.in_(page))
        found.update((one, seq) for one, seq in connection.execute(query))
    return found


def paths_taken(connection: Connection, paths: Iterable[str]) -> set[str]:
    """Return those of the paths that articles already have."""
    taken: set[str] = set()
    for page in _pages(paths):
        taken.update(connection.execute(select(article.c.path).where(article.c.path.in_(page))).scalars())
    return taken


def free_instants(connection: Connection, asked: Sequence[int]) -> list[int]:
    """Return, for each instant asked for, the first free one at or after it, none given twice.

    Two Atom entries with the same ``updated`` draw a warning, and records of one day that carry
    no time would all have it, so articles of one day stand seconds apart, in order of arrival.
    """
    offsets: dict[int, int] = {}
    for page in _pages(set(asked)):
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


def _instants_taken(connection: Connection, instants: Iterable[int]) -> set[int]:
    taken: set[int] = set()
    for page in _pages(instants):
        query = select(article.c.published_at).where(article.c.published_at.in_(page))
        taken.update(connection.execute(query).scalars())
    return taken


def insert_articles(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert full rows of the article table."""
    if rows:
        insert_rows(connection, article, rows)


def update_articles(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Overwrite everything but seq, id and path of the rows that these name by ``seq``."""
    names = ("asked_at", "published_at", "changed_at", "hash", "record", "body", "source")
    if rows:
        statement = (
            update(article)
            .where(article.c.seq == bindparam("which"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        values = [{"which": row["seq"], **{f"new_{name}": row[name] for name in names}} for row in rows]
        connection.execute(statement, values)


def mint_facets(connection: Connection, labels: Iterable[tuple[FacetKind, str]]) -> dict[tuple[FacetKind, str], int]:
    """Return (kind, folded label) → facet id; those not known yet get one, and a slug of their own."""
    wanted = {(kind, folded(label)): label for kind, label in reversed(list(labels))}
    found: dict[tuple[FacetKind, str], int] = {}
    for page in _pages(wanted):
        query = select(facet.c.id, facet.c.kind, facet.c.folded).where(facet.c.folded.in_({name for _, name in page}))
        for number, kind, name in connection.execute(query):
            found[FacetKind(kind), name] = number
    missing = sorted((kind, name) for kind, name in wanted if (kind, name) not in found)
    if not missing:
        return found
    number = int(connection.execute(select(func.coalesce(func.max(facet.c.id), 0))).scalar_one())
    slugs = _slugs_taken(connection, {slugify(wanted[key]) for key in missing})
    rows = []
    for kind, name in missing:
        base = slugify(wanted[kind, name])
        slug, copy = base, 1
        while (kind, slug) in slugs:
            copy += 1
            slug = f"{base}-{copy}"
        slugs.add((kind, slug))
        number += 1
        found[kind, name] = number
        rows.append({"id": number, "kind": kind.value, "label": wanted[kind, name], "folded": name, "slug": slug})
    insert_rows(connection, facet, rows)
    return found


def _slugs_taken(connection: Connection, bases: set[str]) -> set[tuple[FacetKind, str]]:
    taken: set[tuple[FacetKind, str]] = set()
    for page in _pages(bases):
        # "c", "c-2", "c-3" … are all of them copies of one base.
        for base in page:
            query = select(facet.c.kind, facet.c.slug).where(
                (facet.c.slug == base) | facet.c.slug.startswith(f"{base}-", autoescape=True)
            )
            taken.update((FacetKind(kind), slug) for kind, slug in connection.execute(query))
    return taken


def memberships(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Return the ids of every facet that one of the articles belongs to."""
    found: set[int] = set()
    for page in _pages(seqs):
        query = select(membership.c.facet_id).where(membership.c.article_seq.in_(page)).distinct()
        found.update(connection.execute(query).scalars())
    return found


def replace_memberships(connection: Connection, seqs: Collection[int], rows: Sequence[Mapping[str, int]]) -> None:
    """Give the articles ``seqs`` these memberships (facet_id, published_at, article_seq) and no other."""
    for page in _pages(seqs):
        connection.execute(delete(membership).where(membership.c.article_seq.in_(page)))
    add_memberships(connection, rows)


def newest(connection: Connection, facet_id: int, now: int, limit: int | None) -> list[int]:
    """Return the arrival numbers of a facet's articles that are out at ``now``, newest first."""
    query = (
        select(membership.c.article_seq)
        .where(membership.c.facet_id == facet_id, membership.c.published_at <= now)
        .order_by(membership.c.published_at.desc(), membership.c.article_seq.desc())
    )
    return list(connection.execute(query.limit(limit) if limit else query).scalars())


def hashes(connection: Connection, seqs: Iterable[int]) -> dict[int, str]:
    """Return arrival number → hash of the record."""
    found: dict[int, str] = {}
    for page in _pages(seqs):
        query = select(article.c.seq, article.c.hash).where(article.c.seq.in_(page))
        found.update((seq, text) for seq, text in connection.execute(query))
    return found


def every_article(connection: Connection, base_url: str, zone: ZoneInfo) -> Iterator[list[Article]]:
    """Yield all articles in pages, in order of arrival."""
    last = 0
    while True:
        query = select(article).where(article.c.seq > last).order_by(article.c.seq).limit(500)
        page = [to_article(row, base_url, zone) for row in connection.execute(query).mappings()]
        if not page:
            return
        yield page
        last = page[-1].seq


def empty_facet(connection: Connection, facet_id: int) -> None:
    """Take every article out of a facet."""
    connection.execute(delete(membership).where(membership.c.facet_id == facet_id))


def add_memberships(connection: Connection, rows: Sequence[Mapping[str, int]]) -> None:
    """Put articles into facets (facet_id, published_at, article_seq)."""
    if rows:
        insert_rows(connection, membership, rows)


def seqs_published_between(connection: Connection, after: int, until: int) -> list[int]:
    """Return the arrival numbers of articles whose time came later than ``after``, up to ``until``."""
    query = select(article.c.seq).where(article.c.published_at > after, article.c.published_at <= until)
    return list(connection.execute(query).scalars())
