"""The audience of an issue: subscribers when it is made, and the deliveries that are queued with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, insert, literal_column, or_, select

from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import execute_rows
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription

__all__ = ["add_deliveries", "audience_members", "frozen_audience", "record_welcome_delivery"]

_S: Final = DeliveryState
_STREAMED: Final = {"stream_results": True, "yield_per": 5000}
#: Who has such a copy has the articles in it.
_RECEIVED_STATES: Final = (_S.QUEUED, _S.SENDING, _S.HANDED_OVER, _S.ACCEPTED, _S.DEFERRED, _S.UNCERTAIN)


def audience_members(
    connection: Connection, digest: str, overlapping: Collection[int], now: int
) -> Iterator[tuple[int, int, str | None, tuple[tuple[int, int], ...]]]:
    """Yield (subscriber, interests, zone, deliveries) of every active subscriber of a digest, by number.

    Args:
        connection: to the store.
        digest: its slug.
        overlapping: issues whose deliveries, as (issue, edition), are told.
        now: people who pause beyond this instant are left out.
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
        for number, question, zone in rows:
            yield number, question, zone, ()
        return
    last: tuple[int, int, str | None] | None = None
    copies: list[tuple[int, int]] = []
    for number, question, zone, issue_id, edition in rows:
        if last is not None and last[0] != number:
            yield (*last, tuple(sorted(copies)))
            copies = []
        last = (number, question, zone)
        if issue_id is not None:
            copies.append((issue_id, edition))
    if last is not None:
        yield (*last, tuple(sorted(copies)))


#: The origin of an issue that is sent to somebody who subscribed after its audience was fixed.
_WELCOME: Final = "welcome"

_NEW = insert(delivery).values(
    issue_id=bindparam("issue_id"),
    subscriber_id=bindparam("subscriber_id"),
    variant=bindparam("variant"),
    state=literal_column("'queued'"),
    due_at=bindparam("due_at"),
)


def add_deliveries(connection: Connection, issue_id: int, rows: Iterable[tuple[int, int, int]]) -> int:
    """Queue copies of an issue: (reader, edition, due, 0 for at once) each; return how many."""
    total = 0
    page: list[tuple[int, int, int, int]] = []
    names = ("issue_id", "subscriber_id", "variant", "due_at")
    for number, edition, due in rows:
        page.append((issue_id, number, edition, due))
        if len(page) == 20_000:
            total += len(page)
            execute_rows(connection, _NEW, names, page)
            page = []
    execute_rows(connection, _NEW, names, page)
    return total + len(page)


def frozen_audience(connection: Connection, issue_id: int) -> Iterator[tuple[int, int]]:
    """Yield (reader, edition) of every copy of an issue, by reader."""
    query = select(delivery.c.subscriber_id, delivery.c.variant).where(
        delivery.c.issue_id == issue_id, delivery.c.origin != _WELCOME
    )
    for row in connection.execute(query.order_by(delivery.c.subscriber_id), execution_options=_STREAMED):
        yield row.subscriber_id, row.variant


def record_welcome_delivery(
    connection: Connection, issue_id: int, subscriber_id: int, edition: int, now: int, said: str
) -> None:
    """Write down that a reader who joined after the issue was frozen has been sent it."""
    connection.execute(
        insert(delivery).values(
            issue_id=issue_id,
            subscriber_id=subscriber_id,
            variant=edition,
            state=_S.ACCEPTED.value,
            attempts=1,
            origin=_WELCOME,
            handed_at=now,
            changed_at=now,
            answer=said,
        )
    )
