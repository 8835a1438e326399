"""The hub's subscriptions, and what it has still to do at callbacks."""

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
    """Something that is to be done at a callback."""

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


def _is_task(one: HubTask) -> Any:
    # One that was asked for anew meanwhile is due at another time.
    return (
        _is_subscription(hub_task, one.topic, one.callback)
        & (hub_task.c.kind == one.kind)
        & (hub_task.c.due_at == one.due_at)
    )


def add_task(
    connection: Connection, topic: str, callback: str, kind: str, now: int, *, secret: str = "", lease: int = 0
) -> None:
    """Have a callback asked whether it meant to subscribe or unsubscribe; what it asked for last is what counts."""
    connection.execute(
        delete(hub_task).where(_is_subscription(hub_task, topic, callback), hub_task.c.kind != "content")
    )
    connection.execute(
        insert(hub_task).values(
            topic=topic, callback=callback, kind=kind, secret=secret, lease=lease, attempts=0, due_at=now, answer=""
        )
    )


def queue_content(connection: Connection, topic: str, now: int) -> int:
    """Have a feed handed over to everybody who has subscribed to it; return how many that are."""
    query = select(hub_subscription.c.callback, hub_subscription.c.secret).where(
        hub_subscription.c.topic == topic, hub_subscription.c.leased_until > now
    )
    rows = connection.execute(query).all()
    # What was not handed over of an older state is one with this.
    connection.execute(delete(hub_task).where(hub_task.c.topic == topic, hub_task.c.kind == "content"))
    insert_rows(
        connection,
        hub_task,
        [
            {
                "topic": topic,
                "callback": row.callback,
                "kind": "content",
                "secret": row.secret,
                "lease": 0,
                "attempts": 0,
                "due_at": now,
                "answer": "",
            }
            for row in rows
        ],
    )
    return len(rows)


def claim_tasks(connection: Connection, now: int, *, lease: int, limit: int) -> list[HubTask]:
    """Take tasks that are due; they are the caller's for so many seconds."""
    query = select(hub_task).where(hub_task.c.due_at <= now).order_by(hub_task.c.due_at, hub_task.c.callback)
    rows = connection.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings()
    found = [HubTask(**{**row, "due_at": now + lease}) for row in rows]
    for one in found:
        mine = _is_subscription(hub_task, one.topic, one.callback) & (hub_task.c.kind == one.kind)
        connection.execute(update(hub_task).where(mine).values(due_at=one.due_at))
    return found


def finish_task(connection: Connection, one: HubTask) -> None:
    """Note that a task is done, or given up; what was asked for meanwhile stays."""
    connection.execute(delete(hub_task).where(_is_task(one)))


def reschedule_task(connection: Connection, one: HubTask, due_at: int, answer: str) -> None:
    """Note that a task is to be tried again."""
    connection.execute(
        update(hub_task).where(_is_task(one)).values(due_at=due_at, attempts=one.attempts + 1, answer=answer[:200])
    )


def save_subscription(connection: Connection, one: HubTask, until: int) -> None:
    """Tell a callback of changes of a feed, until then."""
    delete_subscription(connection, one.topic, one.callback)
    connection.execute(
        insert(hub_subscription).values(topic=one.topic, callback=one.callback, secret=one.secret, leased_until=until)
    )


def delete_subscription(connection: Connection, topic: str, callback: str) -> None:
    """Tell a callback of a feed no more."""
    connection.execute(delete(hub_subscription).where(_is_subscription(hub_subscription, topic, callback)))


def delete_callback(connection: Connection, topic: str, callback: str) -> None:
    """Forget a callback that has gone, with everything that was to be done there."""
    delete_subscription(connection, topic, callback)
    connection.execute(delete(hub_task).where(_is_subscription(hub_task, topic, callback)))


def subscriptions_by_topic(connection: Connection, now: int) -> dict[str, int]:
    """Return feed → how many callbacks are told of it."""
    query = select(hub_subscription.c.topic, func.count()).where(hub_subscription.c.leased_until > now)
    return dict(iter(connection.execute(query.group_by(hub_subscription.c.topic).order_by(hub_subscription.c.topic))))


def count_rows(connection: Connection) -> int:
    """Return how many subscriptions and tasks there are."""
    first = connection.execute(select(func.count()).select_from(hub_subscription)).scalar_one()
    return int(first) + int(connection.execute(select(func.count()).select_from(hub_task)).scalar_one())


def next_task_time(connection: Connection) -> int | None:
    """Return when the next task is due; None where there is none."""
    found = connection.execute(select(func.min(hub_task.c.due_at))).scalar()
    return None if found is None else int(found)


def delete_expired_subscriptions(connection: Connection, now: int) -> int:
    """Forget subscriptions whose lease is over; return how many."""
    return connection.execute(delete(hub_subscription).where(hub_subscription.c.leased_until <= now)).rowcount
