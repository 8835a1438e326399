"""Queries of an issue's open deliveries: domains, due times, attempts."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from publisher.model.delivery import FINAL_STATES
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription


def open_domains(connection: Connection, issue_id: int) -> dict[str, int]:
    """Return domain → number of deliveries of an issue that are not finished."""
    query = (
        select(subscriber.c.domain, func.count())
        .select_from(delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
        .where(delivery.c.issue_id == issue_id, delivery.c.state.not_in(FINAL_STATES))
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
