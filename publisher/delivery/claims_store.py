"""Claim deliveries and hand them over, only for people who are subscribed at that moment.

Both steps read the subscription state in the transaction that changes the delivery. Somebody who unsubscribes while
their delivery is queued, deferred, paused or waiting for its time gets nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, update

from publisher.delivery.brakes_store import is_provisional_subscriber
from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import execute_rows
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue
from publisher.storage.tables.subscribers import subscriber, subscription
from publisher.subscribers.recipients_store import IS_ACTIVE

_State: Final = DeliveryState
_ACTIVE: Final = SubscriptionState.ACTIVE.value


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that a sender has claimed."""

    issue_id: int
    subscriber_id: int
    variant: int
    attempts: int
    address: str
    domain: str
    #: When the message was first handed over, in seconds since 1970; None for never. It is the time in its Date header.
    first_handed_at: int | None = None

    @property
    def recipient(self) -> str:
        """The address as mail servers use it."""
        return f"{self.address.rpartition('@')[0]}@{self.domain}"


class ClaimedBatch(NamedTuple):
    """The result of a claim."""

    claims: list[Claim]
    #: The last subscriber that was looked at; 0 if there are no more.
    after: int
    #: Number of deliveries that were suppressed, because the subscriber unsubscribed or they are too late.
    suppressed: int


_IS_CLAIM: Final = and_(delivery.c.issue_id == bindparam("issue"), delivery.c.subscriber_id == bindparam("subscriber"))
_CLAIM: Final = (
    update(delivery)
    .where(_IS_CLAIM)
    .values(
        state=_State.SENDING.value,
        attempts=delivery.c.attempts + 1,
        sender_id=bindparam("sender"),
        changed_at=bindparam("now"),
    )
)
_SUPPRESS: Final = (
    update(delivery)
    .where(_IS_CLAIM)
    .values(state=_State.SUPPRESSED.value, changed_at=bindparam("now"), answer=bindparam("answer"), sender_id=None)
)
#: True for people who may be mailed the issue now.
_IS_SUBSCRIBED: Final = exists(
    select(subscriber.c.id)
    .select_from(
        subscriber.join(issue, issue.c.id == bindparam("issue")).join(
            subscription,
            and_(subscription.c.digest == issue.c.digest, subscription.c.subscriber_id == subscriber.c.id),
        )
    )
    .where(
        subscriber.c.id == bindparam("subscriber"),
        IS_ACTIVE,
        func.coalesce(subscriber.c.paused_until, 0) <= bindparam("now"),
        ~is_provisional_subscriber(subscriber.c.id),
    )
)
_HAND_OVER: Final = (
    update(delivery)
    .where(
        _IS_CLAIM, delivery.c.state == _State.SENDING.value, delivery.c.sender_id == bindparam("sender"), _IS_SUBSCRIBED
    )
    .values(
        state=_State.HANDED_OVER.value,
        first_handed_at=func.coalesce(delivery.c.first_handed_at, bindparam("now")),
        handed_at=bindparam("now"),
        changed_at=bindparam("now"),
    )
)
#: The suppression of the address is provisional: the delivery waits for the verdict.
_WAIT: Final = update(delivery).where(_IS_CLAIM).values(due_at=bindparam("due"))
_REQUEUE: Final = (
    update(delivery)
    .where(_IS_CLAIM)
    .values(state=_State.QUEUED.value, attempts=delivery.c.attempts - 1, due_at=bindparam("due"), sender_id=None)
)
#: Seconds after which a delivery that waits for a verdict is claimed again.
_VERDICT_WAIT_SECONDS: Final = 3600
_TO_SUPPRESS: Final = ("issue", "subscriber", "now", "answer")


def _with_states() -> Select[Any]:
    """Return a query of deliveries with the columns that decide whether they may be sent."""
    is_subscription = and_(
        subscription.c.digest == issue.c.digest, subscription.c.subscriber_id == delivery.c.subscriber_id
    )
    tables = (
        delivery.join(issue, issue.c.id == delivery.c.issue_id)
        .outerjoin(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .outerjoin(subscription, is_subscription)
    )
    return select(
        delivery.c.issue_id,
        delivery.c.subscriber_id,
        delivery.c.variant,
        delivery.c.attempts,
        delivery.c.state,
        delivery.c.due_at,
        delivery.c.first_handed_at,
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
            delivery.c.state.in_([_State.QUEUED.value, _State.DEFERRED.value]),
            delivery.c.due_at <= now,
        )
        .order_by(delivery.c.subscriber_id)
        .limit(limit)
        # Without it, two senders on PostgreSQL would get the same rows. SQLite has one writer.
        .with_for_update(of=delivery, skip_locked=True)
    )
    if not without:
        return query
    return query.where(or_(subscriber.c.domain.is_(None), subscriber.c.domain.not_in(list(without))))


def _objection(row: Any, now: int) -> str:
    """Return why a delivery may not be sent; empty if it may."""
    if row.address is None:
        return "the subscriber was erased"
    if row.is_suppressed:
        return "the address is on the suppression list"
    if row.subscription_state != _ACTIVE or row.person_state != _ACTIVE:
        return _unsubscribed(row)
    if (row.paused_until or 0) > now:
        return f"mail is paused until {_minute(row.paused_until)}"
    return ""


def _lateness(row: Any, now: int, drop_after: timedelta | None) -> str:
    """Return that the first attempt of a delivery is too late; empty if it is not."""
    is_first = row.state == _State.QUEUED and row.due_at > 0
    is_late = drop_after is not None and is_first and row.due_at < now - drop_after.total_seconds()
    return "it was too late for the time that it was due at" if is_late else ""


def _unsubscribed(row: Any) -> str:
    if row.subscription_state is None:
        return f"not subscribed to {row.digest}"
    if row.subscription_state == _ACTIVE:
        return f"{SubscriptionState(row.person_state).for_digest('everything')} since {_minute(row.state_at)} (by {row.state_source})"
    at, source = _minute(row.subscription_at), row.subscription_source
    return f"{SubscriptionState(row.subscription_state).for_digest(row.digest)} since {at} (by {source})"


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
    drop_after: timedelta | None = None,
) -> ClaimedBatch:
    """Claim deliveries that are due for a sender.

    Deliveries to people who are no longer subscribed, or who pause mail, become suppressed instead, as do deliveries that
    are too late. Deliveries to people whose suppression is provisional wait.

    Args:
        after: only subscribers with greater numbers.
        limit: number of deliveries to look at.
        without: domains to leave out.
        drop_after: a first attempt that is later than this is too late; None for no limit.
    """
    rows = connection.execute(_due(issue_id, after, limit, now, without)).all()
    refused: list[tuple[int, int, int, str]] = []
    waiting: list[tuple[int, int, int]] = []
    claimed = []
    for row in rows:
        objection = _objection(row, now) or _lateness(row, now, drop_after)
        if objection:
            refused.append((issue_id, row.subscriber_id, now, objection))
        elif row.is_provisional:
            waiting.append((issue_id, row.subscriber_id, now + _VERDICT_WAIT_SECONDS))
        else:
            claimed.append(row)
    execute_rows(connection, _SUPPRESS, _TO_SUPPRESS, refused)
    execute_rows(connection, _WAIT, ("issue", "subscriber", "due"), waiting)
    to_claim = [(issue_id, row.subscriber_id, sender, now) for row in claimed]
    execute_rows(connection, _CLAIM, ("issue", "subscriber", "sender", "now"), to_claim)
    claims = [
        Claim(issue_id, row.subscriber_id, row.variant, row.attempts + 1, row.address, row.domain, row.first_handed_at)
        for row in claimed
    ]
    return ClaimedBatch(claims, rows[-1].subscriber_id if len(rows) == limit else 0, len(refused))


def hand_over(
    connection: Connection, claims: Sequence[Claim], sender: int, now: int
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Record that messages are sent now.

    Returns:
        The (issue, subscriber) pairs that this sender has no claim on any more, and those whose subscriber unsubscribed
        after the claim, which become suppressed. None of them may be sent.
    """
    rows = [(claim.issue_id, claim.subscriber_id, sender, now) for claim in claims]
    lost: set[tuple[int, int]] = set()
    withdrawn: set[tuple[int, int]] = set()
    if execute_rows(connection, _HAND_OVER, ("issue", "subscriber", "sender", "now"), rows) == len(rows):
        return lost, withdrawn
    for claim in claims:
        pair = (claim.issue_id, claim.subscriber_id)
        is_delivery = and_(delivery.c.issue_id == claim.issue_id, delivery.c.subscriber_id == claim.subscriber_id)
        row = connection.execute(_with_states().where(is_delivery)).first()
        if row is None or row.sender_id != sender:
            lost.add(pair)
        elif row.state == _State.SENDING and not _objection(row, now) and row.is_provisional:
            lost.add(pair)
            execute_rows(connection, _REQUEUE, ("issue", "subscriber", "due"), [(*pair, now + _VERDICT_WAIT_SECONDS)])
        elif row.state == _State.SENDING:
            withdrawn.add(pair)
            execute_rows(connection, _SUPPRESS, _TO_SUPPRESS, [(*pair, now, _objection(row, now))])
        elif row.state != _State.HANDED_OVER:
            lost.add(pair)
    return lost, withdrawn
