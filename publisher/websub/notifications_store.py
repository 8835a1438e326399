"""Queued notifications about changed feeds."""

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
    """A queued notification of one recipient about one changed feed."""

    #: The feed's file, relative to feeds/.
    path: str
    #: ``websub ADDRESS`` or ``rsscloud ADDRESS``.
    recipient: str
    #: The hash of the bytes that the server must serve before the notification is sent.
    sha256: str
    attempts: int
    due_at: int
    #: The error of the last attempt; empty before the first.
    answer: str


def queue_notifications(connection: Connection, recipients: Iterable[str], path: str, sha256: str) -> None:
    """Queue notifications about a changed feed; they replace older ones about the same feed."""
    names = list(recipients)
    if not names:
        return
    is_of_feed = notification.c.path == path
    connection.execute(delete(notification).where(is_of_feed, notification.c.recipient.in_(names)))
    insert_rows(
        connection,
        notification,
        [
            {"path": path, "recipient": name, "sha256": sha256, "attempts": 0, "due_at": 0, "answer": ""}
            for name in names
        ],
    )


def update_hash(connection: Connection, path: str, sha256: str) -> None:
    """Let the queued notifications about a feed wait for these newer bytes, without queueing others."""
    connection.execute(update(notification).where(notification.c.path == path).values(sha256=sha256))


def due_notifications(connection: Connection, now: int | None) -> list[Notification]:
    """Return the notifications that are due at NOW (all if None), by recipient and path."""
    query = select(notification).order_by(notification.c.recipient, notification.c.path)
    if now is not None:
        query = query.where(notification.c.due_at <= now)
    return [Notification(**row) for row in connection.execute(query).mappings()]


def next_notification_time(connection: Connection) -> int | None:
    """Return when the next notification is due (Unix time, 0 for at once); None if there is none."""
    return connection.execute(select(func.min(notification.c.due_at))).scalar()


def count_notifications(connection: Connection) -> int:
    """Return the number of queued notifications."""
    return int(connection.execute(select(func.count()).select_from(notification)).scalar_one())


def delete_notification(connection: Connection, queued: Notification) -> None:
    """Delete a notification that was sent or given up; a newer one about the same feed stays."""
    connection.execute(
        delete(notification).where(
            notification.c.path == queued.path,
            notification.c.recipient == queued.recipient,
            notification.c.sha256 == queued.sha256,
        )
    )


def reschedule_notification(
    connection: Connection, queued: Notification, attempts: int, due_at: int, answer: str
) -> None:
    """Reschedule a notification, with the error of the last attempt."""
    query = update(notification).where(
        notification.c.path == queued.path,
        notification.c.recipient == queued.recipient,
        notification.c.sha256 == queued.sha256,
    )
    connection.execute(query.values(due_at=due_at, answer=answer, attempts=attempts))


def delete_feed_notifications(connection: Connection, path: str) -> None:
    """Delete the notifications about a feed that was removed."""
    connection.execute(delete(notification).where(notification.c.path == path))


def delete_other_recipients(connection: Connection, recipients: Iterable[str]) -> None:
    """Delete the notifications of recipients that are no longer in the settings."""
    connection.execute(delete(notification).where(notification.c.recipient.not_in(list(recipients))))
