"""Subscriptions of the site's hub, and its queued requests to callback URLs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from publisher.storage.bulk import insert_rows
from publisher.storage.tables.websub import hub_subscription, hub_task

__all__ = [
    "HubTask",
    "add_task",
    "claim_tasks",
    "count_rows",
    "delete_callback",
    "delete_expired_subscriptions",
    "delete_subscription",
    "finish_task",
    "next_task_time",
    "queue_content",
    "reschedule_task",
    "save_subscription",
    "subscriptions_by_topic",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTask:
    """A queued request to a callback URL."""

    topic: str
    callback: str
    #: ``subscribe``, ``unsubscribe`` or ``content``.
    kind: str
    secret: str
    #: Seconds.
    lease: int
    attempts: int
    due_at: int
    answer: str


def _is_subscription(table: Any, topic: str, callback: str) -> Any:
    return (table.c.topic == topic) & (table.c.callback == callback)


def _is_task(task: HubTask) -> Any:
    # A task that was queued again meanwhile has another due time, and must not be changed.
    return (
        _is_subscription(hub_task, task.topic, task.callback)
        & (hub_task.c.kind == task.kind)
        & (hub_task.c.due_at == task.due_at)
    )


def add_task(
    connection: Connection, topic: str, callback: str, kind: str, now: int, *, secret: str = "", lease: int = 0
) -> None:
    """Queue the verification of a subscription or unsubscription; it replaces an earlier one of the callback."""
    connection.execute(
        delete(hub_task).where(_is_subscription(hub_task, topic, callback), hub_task.c.kind != "content")
    )
    connection.execute(insert(hub_task).values(_new_task(topic, callback, kind, now, secret, lease)))


def _new_task(topic: str, callback: str, kind: str, now: int, secret: str, lease: int = 0) -> dict[str, Any]:
    values = {"topic": topic, "callback": callback, "kind": kind, "secret": secret, "lease": lease}
    return {**values, "attempts": 0, "due_at": now, "answer": ""}


def queue_content(connection: Connection, topic: str, now: int) -> int:
    """Queue the delivery of a feed to all its subscriptions, and return their number."""
    query = select(hub_subscription.c.callback, hub_subscription.c.secret).where(
        hub_subscription.c.topic == topic, hub_subscription.c.leased_until > now
    )
    rows = connection.execute(query).all()
    # These deliveries replace the open ones of an older version.
    connection.execute(delete(hub_task).where(hub_task.c.topic == topic, hub_task.c.kind == "content"))
    insert_rows(connection, hub_task, [_new_task(topic, row.callback, "content", now, row.secret) for row in rows])
    return len(rows)


def claim_tasks(connection: Connection, now: int, *, lease: int, limit: int) -> list[HubTask]:
    """Claim at most LIMIT due tasks for LEASE seconds."""
    query = select(hub_task).where(hub_task.c.due_at <= now).order_by(hub_task.c.due_at, hub_task.c.callback)
    rows = connection.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings()
    claimed = [HubTask(**{**row, "due_at": now + lease}) for row in rows]
    for task in claimed:
        is_claimed = _is_subscription(hub_task, task.topic, task.callback) & (hub_task.c.kind == task.kind)
        connection.execute(update(hub_task).where(is_claimed).values(due_at=task.due_at))
    return claimed


def finish_task(connection: Connection, task: HubTask) -> None:
    """Delete a task that succeeded or was given up; a task that was queued again meanwhile stays."""
    connection.execute(delete(hub_task).where(_is_task(task)))


def reschedule_task(connection: Connection, task: HubTask, due_at: int, answer: str) -> None:
    """Reschedule a task, with the error of the last attempt."""
    connection.execute(
        update(hub_task).where(_is_task(task)).values(due_at=due_at, attempts=task.attempts + 1, answer=answer[:200])
    )


def save_subscription(connection: Connection, task: HubTask, until: int) -> None:
    """Save a verified subscription that expires at UNTIL (Unix time)."""
    delete_subscription(connection, task.topic, task.callback)
    connection.execute(
        insert(hub_subscription).values(
            topic=task.topic, callback=task.callback, secret=task.secret, leased_until=until
        )
    )


def delete_subscription(connection: Connection, topic: str, callback: str) -> None:
    """Delete the subscription of a callback to a feed."""
    connection.execute(delete(hub_subscription).where(_is_subscription(hub_subscription, topic, callback)))


def delete_callback(connection: Connection, topic: str, callback: str) -> None:
    """Delete the subscription and the tasks of a callback that no longer exists."""
    delete_subscription(connection, topic, callback)
    connection.execute(delete(hub_task).where(_is_subscription(hub_task, topic, callback)))


def subscriptions_by_topic(connection: Connection, now: int) -> dict[str, int]:
    """Return topic → number of subscriptions."""
    query = select(hub_subscription.c.topic, func.count()).where(hub_subscription.c.leased_until > now)
    return dict(iter(connection.execute(query.group_by(hub_subscription.c.topic).order_by(hub_subscription.c.topic))))


def count_rows(connection: Connection) -> int:
    """Return how many subscriptions and tasks there are."""
    first = connection.execute(select(func.count()).select_from(hub_subscription)).scalar_one()
    return int(first) + int(connection.execute(select(func.count()).select_from(hub_task)).scalar_one())


def next_task_time(connection: Connection) -> int | None:
    """Return when the next task is due; None where there is none."""
    return connection.execute(select(func.min(hub_task.c.due_at))).scalar()


def delete_expired_subscriptions(connection: Connection, now: int) -> int:
    """Delete expired subscriptions and return their number."""
    return connection.execute(delete(hub_subscription).where(hub_subscription.c.leased_until <= now)).rowcount
