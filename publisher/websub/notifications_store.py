"""Changed feeds that somebody is still to be told of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from publisher.storage.bulk import insert_rows
from publisher.storage.tables.websub import notification

__all__ = [
    "Notification",
    "count_notifications",
    "delete_feed_notifications",
    "delete_notification",
    "delete_other_recipients",
    "due_notifications",
    "next_notification_time",
    "queue_notifications",
    "reschedule_notification",
    "update_hash",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A changed feed, and one that is to be told of it."""

    #: The feed's file, relative to feeds/.
    path: str
    #: ``websub ADDRESS`` or ``rsscloud ADDRESS``.
    recipient: str
    #: The bytes that are to be live before anybody is told.
    sha256: str
    attempts: int
    due_at: int
    #: What the last attempt met with; empty before the first.
    answer: str


def queue_notifications(connection: Connection, recipients: Iterable[str], path: str, sha256: str) -> None:
    """Note that a feed has changed; an older change that nobody was told of yet is one with it."""
    names = list(recipients)
    if not names:
        return
    mine = notification.c.path == path
    connection.execute(delete(notification).where(mine, notification.c.recipient.in_(names)))
    insert_rows(
        connection,
        notification,
        [
            {"path": path, "recipient": name, "sha256": sha256, "attempts": 0, "due_at": 0, "answer": ""}
            for name in names
        ],
    )


def update_hash(connection: Connection, path: str, sha256: str) -> None:
    """Let announcements of a feed that are still to be made wait for these bytes, which replaced the announced ones."""
    connection.execute(update(notification).where(notification.c.path == path).values(sha256=sha256))


def due_notifications(connection: Connection, now: int | None) -> list[Notification]:
    """Return what is to be told at ``now``, or everything, by recipient and path."""
    query = select(notification).order_by(notification.c.recipient, notification.c.path)
    if now is not None:
        query = query.where(notification.c.due_at <= now)
    return [Notification(**row) for row in connection.execute(query).mappings()]


def next_notification_time(connection: Connection) -> int | None:
    """Return when the next announcement is to be made, 0 for at once; None for none."""
    return connection.execute(select(func.min(notification.c.due_at))).scalar()


def count_notifications(connection: Connection) -> int:
    """Return how many announcements are still to be made."""
    return int(connection.execute(select(func.count()).select_from(notification)).scalar_one())


def delete_notification(connection: Connection, one: Notification) -> None:
    """Note that an announcement was made, or given up; a newer one of the same feed stays."""
    connection.execute(
        delete(notification).where(
            notification.c.path == one.path,
            notification.c.recipient == one.recipient,
            notification.c.sha256 == one.sha256,
        )
    )


def reschedule_notification(connection: Connection, one: Notification, attempts: int, due_at: int, answer: str) -> None:
    """Note that an announcement is to be made later, and why."""
    query = update(notification).where(
        notification.c.path == one.path,
        notification.c.recipient == one.recipient,
        notification.c.sha256 == one.sha256,
    )
    connection.execute(query.values(due_at=due_at, answer=answer, attempts=attempts))


def delete_feed_notifications(connection: Connection, path: str) -> None:
    """Note that nobody is to be told of a feed that is gone."""
    connection.execute(delete(notification).where(notification.c.path == path))


def delete_other_recipients(connection: Connection, recipients: Iterable[str]) -> None:
    """Forget what was to be told to anybody that the settings no longer name."""
    connection.execute(delete(notification).where(notification.c.recipient.not_in(list(recipients))))
