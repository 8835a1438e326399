"""Subscribers and their interests."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from publisher.model.result import Result
from publisher.model.subscriptions import ALL_DIGESTS, ChangeSource, SubscriptionState
from publisher.model.taxonomy import FacetKind, Query
from publisher.storage.bulk import batches, insert_rows, select_mapping
from publisher.storage.facts import increment_fact
from publisher.storage.locks import advisory_lock
from publisher.storage.tables.delivery import attempt, bounce, delivery, provisional_suppression
from publisher.storage.tables.digests import issue
from publisher.storage.tables.subscribers import interests, subscriber, subscription, subscription_event
from publisher.subscribers.subscriptions_store import Subscription, load_subscriptions

#: The kinds of labels that subscribers can be interested in, by the name of their field.
INTEREST_KINDS: Final = {
    "topics": FacetKind.TOPIC,
    "regions": FacetKind.REGION,
    "brands": FacetKind.BRAND,
    "tags": FacetKind.TAG,
    "authors": FacetKind.AUTHOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber(Result):
    """A person on the list. Times are seconds since 1970."""

    id: int
    address: str
    #: The normalised address: two spellings of one address are equal.
    key: str
    domain: str
    #: The state without a suppression.
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
    #: Interests by field, for each digest: labels as they were given.
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added_at: int = 0
    #: End of a pause without mail; None for none.
    paused_until: int | None = None
    #: When their personal feed was created; None for no feed.
    feed_since: int | None = None

    @property
    def status(self) -> SubscriptionState:
        """The effective state: a suppression overrides all others."""
        return SubscriptionState.SUPPRESSED if self.is_suppressed else self.state

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests with an active subscription."""
        return self.digests_in(SubscriptionState.ACTIVE)

    def digests_in(self, state: SubscriptionState) -> tuple[str, ...]:
        """Return the digests for which the subscriber has this state."""
        return tuple(name for name, subscription in self.subscriptions.items() if subscription.state is state)

    def as_dict(self) -> dict[str, Any]:
        """Return the subscriber for JSON output, without empty values."""
        unsubscribed = self.digests_in(SubscriptionState.UNSUBSCRIBED)
        if self.opted_out_at is not None and self.state is SubscriptionState.ACTIVE:
            unsubscribed = (*unsubscribed, ALL_DIGESTS)
        optional: dict[str, Any] = {"zone": self.zone, "language": self.language}
        states: dict[str, Any] = {
            "digests_unsubscribed": list(unsubscribed),
            "digests_unconfirmed": list(self.digests_in(SubscriptionState.UNCONFIRMED)),
        }
        return {
            "address": self.address,
            "status": self.status.value,
            **{name: value for name, value in optional.items() if value},
            "digests": list(self.digests),
            **{name: value for name, value in states.items() if value},
            **{name: list(labels) for name, labels in self.follows.items()},
        }

    @property
    def has_complained(self) -> bool:
        """Whether they unsubscribed by a complaint, from a digest or all, and have not returned."""
        if self.state is SubscriptionState.UNSUBSCRIBED and self.state_source is ChangeSource.COMPLAINT:
            return True
        unsubscribed = (
            current for current in self.subscriptions.values() if current.state is SubscriptionState.UNSUBSCRIBED
        )
        return any(current.source is ChangeSource.COMPLAINT for current in unsubscribed)

    def has_unsubscribed(self, digest: str) -> bool:
        """Return whether only they, or an operator with a reason, may subscribe them to a digest."""
        if digest in self.subscriptions:
            return self.subscriptions[digest].state is not SubscriptionState.ACTIVE
        return self.opted_out_at is not None or self.state is not SubscriptionState.ACTIVE


def interests_text(follows: Mapping[str, Collection[str]]) -> str:
    """Return interests as stored: equal interests have equal text."""
    chosen = {name: sorted(follows[name]) for name in INTEREST_KINDS if follows.get(name)}
    return json.dumps(chosen, ensure_ascii=False, sort_keys=True)


def interests_id(connection: Connection, text: str) -> int:
    """Return the ID of interests, stored if they are new."""
    # Two transactions may store the same interests for the first time.
    advisory_lock(connection, "interests")
    known = connection.execute(select(interests.c.id).where(interests.c.query == text)).scalar()
    if known is not None:
        return int(known)
    number = int(connection.execute(select(func.coalesce(func.max(interests.c.id), 0))).scalar_one()) + 1
    connection.execute(insert(interests).values(id=number, query=text))
    return number


def load_interest_queries(connection: Connection) -> dict[int, Query]:
    """Return all stored interests as queries, by ID."""
    return {number: _query(json.loads(text)) for number, text in connection.execute(select(interests))}


def interest_query(person: Subscriber) -> Query:
    """Return a subscriber's interests as a query."""
    return _query({name: labels for name, labels in person.follows.items() if labels})


def _query(labels: Mapping[str, Sequence[str]]) -> Query:
    return Query(
        wanted=tuple(
            (kind, frozenset(label.casefold() for label in labels[name]))
            for name, kind in INTEREST_KINDS.items()
            if name in labels
        )
    )


def lock_subscribers(connection: Connection) -> None:
    """Let no other transaction add subscribers or confirmation emails until this one ends.

    Take it before reading whether a subscriber exists, if the transaction then acts on the answer.
    """
    advisory_lock(connection, "subscriber list")


def reserve_ids(connection: Connection, count: int) -> int:
    """Reserve COUNT new IDs and return the first. IDs of erased subscribers are not reused."""
    return increment_fact(connection, "subscribers", count) + 1


def ids_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return key → ID of the subscribers that exist."""
    return select_mapping(connection, subscriber.c.key, subscriber.c.id, keys)


def insert_subscribers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add subscribers; each row has all columns of the table."""
    insert_rows(connection, subscriber, rows)


def update_subscribers(connection: Connection, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Update subscribers: (ID, columns to change) each."""
    for number, values in rows:
        if values:
            connection.execute(update(subscriber).where(subscriber.c.id == number).values(**values))


def delete_subscriber(connection: Connection, subscriber_id: int) -> None:
    """Delete a subscriber with all personal data and history; deliveries keep their ID."""
    issues = select(issue.c.id)
    for table in (delivery, attempt):
        # Replies of servers contain the address.
        is_theirs = (table.c.issue_id.in_(issues)) & (table.c.subscriber_id == subscriber_id)
        connection.execute(update(table).where(is_theirs, table.c.answer.is_not(None)).values(answer=""))
    connection.execute(update(bounce).where(bounce.c.subscriber_id == subscriber_id).values(answer=""))
    for table in (subscription_event, subscription, provisional_suppression):
        connection.execute(delete(table).where(table.c.subscriber_id == subscriber_id))
    connection.execute(delete(subscriber).where(subscriber.c.id == subscriber_id))


_COLUMNS: Final = tuple(subscriber.c[one.name] for one in fields(Subscriber) if one.name in subscriber.c)


def _subscriber(row: Row[Any], subscriptions: Mapping[str, Subscription]) -> Subscriber:
    values = {
        "state": SubscriptionState(row.state),
        "state_source": ChangeSource(row.state_source),
        "subscriptions": subscriptions,
        "follows": {name: tuple(labels) for name, labels in json.loads(row.query).items()},
    }
    return Subscriber(**{column.name: row[at] for at, column in enumerate(_COLUMNS)} | values)


def _all() -> Select[Any]:
    return select(*_COLUMNS, interests.c.query).join(interests, interests.c.id == subscriber.c.interests_id)


def _load(connection: Connection, query: Select[Any]) -> list[Subscriber]:
    rows = connection.execute(query).all()
    states = load_subscriptions(connection, [row.id for row in rows])
    return [_subscriber(row, states.get(row.id, {})) for row in rows]


def find_by_key(connection: Connection, key: str) -> Subscriber | None:
    """Return the subscriber with a normalised address."""
    return next(iter(_load(connection, _all().where(subscriber.c.key == key))), None)


def find_subscriber(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """Return a subscriber by ID."""
    return find_subscribers(connection, [subscriber_id]).get(subscriber_id)


def find_subscribers(connection: Connection, ids: Iterable[int]) -> dict[int, Subscriber]:
    """Return ID → subscriber, of those that exist."""
    return {
        person.id: person
        for batch in batches(ids)
        for person in _load(connection, _all().where(subscriber.c.id.in_(batch)))
    }


def iter_subscribers(
    connection: Connection, *, digest: str | None = None, status: SubscriptionState | None = None
) -> Iterator[Subscriber]:
    """Yield subscribers in the order in which they were added.

    They are all, those with a state for a digest, or those with a status. With both, the status is their state for that
    digest.
    """
    return chain.from_iterable(subscriber_pages(connection, digest=digest, status=status))


def subscriber_pages(
    connection: Connection, *, digest: str | None = None, status: SubscriptionState | None = None
) -> Iterator[list[Subscriber]]:
    """Yield the subscribers of `iter_subscribers` in lists."""
    last = 0
    while page := _load(connection, _page(last, digest, status)):
        yield page
        last = page[-1].id


def _page(last: int, digest: str | None, status: SubscriptionState | None) -> Select[Any]:
    query = _all().where(subscriber.c.id > last).order_by(subscriber.c.id).limit(2000)
    if digest is not None:
        is_theirs = (subscription.c.subscriber_id == subscriber.c.id) & (subscription.c.digest == digest)
        query = query.join(subscription, is_theirs)
    if status is SubscriptionState.SUPPRESSED:
        return query.where(subscriber.c.is_suppressed.is_(True))
    if status is not None:
        state = subscriber.c.state if digest is None else subscription.c.state
        return query.where(subscriber.c.is_suppressed.is_(False), state == status.value)
    return query


def count_by_status(connection: Connection) -> dict[str, int]:
    """Return status → number of subscribers."""
    query = select(subscriber.c.is_suppressed, subscriber.c.state, func.count())
    totals: dict[str, int] = {}
    for is_suppressed, state, count in connection.execute(
        query.group_by(subscriber.c.is_suppressed, subscriber.c.state)
    ):
        name = SubscriptionState.SUPPRESSED.value if is_suppressed else state
        totals[name] = totals.get(name, 0) + count
    return totals
