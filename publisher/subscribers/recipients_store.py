"""Queries of the people who are mailed: active subscribers, and the recipients of open deliveries."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, and_, func, select

from publisher.model.delivery import FINAL_STATES
from publisher.model.subscriptions import SubscriptionState
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription

#: Subscriptions with their subscribers, and the condition for those that are mailed, if they do not pause.
SUBSCRIBERS: Final = subscription.join(subscriber, subscriber.c.id == subscription.c.subscriber_id)
IS_ACTIVE: Final = and_(
    subscription.c.state == SubscriptionState.ACTIVE.value,
    subscriber.c.state == SubscriptionState.ACTIVE.value,
    subscriber.c.is_suppressed.is_(False),
)


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
    query = select(subscriber.c.domain, func.count()).select_from(SUBSCRIBERS)
    is_theirs = (subscription.c.digest == digest) & IS_ACTIVE
    return dict(iter(connection.execute(query.where(is_theirs).group_by(subscriber.c.domain))))
