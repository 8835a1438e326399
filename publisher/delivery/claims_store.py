"""Claim deliveries and hand them over: only to people who are subscribed at that moment.

Both steps read the subscription state in the transaction that changes the delivery, so somebody who unsubscribed while
their delivery was queued, deferred, paused or waiting for its time gets nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, update

from publisher.delivery.brakes_store import is_provisional_subscriber
from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import execute_rows
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue
from publisher.storage.tables.subscribers import subscriber, subscription

__all__ = ["Claim", "claim", "hand_over"]

_S: Final = DeliveryState
_ACTIVE: Final = SubscriptionState.ACTIVE.value


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that a sender has taken."""

    issue_id: int
    subscriber_id: int
    variant: int
    attempts: int
    address: str
    domain: str


_MINE: Final = and_(delivery.c.issue_id == bindparam("i"), delivery.c.subscriber_id == bindparam("s"))
_TAKE: Final = (
    update(delivery)
    .where(_MINE)
    .values(
        state=_S.SENDING.value,
        attempts=delivery.c.attempts + 1,
        sender_id=bindparam("sender"),
        changed_at=bindparam("now"),
    )
)
_SUPPRESS: Final = (
    update(delivery)
    .where(_MINE)
    .values(state=_S.SUPPRESSED.value, changed_at=bindparam("now"), answer=bindparam("said"), sender_id=None)
)
#: People who may be mailed the issue now.
_IS_SUBSCRIBED: Final = exists(
    select(subscriber.c.id)
    .select_from(
        subscriber.join(issue, issue.c.id == bindparam("i")).join(
            subscription,
            and_(subscription.c.digest == issue.c.digest, subscription.c.subscriber_id == subscriber.c.id),
        )
    )
    .where(
        subscriber.c.id == bindparam("s"),
        subscriber.c.is_suppressed.is_(False),
        subscriber.c.state == _ACTIVE,
        subscription.c.state == _ACTIVE,
        func.coalesce(subscriber.c.paused_until, 0) <= bindparam("now"),
        ~is_provisional_subscriber(subscriber.c.id),
    )
)
_HAND: Final = (
    update(delivery)
    .where(_MINE, delivery.c.state == _S.SENDING.value, delivery.c.sender_id == bindparam("sender"), _IS_SUBSCRIBED)
    .values(state=_S.HANDED_OVER.value, handed_at=bindparam("now"), changed_at=bindparam("now"))
)
#: The address is suppressed for the time being: the delivery waits for the verdict.
_WAIT: Final = update(delivery).where(_MINE).values(due_at=bindparam("due"))
_PUT_BACK: Final = (
    update(delivery)
    .where(_MINE)
    .values(state=_S.QUEUED.value, attempts=delivery.c.attempts - 1, due_at=bindparam("due"), sender_id=None)
)
#: Seconds after which a delivery that waits for a verdict is looked at again.
_VERDICT_WAIT_SECONDS: Final = 3600
_TO_SUPPRESS: Final = ("i", "s", "now", "said")


def _with_states() -> Select[Any]:
    """Return a query of deliveries with what decides whether they may leave."""
    theirs = and_(subscription.c.digest == issue.c.digest, subscription.c.subscriber_id == delivery.c.subscriber_id)
    tables = (
        delivery.join(issue, issue.c.id == delivery.c.issue_id)
        .outerjoin(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .outerjoin(subscription, theirs)
    )
    return select(
        delivery.c.issue_id,
        delivery.c.subscriber_id,
        delivery.c.variant,
        delivery.c.attempts,
        delivery.c.state,
        delivery.c.due_at,
        delivery.c.sender_id,
        issue.c.digest,
        subscriber.c.address,
        subscriber.c.domain,
        subscriber.c.state.label("person_state"),
        subscriber.c.state_at,
        subscriber.c.state_source,
        subscriber.c.is_suppressed,
        subscriber.c.paused_until,
        subscription.c.state.label("subscription_state"),
        subscription.c.changed_at.label("subscription_at"),
        subscription.c.source.label("subscription_source"),
        is_provisional_subscriber(delivery.c.subscriber_id).label("is_provisional"),
    ).select_from(tables)


def _due(issue_id: int, after: int, limit: int, now: int, without: Collection[str]) -> Select[Any]:
    query = (
        _with_states()
        .where(
            delivery.c.issue_id == issue_id,
            delivery.c.subscriber_id > after,
            delivery.c.state.in_([_S.QUEUED.value, _S.DEFERRED.value]),
            delivery.c.due_at <= now,
        )
        .order_by(delivery.c.subscriber_id)
        .limit(limit)
        # On PostgreSQL two senders would be handed the same rows; SQLite has one writer.
        .with_for_update(of=delivery, skip_locked=True)
    )
    if not without:
        return query
    return query.where(or_(subscriber.c.domain.is_(None), subscriber.c.domain.not_in(list(without))))


def _objection(row: Any, now: int) -> str:
    """Return why a delivery may not leave; empty where it may."""
    if row.address is None:
        return "the subscriber was erased"
    if row.is_suppressed:
        return "the address is on the suppression list"
    if row.subscription_state != _ACTIVE or row.person_state != _ACTIVE:
        return _unsubscribed(row)
    if (row.paused_until or 0) > now:
        return f"mail is paused until {_minute(row.paused_until)}"
    return ""


def _lateness(row: Any, drop_before: int | None) -> str:
    """Return that a delivery is too late for its time; empty where it is not, or may be."""
    is_late = drop_before is not None and row.state == _S.QUEUED and 0 < row.due_at < drop_before
    return "it was too late for the time that it was due at" if is_late else ""


def _unsubscribed(row: Any) -> str:
    if row.subscription_state is None:
        return f"not subscribed to {row.digest}"
    if row.subscription_state == _ACTIVE:
        return f"{row.person_state} for everything since {_minute(row.state_at)} (by {row.state_source})"
    at, source = _minute(row.subscription_at), row.subscription_source
    return f"{row.subscription_state} for {row.digest} since {at} (by {source})"


def _minute(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def claim(
    connection: Connection,
    issue_id: int,
    sender: int,
    *,
    after: int,
    limit: int,
    now: int,
    without: Collection[str],
    drop_before: int | None = None,
) -> tuple[list[Claim], int, int]:
    """Take deliveries that are due: they are this sender's from now on.

    Deliveries to people who are not subscribed any more, or pause, are suppressed instead, and those that are too late.
    Deliveries to people whose suppression is provisional wait.

    Args:
        connection: to the store, in a transaction.
        issue_id, sender: of which issue, and who takes them.
        after: only subscribers with greater numbers.
        limit: so many at most.
        now: seconds since 1970.
        without: domains that are left alone.
        drop_before: deliveries that were due before this and were never tried are too late; None for never.

    Returns:
        The deliveries; the last subscriber that was looked at (0: there are no more); how many were suppressed.
    """
    rows = connection.execute(_due(issue_id, after, limit, now, without)).all()
    refused: list[tuple[int, int, int, str]] = []
    waiting: list[tuple[int, int, int]] = []
    taken = []
    for row in rows:
        objection = _objection(row, now) or _lateness(row, drop_before)
        if objection:
            refused.append((issue_id, row.subscriber_id, now, objection))
        elif row.is_provisional:
            waiting.append((issue_id, row.subscriber_id, now + _VERDICT_WAIT_SECONDS))
        else:
            taken.append(row)
    execute_rows(connection, _SUPPRESS, _TO_SUPPRESS, refused)
    execute_rows(connection, _WAIT, ("i", "s", "due"), waiting)
    to_take = [(issue_id, row.subscriber_id, sender, now) for row in taken]
    execute_rows(connection, _TAKE, ("i", "s", "sender", "now"), to_take)
    claims = [
        Claim(issue_id, row.subscriber_id, row.variant, row.attempts + 1, row.address, row.domain) for row in taken
    ]
    return claims, rows[-1].subscriber_id if len(rows) == limit else 0, len(refused)


def hand_over(
    connection: Connection, claims: Sequence[Claim], sender: int, now: int
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Note that these messages leave now.

    Returns:
        The (issue, subscriber) pairs that are not this sender's any more, and those whose subscriber has unsubscribed
        since the claim: their deliveries are suppressed. None of them may leave.
    """
    rows = [(one.issue_id, one.subscriber_id, sender, now) for one in claims]
    lost: set[tuple[int, int]] = set()
    withdrawn: set[tuple[int, int]] = set()
    if execute_rows(connection, _HAND, ("i", "s", "sender", "now"), rows) == len(rows):
        return lost, withdrawn
    for one in claims:
        mine = and_(delivery.c.issue_id == one.issue_id, delivery.c.subscriber_id == one.subscriber_id)
        row = connection.execute(_with_states().where(mine)).first()
        pair = (one.issue_id, one.subscriber_id)
        if row is None or row.sender_id != sender:
            lost.add(pair)
        elif row.state == _S.SENDING and not _objection(row, now) and row.is_provisional:
            lost.add(pair)
            execute_rows(connection, _PUT_BACK, ("i", "s", "due"), [(*pair, now + _VERDICT_WAIT_SECONDS)])
        elif row.state == _S.SENDING:
            withdrawn.add(pair)
            execute_rows(connection, _SUPPRESS, _TO_SUPPRESS, [(*pair, now, _objection(row, now))])
        elif row.state != _S.HANDED_OVER:
            lost.add(pair)
    return lost, withdrawn
