"""Subscriptions of the site's hub, and its jobs: requests to callback URLs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, tuple_

from publisher.storage import job_queue
from publisher.storage.job_queue import Job, dump_payload
from publisher.storage.tables.jobs import job
from publisher.storage.tables.websub import hub_subscription

#: The kinds of the jobs. The subject is the topic, a feed's file relative to feeds/; the target is the callback; the
#: payload of a verification has the mode (``subscribe`` or ``unsubscribe``), the secret and the lease in seconds.
CONTENT: Final = "hub content"
_VERIFICATION: Final = "hub verification"
HUB_KINDS: Final = (_VERIFICATION, CONTENT)


def queue_verification(
    connection: Connection, topic: str, callback: str, mode: str, now: int, *, secret: str = "", lease: int = 0
) -> None:
    """Queue the verification of a subscription or unsubscription; it replaces an earlier one of the callback."""
    payload = dump_payload(mode=mode, secret=secret, lease=lease)
    verification = Job(kind=_VERIFICATION, subject=topic, target=callback, due_at=now, payload=payload)
    job_queue.queue(connection, [verification])


def queue_content(connection: Connection, topic: str, now: int) -> None:
    """Queue the delivery of a feed to all its subscriptions.

    The deliveries replace the open ones of an older version.
    """
    is_subscribed = (hub_subscription.c.topic == topic) & (hub_subscription.c.leased_until > now)
    delivery = Job(kind=CONTENT, subject=topic, target="", due_at=now)
    job_queue.queue_for_each(connection, hub_subscription.c.callback, is_subscribed, delivery)


def secrets_by_feed(connection: Connection, jobs: Sequence[Job], now: int) -> dict[tuple[str, str], str]:
    """Return (topic, callback) → secret, for the jobs whose subscription has not expired."""
    columns = (hub_subscription.c.topic, hub_subscription.c.callback)
    keys = [(job.subject, job.target) for job in jobs]
    is_subscribed = tuple_(*columns).in_(keys) & (hub_subscription.c.leased_until > now)
    query = select(*columns, hub_subscription.c.secret).where(is_subscribed)
    return {(topic, callback): secret for topic, callback, secret in connection.execute(query)}


def save_subscription(connection: Connection, topic: str, callback: str, secret: str, until: int) -> None:
    """Save a verified subscription that expires at UNTIL (Unix time)."""
    delete_subscription(connection, topic, callback)
    connection.execute(
        insert(hub_subscription).values(topic=topic, callback=callback, secret=secret, leased_until=until)
    )


def delete_subscription(connection: Connection, topic: str, callback: str) -> None:
    """Delete the subscription of a callback to a feed."""
    query = delete(hub_subscription).where(hub_subscription.c.topic == topic, hub_subscription.c.callback == callback)
    connection.execute(query)


def delete_callback(connection: Connection, topic: str, callback: str) -> None:
    """Delete the subscription and the jobs of a callback that no longer exists."""
    delete_subscription(connection, topic, callback)
    is_of_callback = (job.c.subject == topic) & (job.c.target == callback)
    connection.execute(delete(job).where(job.c.kind.in_(HUB_KINDS), is_of_callback))


def subscriptions_by_topic(connection: Connection, now: int) -> dict[str, int]:
    """Return topic → number of subscriptions."""
    query = select(hub_subscription.c.topic, func.count()).where(hub_subscription.c.leased_until > now)
    return dict(iter(connection.execute(query.group_by(hub_subscription.c.topic).order_by(hub_subscription.c.topic))))


def count_rows(connection: Connection) -> int:
    """Return how many subscriptions and jobs there are."""
    subscriptions = connection.execute(select(func.count()).select_from(hub_subscription)).scalar_one()
    return int(subscriptions) + job_queue.count(connection, *HUB_KINDS)


def delete_expired_subscriptions(connection: Connection, now: int) -> int:
    """Delete expired subscriptions and return their number."""
    return connection.execute(delete(hub_subscription).where(hub_subscription.c.leased_until <= now)).rowcount
