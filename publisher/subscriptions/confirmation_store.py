"""Queries of confirmation emails, and of the requests that wait for an answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from publisher.model.subscriptions import ConfirmationKind
from publisher.storage.facts import increment_fact
from publisher.storage.tables.subscriptions import confirmation_email

__all__ = [
    "ConfirmationEmail",
    "add",
    "change_request",
    "claim",
    "delete_for_address",
    "delete_older",
    "find",
    "latest",
    "mark_sent",
    "mark_used",
    "next_due_time",
    "release",
    "retry_later",
    "set_subscriber",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationEmail:
    """A confirmation email, sent or queued."""

    id: int
    kind: ConfirmationKind
    #: The address's keyed hash, and the address itself.
    hash: str
    address: str
    #: None if the address has no subscriber yet.
    subscriber_id: int | None
    #: What to do once it is confirmed.
    request: Mapping[str, Any]
    #: Seconds since 1970, as all times here.
    made_at: int
    due_at: int | None
    attempts: int
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
            due_at=now,
            attempts=0,
        )
    )
    return number


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
    connection.execute(
        update(confirmation_email)
        .where(confirmation_email.c.id == number)
        .values(request=json.dumps(request, sort_keys=True))
    )


def mark_used(connection: Connection, number: int, now: int) -> None:
    """Record that a link was used."""
    connection.execute(update(confirmation_email).where(confirmation_email.c.id == number).values(used_at=now))


def set_subscriber(connection: Connection, number: int, subscriber_id: int) -> None:
    """Record which subscriber was added by a confirmation; erasing them deletes the email."""
    connection.execute(
        update(confirmation_email).where(confirmation_email.c.id == number).values(subscriber_id=subscriber_id)
    )


def claim(connection: Connection, now: int, *, lease: int, limit: int) -> list[ConfirmationEmail]:
    """Claim due emails for LEASE seconds, at most one per address."""
    query = (
        select(confirmation_email)
        .where(confirmation_email.c.due_at <= now)
        .order_by(confirmation_email.c.due_at, confirmation_email.c.id)
        .limit(limit)
    )
    claimed: dict[str, ConfirmationEmail] = {}
    for row in connection.execute(query.with_for_update(skip_locked=True)).mappings():
        claimed.setdefault(row["hash"], _confirmation(row))
    numbers = [email.id for email in claimed.values()]
    connection.execute(
        update(confirmation_email)
        .where(confirmation_email.c.id.in_(numbers))
        .values(due_at=now + lease, attempts=confirmation_email.c.attempts + 1)
    )
    return list(claimed.values())


def mark_sent(connection: Connection, numbers: Iterable[int]) -> None:
    """Record that emails were sent, or never will be."""
    connection.execute(update(confirmation_email).where(confirmation_email.c.id.in_(list(numbers))).values(due_at=None))


def retry_later(connection: Connection, number: int, due_at: int) -> None:
    """Schedule another attempt at DUE_AT."""
    connection.execute(update(confirmation_email).where(confirmation_email.c.id == number).values(due_at=due_at))


def release(connection: Connection, number: int, due_at: int) -> None:
    """Release a claimed email until DUE_AT; the claim does not count as an attempt."""
    connection.execute(
        update(confirmation_email)
        .where(confirmation_email.c.id == number)
        .values(due_at=due_at, attempts=confirmation_email.c.attempts - 1)
    )


def next_due_time(connection: Connection) -> int | None:
    """Return when the next email is due; None if none is queued."""
    return connection.execute(select(func.min(confirmation_email.c.due_at))).scalar()


def delete_for_address(connection: Connection, hashed: str, subscriber_id: int | None = None) -> None:
    """Delete the emails to an address, and those about a subscriber."""
    connection.execute(delete(confirmation_email).where(confirmation_email.c.hash == hashed))
    if subscriber_id is not None:
        connection.execute(delete(confirmation_email).where(confirmation_email.c.subscriber_id == subscriber_id))


def delete_older(connection: Connection, before: int) -> int:
    """Delete emails that were queued before BEFORE; return how many."""
    return connection.execute(delete(confirmation_email).where(confirmation_email.c.made_at < before)).rowcount
