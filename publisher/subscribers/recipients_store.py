"""Queries of an issue's open deliveries: domains, due times, attempts."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription

__all__ = ["due_range", "has_attempts", "open_domains", "subscribed_domains"]

_CLOSED = (DeliveryState.ACCEPTED.value, DeliveryState.FAILED.value, DeliveryState.SUPPRESSED.value)


def open_domains(connection: Connection, issue_id: int) -> dict[str, int]:
    """Return domain → number of deliveries of an issue that are not finished."""
    query = (
        select(subscriber.c.domain, func.count())
        .select_from(delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
        .where(delivery.c.issue_id == issue_id, delivery.c.state.not_in(_CLOSED))
        .group_by(subscriber.c.domain)
    )
    return dict(iter(connection.execute(query)))


def subscribed_domains(connection: Connection, digest: str) -> dict[str, int]:
    """Return domain → number of active subscribers of a digest."""
    is_active = (
        (subscription.c.digest == digest)
        & (subscription.c.state == SubscriptionState.ACTIVE.value)
        & (subscriber.c.state == SubscriptionState.ACTIVE.value)
        & subscriber.c.is_suppressed.is_(False)
    )
    tables = subscription.join(subscriber, subscriber.c.id == subscription.c.subscriber_id)
    query = select(subscriber.c.domain, func.count()).select_from(tables).where(is_active)
    return dict(iter(connection.execute(query.group_by(subscriber.c.domain))))


def due_range(connection: Connection, issue_id: int) -> tuple[int, int] | None:
    """Return when the first and the last waiting delivery of an issue are due; None for none.

    Both in seconds since 1970; 0 means at once.
    """
    waits = delivery.c.state.in_([DeliveryState.QUEUED.value, DeliveryState.DEFERRED.value])
    query = select(func.min(delivery.c.due_at), func.max(delivery.c.due_at))
    first, last = connection.execute(query.where(delivery.c.issue_id == issue_id, waits)).one()
    return None if first is None else (int(first), int(last))


def has_attempts(connection: Connection, issue_id: int) -> bool:
    """Return whether any delivery of an issue was ever attempted, or is finished."""
    tried = (delivery.c.attempts > 0) | (delivery.c.state != DeliveryState.QUEUED.value)
    query = select(delivery.c.subscriber_id).where(delivery.c.issue_id == issue_id, tried).limit(1)
    return connection.execute(query).first() is not None
