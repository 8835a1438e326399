"""Subscribers and their interests."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from publisher.model.subscriptions import SubscriptionState
from publisher.model.taxonomy import FacetKind, Query
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.facts import increment_fact
from publisher.storage.locks import advisory_lock
from publisher.storage.tables.delivery import attempt, bounce, delivery, provisional_suppression
from publisher.storage.tables.digests import issue
from publisher.storage.tables.subscribers import interests, subscriber, subscription, subscription_event
from publisher.subscribers.subscriptions_store import ChangeSource, Subscription, load_subscriptions

__all__ = [
    "INTEREST_KINDS",
    "Subscriber",
    "count_by_status",
    "delete_subscriber",
    "find_by_key",
    "find_subscriber",
    "find_subscribers",
    "ids_by_key",
    "insert_subscribers",
    "interest_query",
    "interests_id",
    "interests_text",
    "iter_subscribers",
    "load_interest_queries",
    "lock_subscribers",
    "reserve_ids",
    "update_subscribers",
]

#: The kinds of labels that a reader can follow, by the name of their field.
INTEREST_KINDS: Final = {
    "topics": FacetKind.TOPIC,
    "regions": FacetKind.REGION,
    "brands": FacetKind.BRAND,
    "tags": FacetKind.TAG,
    "authors": FacetKind.AUTHOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person on the list. Instants are seconds since 1970."""

    id: int
    address: str
    #: The form in which two spellings of the address are equal.
    key: str
    domain: str
    #: The state beneath a suppression.
    state: SubscriptionState
    state_at: int = 0
    state_source: ChangeSource = ChangeSource.OPERATOR
    is_suppressed: bool = False
    #: When they first unsubscribed from everything; None for never.
    opted_out_at: int | None = None
    #: Digest → state, by name.
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    zone: str | None
    language: str | None
    #: What they want of each digest, by field: the labels as they were given.
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added_at: int = 0
    #: End of a pause without mail; None for none.
    paused_until: int | None = None
    #: When their personal feed was made; None for none.
    feed_since: int | None = None

    @property
    def status(self) -> SubscriptionState:
        """The state that counts: a suppression comes before all others."""
        return SubscriptionState.SUPPRESSED if self.is_suppressed else self.state

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests with an active subscription."""
        return self.digests_in(SubscriptionState.ACTIVE)

    def digests_in(self, state: SubscriptionState) -> tuple[str, ...]:
        """Return the digests for which the subscriber has this state."""
        return tuple(name for name, one in self.subscriptions.items() if one.state is state)

    @property
    def has_complained(self) -> bool:
        """Whether a complaint unsubscribed them, from everything or from a digest, and they have not returned."""
        if self.state is SubscriptionState.UNSUBSCRIBED and self.state_source is ChangeSource.COMPLAINT:
            return True
        left = (one for one in self.subscriptions.values() if one.state is SubscriptionState.UNSUBSCRIBED)
        return any(one.source is ChangeSource.COMPLAINT for one in left)

    def has_unsubscribed(self, digest: str) -> bool:
        """Tell whether only their own act, or an operator with a reason, may subscribe them to a digest."""
        if digest in self.subscriptions:
            return self.subscriptions[digest].state is not SubscriptionState.ACTIVE
        return self.opted_out_at is not None or self.state is not SubscriptionState.ACTIVE


def interests_text(follows: Mapping[str, Collection[str]]) -> str:
    """Return what is followed as it is kept: the same text for the same question."""
    wanted = {name: sorted(follows[name]) for name in INTEREST_KINDS if follows.get(name)}
    return json.dumps(wanted, ensure_ascii=False, sort_keys=True)


def interests_id(connection: Connection, text: str) -> int:
    """Return the number of a question, kept if it is a new one."""
    # Two readers at once may ask the same thing for the first time.
    advisory_lock(connection, "selection")
    found = connection.execute(select(interests.c.id).where(interests.c.query == text)).scalar()
    if found is not None:
        return int(found)
    number = int(connection.execute(select(func.coalesce(func.max(interests.c.id), 0))).scalar_one()) + 1
    connection.execute(insert(interests).values(id=number, query=text))
    return number


def load_interest_queries(connection: Connection) -> dict[int, Query]:
    """Return every question that readers ask, by its number."""
    return {number: _query(json.loads(text)) for number, text in connection.execute(select(interests))}


def interest_query(reader: Subscriber) -> Query:
    """Return what a reader asks for."""
    return _query({name: labels for name, labels in reader.follows.items() if labels})


def _query(wanted: Mapping[str, Sequence[str]]) -> Query:
    return Query(
        wanted=tuple(
            (kind, frozenset(one.casefold() for one in wanted[name]))
            for name, kind in INTEREST_KINDS.items()
            if name in wanted
        )
    )


def lock_subscribers(connection: Connection) -> None:
    """Let nobody else add readers, or write letters, before the caller's transaction is over.

    For whoever looks whether somebody is there, and acts on that.
    """
    advisory_lock(connection, "readers")


def reserve_ids(connection: Connection, count: int) -> int:
    """Return the first of so many numbers for new readers. Those of readers who were forgotten are not used again."""
    return increment_fact(connection, "subscribers", count) + 1


def ids_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return key → reader, of those that there are."""
    found: dict[str, int] = {}
    for some in batches(keys):
        found.update(
            iter(connection.execute(select(subscriber.c.key, subscriber.c.id).where(subscriber.c.key.in_(some))))
        )
    return found


def insert_subscribers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add readers: columns of the table, all of them in each row."""
    insert_rows(connection, subscriber, rows)


def update_subscribers(connection: Connection, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Change readers: number, and the columns that change."""
    for number, values in rows:
        if values:
            connection.execute(update(subscriber).where(subscriber.c.id == number).values(**values))


def delete_subscriber(connection: Connection, subscriber_id: int) -> None:
    """Delete everything that tells who a subscriber is, with the history: their deliveries keep a number."""
    issues = select(issue.c.id)
    for table in (delivery, attempt):
        # The words of servers hold the address.
        mine = (table.c.issue_id.in_(issues)) & (table.c.subscriber_id == subscriber_id)
        connection.execute(update(table).where(mine, table.c.answer.is_not(None)).values(answer=""))
    connection.execute(update(bounce).where(bounce.c.subscriber_id == subscriber_id).values(answer=""))
    for table in (subscription_event, subscription, provisional_suppression):
        connection.execute(delete(table).where(table.c.subscriber_id == subscriber_id))
    connection.execute(delete(subscriber).where(subscriber.c.id == subscriber_id))


def _row(row: Any, subscriptions: Mapping[str, Subscription]) -> Subscriber:
    return Subscriber(
        id=row.id,
        address=row.address,
        key=row.key,
        domain=row.domain,
        state=SubscriptionState(row.state),
        state_at=row.state_at,
        state_source=ChangeSource(row.state_source),
        is_suppressed=row.is_suppressed,
        opted_out_at=row.opted_out_at,
        subscriptions=subscriptions,
        zone=row.zone,
        language=row.language,
        follows={name: tuple(labels) for name, labels in json.loads(row.query).items()},
        added_at=row.added_at,
        paused_until=row.paused_until,
        feed_since=row.feed_since,
    )


_COLUMNS: Final = (subscriber, interests.c.query)


def _all() -> Select[Any]:
    return select(*_COLUMNS).join(interests, interests.c.id == subscriber.c.interests_id)


def find_by_key(connection: Connection, key: str) -> Subscriber | None:
    """Return the subscriber with an address, in the form in which two spellings are equal."""
    row = connection.execute(_all().where(subscriber.c.key == key)).first()
    return _row(row, load_subscriptions(connection, [row.id]).get(row.id, {})) if row else None


def find_subscriber(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """Return a subscriber by number."""
    return find_subscribers(connection, [subscriber_id]).get(subscriber_id)


def find_subscribers(connection: Connection, ids: Iterable[int]) -> dict[int, Subscriber]:
    """Return number → subscriber, of those that exist."""
    found: dict[int, Subscriber] = {}
    for some in batches(ids):
        rows = connection.execute(_all().where(subscriber.c.id.in_(some))).all()
        states = load_subscriptions(connection, [row.id for row in rows])
        found.update((row.id, _row(row, states.get(row.id, {}))) for row in rows)
    return found


def iter_subscribers(
    connection: Connection, *, digest: str | None = None, status: SubscriptionState | None = None
) -> Iterator[Subscriber]:
    """Yield subscribers in the order in which they were added, a page at a time.

    Args:
        connection: to the store.
        digest: only people with a state for this digest.
        status: only people with this state, for the digest where one is named.
    """
    last = 0
    while True:
        rows = connection.execute(_page(last, digest, status)).all()
        if not rows:
            return
        states = load_subscriptions(connection, [row.id for row in rows])
        for row in rows:
            yield _row(row, states.get(row.id, {}))
        last = rows[-1].id


def _page(last: int, digest: str | None, status: SubscriptionState | None) -> Select[Any]:
    query = _all().where(subscriber.c.id > last).order_by(subscriber.c.id).limit(2000)
    if digest is not None:
        theirs = (subscription.c.subscriber_id == subscriber.c.id) & (subscription.c.digest == digest)
        query = query.join(subscription, theirs)
    if status is SubscriptionState.SUPPRESSED:
        return query.where(subscriber.c.is_suppressed.is_(True))
    if status is not None:
        state = subscriber.c.state if digest is None else subscription.c.state
        return query.where(subscriber.c.is_suppressed.is_(False), state == status.value)
    return query


def count_by_status(connection: Connection) -> dict[str, int]:
    """Return status → how many subscribers."""
    query = select(subscriber.c.is_suppressed, subscriber.c.state, func.count())
    found: dict[str, int] = {}
    for is_suppressed, state, count in connection.execute(
        query.group_by(subscriber.c.is_suppressed, subscriber.c.state)
    ):
        name = SubscriptionState.SUPPRESSED.value if is_suppressed else state
        found[name] = found.get(name, 0) + count
    return found
