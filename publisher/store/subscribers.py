"""Readers: who there are, what they ask for, and who may not be written to."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from publisher.model import FacetKind, Query
from publisher.store.bulk import insert_rows, pages
from publisher.store.readers import (
    attempt,
    bounce,
    delivery,
    selection,
    subscriber,
    subscription,
    suppression,
)
from publisher.store.schema import issue
from publisher.store.sources import count_up, hold

__all__ = [
    "Follow",
    "Subscriber",
    "Suppression",
    "alone",
    "by_key",
    "counts",
    "erase",
    "every_subscriber",
    "find",
    "find_all",
    "ids_by_key",
    "lift",
    "queries",
    "query_of",
    "query_text",
    "save_new",
    "save_old",
    "selection_id",
    "subscribe",
    "suppress",
    "suppressions",
    "take_ids",
    "unsubscribe",
]

#: The kinds of labels that a reader can follow, by the name of their field.
Follow: Final = {
    "topics": FacetKind.TOPIC,
    "regions": FacetKind.REGION,
    "brands": FacetKind.BRAND,
    "tags": FacetKind.TAG,
    "authors": FacetKind.AUTHOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A reader."""

    id: int
    address: str
    #: The form in which two spellings of the address are equal.
    key: str
    domain: str
    #: ``active`` or ``suppressed``.
    status: str
    zone: str | None
    language: str | None
    #: What she asks for of each digest, by field: the labels as they were given.
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    digests: tuple[str, ...] = ()
    #: Seconds since 1970.
    added_at: int = 0
    #: Until then she gets no mail; None for as usual.
    paused_until: int | None = None
    #: When her own feed was made; None where she has none.
    feed_since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why an address gets nothing any more."""

    reason: str
    note: str
    #: Seconds since 1970.
    at: int


def query_text(follows: Mapping[str, Collection[str]]) -> str:
    """Return what is followed as it is kept: the same text for the same question."""
    wanted = {name: sorted(follows[name]) for name in Follow if follows.get(name)}
    return json.dumps(wanted, ensure_ascii=False, sort_keys=True)


def selection_id(connection: Connection, text: str) -> int:
    """Return the number of a question, kept if it is a new one."""
    # Two readers at once may ask the same thing for the first time.
    hold(connection, "selection")
    found = connection.execute(select(selection.c.id).where(selection.c.query == text)).scalar()
    if found is not None:
        return int(found)
    number = int(connection.execute(select(func.coalesce(func.max(selection.c.id), 0))).scalar_one()) + 1
    connection.execute(insert(selection).values(id=number, query=text))
    return number


def queries(connection: Connection) -> dict[int, Query]:
    """Return every question that readers ask, by its number."""
    return {number: _query(json.loads(text)) for number, text in connection.execute(select(selection))}


def query_of(reader: Subscriber) -> Query:
    """Return what a reader asks for."""
    return _query({name: labels for name, labels in reader.follows.items() if labels})


def _query(wanted: Mapping[str, Sequence[str]]) -> Query:
    return Query(
        wanted=tuple(
            (kind, frozenset(one.casefold() for one in wanted[name])) for name, kind in Follow.items() if name in wanted
        )
    )


def alone(connection: Connection) -> None:
    """Let nobody else add readers, or write letters, before the caller's transaction is over.

    For whoever looks whether somebody is there, and acts on that.
    """
    hold(connection, "readers")


def take_ids(connection: Connection, count: int) -> int:
    """Return the first of so many numbers for new readers. Those of readers who were forgotten are not used again."""
    return count_up(connection, "subscribers", count) + 1


def ids_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return key → reader, of those that there are."""
    found: dict[str, int] = {}
    for some in pages(keys):
        found.update(
            iter(connection.execute(select(subscriber.c.key, subscriber.c.id).where(subscriber.c.key.in_(some))))
        )
    return found


def save_new(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add readers: columns of the table, all of them in each row."""
    insert_rows(connection, subscriber, rows)


def save_old(connection: Connection, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Change readers: number, and the columns that change."""
    for number, values in rows:
        if values:
            connection.execute(update(subscriber).where(subscriber.c.id == number).values(**values))


def subscribe(connection: Connection, rows: Iterable[tuple[str, int]]) -> int:
    """Let readers follow digests (digest, reader); return how many of these are new."""
    wanted = list(dict.fromkeys(rows))
    known: set[tuple[str, int]] = set()
    for some in pages({number for _, number in wanted}):
        query = select(subscription.c.digest, subscription.c.subscriber_id).where(
            subscription.c.subscriber_id.in_(some)
        )
        known.update((digest, number) for digest, number in connection.execute(query))
    fresh = [{"digest": digest, "subscriber_id": number} for digest, number in wanted if (digest, number) not in known]
    insert_rows(connection, subscription, fresh)
    return len(fresh)


def unsubscribe(connection: Connection, subscriber_id: int, digests: Collection[str] | None = None) -> int:
    """Let a reader follow these digests no longer, or none at all; return how many she leaves."""
    query = delete(subscription).where(subscription.c.subscriber_id == subscriber_id)
    if digests is not None:
        query = query.where(subscription.c.digest.in_(list(digests)))
    return connection.execute(query).rowcount


def suppressions(connection: Connection, hashes: Iterable[str]) -> dict[str, Suppression]:
    """Return hash → why, of the addresses among these that may not be written to."""
    found: dict[str, Suppression] = {}
    for some in pages(hashes):
        query = select(suppression).where(suppression.c.hash.in_(some))
        for row in connection.execute(query):
            found[row.hash] = Suppression(reason=row.reason, note=row.note, at=row.suppressed_at)
    return found


def suppress(connection: Connection, hashed: str, key: str | None, reason: str, note: str, now: int) -> bool:
    """Write to an address no more; return False where that was so before.

    Args:
        connection: to the store.
        hashed: the address's keyed hash.
        key: the address, in the form in which two spellings are equal; None where it is not known.
        reason, note, now: why, in whose words, and when.
    """
    if key is not None:
        connection.execute(update(subscriber).where(subscriber.c.key == key).values(status="suppressed"))
    if suppressions(connection, [hashed]):
        return False
    connection.execute(insert(suppression).values(hash=hashed, reason=reason, note=note, suppressed_at=now))
    return True


def lift(connection: Connection, hashed: str, key: str) -> None:
    """Let an address be written to again."""
    connection.execute(delete(suppression).where(suppression.c.hash == hashed))
    connection.execute(update(subscriber).where(subscriber.c.key == key).values(status="active"))


def erase(connection: Connection, subscriber_id: int) -> None:
    """Take out everything that tells who a reader is: what is left of her copies is a number."""
    issues = select(issue.c.id)
    for table in (delivery, attempt):
        # What servers said has her address in it.
        mine = (table.c.issue_id.in_(issues)) & (table.c.subscriber_id == subscriber_id)
        connection.execute(update(table).where(mine, table.c.answer.is_not(None)).values(answer=""))
    connection.execute(update(bounce).where(bounce.c.subscriber_id == subscriber_id).values(said=""))
    connection.execute(delete(subscription).where(subscription.c.subscriber_id == subscriber_id))
    connection.execute(delete(subscriber).where(subscriber.c.id == subscriber_id))


def _row(row: Any, digests: tuple[str, ...]) -> Subscriber:
    return Subscriber(
        id=row.id,
        address=row.address,
        key=row.key,
        domain=row.domain,
        status=row.status,
        zone=row.zone,
        language=row.language,
        follows={name: tuple(labels) for name, labels in json.loads(row.query).items()},
        digests=digests,
        added_at=row.added_at,
        paused_until=row.paused_until,
        feed_since=row.feed_since,
    )


_COLUMNS: Final = (subscriber, selection.c.query)


def _all() -> Select[Any]:
    return select(*_COLUMNS).join(selection, selection.c.id == subscriber.c.selection_id)


def by_key(connection: Connection, key: str) -> Subscriber | None:
    """Return the reader with an address, in the form in which two spellings are equal."""
    row = connection.execute(_all().where(subscriber.c.key == key)).first()
    return _row(row, _digests(connection, [row.id]).get(row.id, ())) if row else None


def find(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """Return a reader by number."""
    row = connection.execute(_all().where(subscriber.c.id == subscriber_id)).first()
    return _row(row, _digests(connection, [row.id]).get(row.id, ())) if row else None


def find_all(connection: Connection, ids: Iterable[int]) -> dict[int, Subscriber]:
    """Return number → reader, of those that there are."""
    found: dict[int, Subscriber] = {}
    for some in pages(ids):
        rows = connection.execute(_all().where(subscriber.c.id.in_(some))).all()
        digests = _digests(connection, [row.id for row in rows])
        found.update((row.id, _row(row, digests.get(row.id, ()))) for row in rows)
    return found


def _digests(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    query = select(subscription.c.subscriber_id, subscription.c.digest).where(subscription.c.subscriber_id.in_(ids))
    found: dict[int, tuple[str, ...]] = {}
    for number, digest in connection.execute(query.order_by(subscription.c.subscriber_id, subscription.c.digest)):
        found[number] = (*found.get(number, ()), digest)
    return found


def every_subscriber(
    connection: Connection, *, digest: str | None = None, status: str | None = None
) -> Iterator[Subscriber]:
    """Yield readers in the order in which they came, a page at a time."""
    last = 0
    while True:
        query = _all().where(subscriber.c.id > last)
        if digest is not None:
            query = query.join(
                subscription, (subscription.c.subscriber_id == subscriber.c.id) & (subscription.c.digest == digest)
            )
        if status is not None:
            query = query.where(subscriber.c.status == status)
        rows = connection.execute(query.order_by(subscriber.c.id).limit(2000)).all()
        if not rows:
            return
        digests = _digests(connection, [row.id for row in rows])
        for row in rows:
            yield _row(row, digests.get(row.id, ()))
        last = rows[-1].id


def counts(connection: Connection) -> dict[str, int]:
    """Return status → how many readers."""
    query = select(subscriber.c.status, func.count()).group_by(subscriber.c.status)
    return dict(iter(connection.execute(query)))
