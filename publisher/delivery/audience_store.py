"""Queries for the audience of an issue: subscribers and their queued deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import batches, execute_rows
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription

_State: Final = DeliveryState
_STREAMED: Final = {"stream_results": True, "yield_per": 5000}
#: States of deliveries whose articles count as received.
_RECEIVED_STATES: Final = (
    _State.QUEUED,
    _State.SENDING,
    _State.HANDED_OVER,
    _State.ACCEPTED,
    _State.DEFERRED,
    _State.UNCERTAIN,
)


def lock_audience(connection: Connection) -> None:
    """Let no other transaction change subscribers or subscriptions until this one ends.

    A transaction of SQLite excludes other writers anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE subscriber, subscription IN SHARE MODE"))


def _active(digest: str, now: int) -> ColumnElement[bool]:
    """Return the condition for active subscribers of a digest who do not pause beyond NOW."""
    return and_(
        subscription.c.digest == digest,
        subscription.c.state == SubscriptionState.ACTIVE.value,
        subscriber.c.state == SubscriptionState.ACTIVE.value,
        subscriber.c.is_suppressed.is_(False),
        or_(subscriber.c.paused_until.is_(None), subscriber.c.paused_until <= now),
    )


_SUBSCRIBERS: Final = subscription.join(subscriber, subscriber.c.id == subscription.c.subscriber_id)


def _received(overlapping: Collection[int]) -> ColumnElement[bool]:
    """Return the condition for deliveries of earlier issues that count as received."""
    return and_(
        delivery.c.subscriber_id == subscription.c.subscriber_id,
        delivery.c.issue_id.in_(sorted(overlapping)),
        delivery.c.state.in_(_RECEIVED_STATES),
    )


def _without_deliveries(digest: str, overlapping: Collection[int], now: int) -> ColumnElement[bool]:
    """Return the condition for active subscribers of a digest without deliveries of the overlapping issues."""
    is_active = _active(digest, now)
    if not overlapping:
        return is_active
    return and_(is_active, ~exists().where(_received(overlapping)).correlate(subscription))


def new_member_groups(
    connection: Connection, digest: str, overlapping: Collection[int], now: int
) -> list[tuple[int, str | None]]:
    """Return the distinct (interests, zone) of the active subscribers of a digest without earlier deliveries.

    Args:
        connection: the database.
        digest: the digest's slug.
        overlapping: earlier issues with articles of this one.
        now: the current time, in seconds since 1970. Subscribers who pause beyond it are left out.
    """
    # SQLite would sort all subscribers in memory to count them by group.
    query = select(subscriber.c.interests_id, subscriber.c.zone).distinct().select_from(_SUBSCRIBERS)
    rows = connection.execute(query.where(_without_deliveries(digest, overlapping, now)))
    return sorted(((row[0], row[1]) for row in rows), key=lambda group: (group[0], group[1] or ""))


def count_new_members(
    connection: Connection, digest: str, overlapping: Collection[int], now: int, interests: Collection[int]
) -> int:
    """Return the number of the subscribers of `new_member_groups` with some interests."""
    query = select(func.count()).select_from(_SUBSCRIBERS).where(_without_deliveries(digest, overlapping, now))
    return sum(
        int(connection.execute(query.where(subscriber.c.interests_id.in_(page))).scalar_one())
        for page in batches(interests)
    )


def count_deliveries_in_zone(connection: Connection, issue_id: int, zone: str) -> int:
    """Return the number of deliveries of an issue to subscribers in a time zone."""
    query = select(func.count()).select_from(delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
    is_wanted = (delivery.c.issue_id == issue_id) & (subscriber.c.zone == zone)
    return int(connection.execute(query.where(is_wanted)).scalar_one())


def members_with_deliveries(
    connection: Connection, digest: str, overlapping: Collection[int], now: int
) -> Iterator[tuple[int, int, str | None, tuple[tuple[int, int], ...]]]:
    """Yield (subscriber, interests, zone, deliveries) of the other active subscribers of a digest.

    Args:
        connection: the database.
        digest: the digest's slug.
        overlapping: earlier issues whose deliveries are returned, as (issue, variant).
        now: the current time, in seconds since 1970. Subscribers who pause beyond it are left out.
    """
    if not overlapping:
        return
    query = (
        select(subscriber.c.id, subscriber.c.interests_id, subscriber.c.zone, delivery.c.issue_id, delivery.c.variant)
        .select_from(_SUBSCRIBERS.join(delivery, _received(overlapping)))
        .where(_active(digest, now))
        .order_by(subscription.c.subscriber_id)
    )
    rows = connection.execute(query, execution_options=_STREAMED)
    for (number, interests_id, zone), group in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        yield number, interests_id, zone, tuple(sorted((row[3], row[4]) for row in group))


#: Origin of a delivery to a subscriber who subscribed after the audience was fixed.
_WELCOME: Final = "welcome"

_NEW = insert(delivery).values(
    issue_id=bindparam("issue_id"),
    subscriber_id=bindparam("subscriber_id"),
    variant=bindparam("variant"),
    state=literal_column("'queued'"),
    due_at=bindparam("due_at"),
)


def add_deliveries(connection: Connection, issue_id: int, rows: Iterable[tuple[int, int, int]]) -> int:
    """Queue deliveries of an issue; return their number.

    Args:
        connection: the database, in a transaction.
        issue_id: the issue.
        rows: (subscriber, variant, due) of each; due in seconds since 1970, 0 for at once.
    """
    total = 0
    page: list[tuple[int, int, int, int]] = []
    names = ("issue_id", "subscriber_id", "variant", "due_at")
    for number, variant, due in rows:
        page.append((issue_id, number, variant, due))
        if len(page) == 20_000:
            total += len(page)
            execute_rows(connection, _NEW, names, page)
            page = []
    execute_rows(connection, _NEW, names, page)
    return total + len(page)


def add_new_members(
    connection: Connection,
    issue_id: int,
    digest: str,
    overlapping: Collection[int],
    now: int,
    *,
    variants: Mapping[int, int],
    due: Mapping[str | None, int],
) -> int:
    """Queue deliveries of an issue to the subscribers of `new_member_groups`; return their number.

    Args:
        connection: the database, in a transaction.
        issue_id: the issue.
        digest, overlapping, now: see `new_member_groups`.
        variants: interests → variant. Subscribers with other interests get nothing.
        due: time zone → when its deliveries are due, in seconds since 1970; 0 for at once.
    """
    if not variants:
        return 0
    zone = func.coalesce(subscriber.c.zone, "")
    due_at = _choice(zone, {name or "": at for name, at in due.items()}, BigInteger())
    total = 0
    for page in batches(sorted(variants)):
        chosen = {interests_id: variants[interests_id] for interests_id in page}
        query = (
            select(
                literal(issue_id, Integer()),
                subscription.c.subscriber_id,
                _choice(subscriber.c.interests_id, chosen, Integer()),
                literal(_State.QUEUED.value, Text()),
                due_at,
            )
            .select_from(_SUBSCRIBERS)
            .where(_without_deliveries(digest, overlapping, now), subscriber.c.interests_id.in_(page))
            .order_by(subscription.c.subscriber_id)
        )
        names = ["issue_id", "subscriber_id", "variant", "state", "due_at"]
        queued = connection.execute(
            insert(delivery).from_select(names, query), execution_options={"preserve_rowcount": True}
        )
        total += queued.rowcount
    return total


def _choice(column: ColumnElement[Any], values: Mapping[Any, int], kind: TypeEngine[int]) -> ColumnElement[int]:
    """Return an expression with the value of a column in a mapping; the most frequent value is the last one tried."""
    keys: dict[int, list[Any]] = {}
    for key, value in values.items():
        keys.setdefault(value, []).append(key)
    *others, last = sorted(keys, key=lambda value: len(keys[value]))
    if not others:
        return literal(last, kind)
    return case(*((column.in_(keys[value]), literal(value, kind)) for value in others), else_=literal(last, kind))


def record_welcome_delivery(
    connection: Connection,
    issue_id: int,
    subscriber_id: int,
    variant: int,
    now: int,
    answer: str,
    *,
    first_handed_at: int | None = None,
) -> None:
    """Store the delivery of an issue to a person who subscribed after it was made, unless the person was erased since."""
    query = select(subscriber.c.id).where(subscriber.c.id == subscriber_id).with_for_update(read=True)
    if connection.execute(query).first() is None:
        return
    connection.execute(
        insert(delivery).values(
            issue_id=issue_id,
            subscriber_id=subscriber_id,
            variant=variant,
            state=_State.ACCEPTED.value,
            attempts=1,
            origin=_WELCOME,
            first_handed_at=now if first_handed_at is None else first_handed_at,
            handed_at=now,
            changed_at=now,
            answer=answer,
        )
    )
