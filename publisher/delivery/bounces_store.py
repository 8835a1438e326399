"""Stored bounces, complaints and unsubscribe messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from sqlalchemy import ColumnElement, Connection, func, insert, select

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
    reported_at: int


def add_bounce(connection: Connection, report_hash: str, row: BounceRow) -> bool:
    """Store the report of a message with this hash; return False if it is stored already."""
    same = (bounce.c.report_hash == report_hash) & (bounce.c.subscriber_id == row.subscriber_id)
    if connection.execute(select(bounce.c.id).where(same)).first():
        return False
    number = int(connection.execute(select(func.coalesce(func.max(bounce.c.id), 0))).scalar_one()) + 1
    connection.execute(insert(bounce).values(id=number, report_hash=report_hash, **asdict(row)))
    return True


def soft_bounces(connection: Connection, subscriber_id: int, since: int, until: int) -> list[BounceRow]:
    """Return a subscriber's soft bounces of a period, in seconds since 1970, oldest first."""
    is_theirs = (bounce.c.subscriber_id == subscriber_id) & (bounce.c.kind == "soft")
    return _bounces(connection, is_theirs, bounce.c.reported_at.between(since, until))


def has_complained(connection: Connection, subscriber_id: int) -> bool:
    """Return whether a complaint of a subscriber is stored."""
    query = select(bounce.c.id).where(bounce.c.subscriber_id == subscriber_id, bounce.c.kind == "complaint")
    return connection.execute(query.limit(1)).first() is not None


def bounces_of(connection: Connection, issue_id: int, subscriber_id: int) -> list[BounceRow]:
    """Return the stored bounces of a delivery, oldest first."""
    return _bounces(connection, bounce.c.issue_id == issue_id, bounce.c.subscriber_id == subscriber_id)


def _bounces(connection: Connection, *conditions: ColumnElement[bool]) -> list[BounceRow]:
    columns = [bounce.c[field.name] for field in fields(BounceRow)]
    query = select(*columns).where(*conditions).order_by(bounce.c.reported_at, bounce.c.id)
    return [BounceRow(**row) for row in connection.execute(query).mappings()]
