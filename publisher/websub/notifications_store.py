"""Queued notifications about changed feeds: jobs with a feed's file and a recipient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, delete, update

from publisher.storage import job_queue
from publisher.storage.job_queue import Job, dump_payload
from publisher.storage.tables.jobs import job

#: The kind of the jobs. The subject is the feed's file, relative to feeds/; the target is ``websub URL`` or
#: ``rsscloud URL``; the payload is the hash of the bytes that must be served before the notification is sent.
NOTIFICATION: Final = "notification"


def queue_notifications(connection: Connection, recipients: Iterable[str], path: str, sha256: str) -> None:
    """Queue notifications about a changed feed; they replace older ones about the same feed."""
    payload = dump_payload(sha256=sha256)
    job_queue.queue(
        connection,
        [Job(kind=NOTIFICATION, subject=path, target=name, due_at=0, payload=payload) for name in recipients],
    )


def update_hash(connection: Connection, path: str, sha256: str) -> None:
    """Let the queued notifications about a feed wait for these newer bytes, without queueing others."""
    query = update(job).where(job.c.kind == NOTIFICATION, job.c.subject == path)
    connection.execute(query.values(payload=dump_payload(sha256=sha256)))


def delete_feed_notifications(connection: Connection, path: str) -> None:
    """Delete the notifications about a feed that was removed."""
    connection.execute(delete(job).where(job.c.kind == NOTIFICATION, job.c.subject == path))


def delete_other_recipients(connection: Connection, recipients: Iterable[str]) -> None:
    """Delete the notifications of recipients that are no longer in the settings."""
    connection.execute(delete(job).where(job.c.kind == NOTIFICATION, job.c.target.not_in(list(recipients))))
