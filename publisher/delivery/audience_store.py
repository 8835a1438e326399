"""Queries for the audience of an issue: subscribers and their queued deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, insert, literal_column, or_, select

from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import execute_rows
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription

__all__ = ["add_deliveries", "audience_members", "record_welcome_delivery"]

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


def audience_members(
    connection: Connection, digest: str, overlapping: Collection[int], now: int
) -> Iterator[tuple[int, int, str | None, tuple[tuple[int, int], ...]]]:
    """Yield (subscriber, interests, zone, deliveries) of the active subscribers of a digest.

    Args:
        connection: the database.
        digest: the digest's slug.
        overlapping: issues whose deliveries are returned, as (issue, variant).
        now: the current time, in seconds since 1970. Subscribers who pause beyond it are left out.
    """
    columns: list[Any] = [subscriber.c.id, subscriber.c.interests_id, subscriber.c.zone]
    tables: Any = subscription.join(subscriber, subscriber.c.id == subscription.c.subscriber_id)
    if overlapping:
        columns += [delivery.c.issue_id, delivery.c.variant]
        has = and_(
            delivery.c.subscriber_id == subscription.c.subscriber_id,
            delivery.c.issue_id.in_(list(overlapping)),
            delivery.c.state.in_(_RECEIVED_STATES),
        )
        tables = tables.outerjoin(delivery, has)
    query = (
        select(*columns)
        .select_from(tables)
        .where(
            subscription.c.digest == digest,
            subscription.c.state == SubscriptionState.ACTIVE.value,
            subscriber.c.state == SubscriptionState.ACTIVE.value,
            subscriber.c.is_suppressed.is_(False),
        )
    )
    query = query.where(or_(subscriber.c.paused_until.is_(None), subscriber.c.paused_until <= now))
    query = query.order_by(subscription.c.subscriber_id)
    rows = connection.execute(query, execution_options=_STREAMED)
    if not overlapping:
        for number, interests_id, zone in rows:
            yield number, interests_id, zone, ()
        return
    last: tuple[int, int, str | None] | None = None
    received: list[tuple[int, int]] = []
    for number, interests_id, zone, issue_id, variant in rows:
        if last is not None and last[0] != number:
            yield (*last, tuple(sorted(received)))
            received = []
        last = (number, interests_id, zone)
        if issue_id is not None:
            received.append((issue_id, variant))
    if last is not None:
        yield (*last, tuple(sorted(received)))


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
    """Store the delivery of an issue to somebody who subscribed after it was made."""
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
