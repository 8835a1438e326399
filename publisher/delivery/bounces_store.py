"""Stored bounces, complaints and unsubscribe messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from publisher.storage.tables.delivery import bounce


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceRow:
    """A report about one delivery."""

    #: ``hard``, ``soft``, ``unverified``, ``complaint`` or ``unsubscribe``.
    kind: str
    issue_id: int
    subscriber_id: int
    status: str
    answer: str
    #: Seconds since 1970.
    at: int


def add_bounce(connection: Connection, report_hash: str, row: BounceRow) -> bool:
    """Store a report; return False if it is stored already.

    Args:
        connection: the database, in a transaction.
        report_hash: hash of the message that contains the report.
        row: the report.
    """
    same = (bounce.c.report_hash == report_hash) & (bounce.c.subscriber_id == row.subscriber_id)
    if connection.execute(select(bounce.c.id).where(same)).first():
        return False
    number = int(connection.execute(select(func.coalesce(func.max(bounce.c.id), 0))).scalar_one()) + 1
    connection.execute(
        insert(bounce).values(
            id=number,
            report_hash=report_hash,
            kind=row.kind,
            issue_id=row.issue_id,
            subscriber_id=row.subscriber_id,
            status=row.status,
            answer=row.answer,
            reported_at=row.at,
        )
    )
    return True


def soft_bounces(connection: Connection, subscriber_id: int, since: int, until: int) -> list[BounceRow]:
    """Return a subscriber's soft bounces of a period, in seconds since 1970, oldest first."""
    query = select(bounce).where(
        bounce.c.subscriber_id == subscriber_id,
        bounce.c.kind == "soft",
        bounce.c.reported_at >= since,
        bounce.c.reported_at <= until,
    )
    return _bounces(connection, query)


def has_complained(connection: Connection, subscriber_id: int) -> bool:
    """Return whether a complaint of a subscriber is stored."""
    query = select(bounce.c.id).where(bounce.c.subscriber_id == subscriber_id, bounce.c.kind == "complaint")
    return connection.execute(query.limit(1)).first() is not None


def bounces_of(connection: Connection, issue_id: int, subscriber_id: int) -> list[BounceRow]:
    """Return the stored bounces of a delivery, oldest first."""
    query = select(bounce).where(bounce.c.issue_id == issue_id, bounce.c.subscriber_id == subscriber_id)
    return _bounces(connection, query)


def _bounces(connection: Connection, query: Select[Any]) -> list[BounceRow]:
    return [
        BounceRow(
            kind=row.kind,
            issue_id=row.issue_id,
            subscriber_id=row.subscriber_id,
            status=row.status,
            answer=row.answer,
            at=row.reported_at,
        )
        for row in connection.execute(query.order_by(bounce.c.reported_at, bounce.c.id))
    ]
