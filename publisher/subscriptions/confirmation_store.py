"""Queries of confirmation emails, of their jobs, and of the requests that wait for an answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from publisher.model.subscriptions import ConfirmationKind
from publisher.storage import job_queue
from publisher.storage.bulk import batches
from publisher.storage.facts import increment_fact
from publisher.storage.job_queue import Job
from publisher.storage.tables.jobs import job
from publisher.storage.tables.subscribers import confirmation_email

#: The kind of the jobs. The subject is the number of an email; the target is the keyed hash of its address.
CONFIRMATION: Final = "confirmation"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationEmail:
    """A confirmation email, sent or queued."""

    id: int
    kind: ConfirmationKind
    #: Keyed hash of the address.
    hash: str
    address: str
    #: None if the address has no subscriber yet.
    subscriber_id: int | None
    #: What to do once it is confirmed.
    request: Mapping[str, Any]
    #: Seconds since 1970, as all times here.
    made_at: int
    #: When its link was used first; None if it was not.
    used_at: int | None


def _confirmation(row: Any) -> ConfirmationEmail:
    return ConfirmationEmail(**{**row, "kind": ConfirmationKind(row["kind"]), "request": json.loads(row["request"])})


def add(
    connection: Connection,
    kind: ConfirmationKind,
    hashed: str,
    address: str,
    now: int,
    *,
    subscriber_id: int | None = None,
    request: Mapping[str, Any] | None = None,
) -> int:
    """Queue a confirmation email and return its number.

    Numbers are never reused: a signed link names one, and may outlive an email that was deleted.
    """
    last = int(connection.execute(select(func.coalesce(func.max(confirmation_email.c.id), 0))).scalar_one())
    number = increment_fact(connection, "confirmation_emails", 1, at_least=last) + 1
    connection.execute(
        insert(confirmation_email).values(
            id=number,
            kind=kind.value,
            hash=hashed,
            address=address,
            subscriber_id=subscriber_id,
            request=json.dumps(request or {}, sort_keys=True),
            made_at=now,
        )
    )
    job_queue.queue(connection, [Job(kind=CONFIRMATION, subject=_subject(number), target=hashed, due_at=now)])
    return number


def _subject(number: int) -> str:
    # Padded, because emails that are due in the same second are claimed in the order of their subjects.
    return f"{number:010}"


def find(connection: Connection, number: int) -> ConfirmationEmail | None:
    """Return a confirmation email by number."""
    row = connection.execute(select(confirmation_email).where(confirmation_email.c.id == number)).mappings().first()
    return _confirmation(row) if row else None


def latest(
    connection: Connection, hashed: str, kinds: Collection[ConfirmationKind], since: int
) -> ConfirmationEmail | None:
    """Return the newest email of these kinds to an address that was queued after SINCE."""
    query = select(confirmation_email).where(
        confirmation_email.c.hash == hashed,
        confirmation_email.c.kind.in_([kind.value for kind in kinds]),
        confirmation_email.c.made_at > since,
    )
    row = connection.execute(query.order_by(confirmation_email.c.id.desc())).mappings().first()
    return _confirmation(row) if row else None


def change_request(connection: Connection, number: int, request: Mapping[str, Any]) -> None:
    """Replace what an unanswered confirmation email is about."""
    _update(connection, number, request=json.dumps(request, sort_keys=True))


def mark_used(connection: Connection, number: int, now: int) -> None:
    """Record that a link was used."""
    _update(connection, number, used_at=now)


def set_subscriber(connection: Connection, number: int, subscriber_id: int) -> None:
    """Record which subscriber was added by a confirmation; erasing them deletes the email."""
    _update(connection, number, subscriber_id=subscriber_id)


def _update(connection: Connection, number: int, **values: str | int) -> None:
    connection.execute(update(confirmation_email).where(confirmation_email.c.id == number).values(values))


def delete_jobs(connection: Connection, numbers: Iterable[int]) -> None:
    """Delete the jobs of emails that were sent, or never will be, also if another process has claimed them."""
    for subjects in batches(map(_subject, numbers)):
        connection.execute(delete(job).where(job.c.kind == CONFIRMATION, job.c.subject.in_(subjects)))


def delete_for_address(connection: Connection, hashed: str, subscriber_id: int | None = None) -> None:
    """Delete the emails to an address, and those about a subscriber, sent or queued."""
    _delete(connection, confirmation_email.c.hash == hashed)
    if subscriber_id is not None:
        _delete(connection, confirmation_email.c.subscriber_id == subscriber_id)


def delete_older(connection: Connection, before: int) -> int:
    """Delete emails that were queued before BEFORE; return how many."""
    return _delete(connection, confirmation_email.c.made_at < before)


def _delete(connection: Connection, condition: ColumnElement[bool]) -> int:
    numbers = connection.execute(select(confirmation_email.c.id).where(condition)).scalars().all()
    deleted = connection.execute(delete(confirmation_email).where(condition)).rowcount
    delete_jobs(connection, numbers)
    return deleted
