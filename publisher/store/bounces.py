"""Reports that came back: kept first, taken out of the mailbox after."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, distinct, func, insert, select

from publisher.store.readers import bounce

__all__ = ["Bounce", "add_bounce", "bounces_of", "soft_issues"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What was reported of a reader's copy."""

    #: ``hard``, ``soft``, ``complaint`` or ``unsubscribe``.
    kind: str
    issue_id: int
    subscriber_id: int
    status: str
    said: str
    #: Seconds since 1970.
    at: int


def add_bounce(connection: Connection, report: str, found: Bounce) -> bool:
    """Keep what a report says; return False where it was kept before.

    Args:
        connection: to the store.
        report: a hash of the report.
        found: what it says.
    """
    same = (bounce.c.report == report) & (bounce.c.subscriber_id == found.subscriber_id)
    if connection.execute(select(bounce.c.id).where(same)).first():
        return False
    number = int(connection.execute(select(func.coalesce(func.max(bounce.c.id), 0))).scalar_one()) + 1
    connection.execute(
        insert(bounce).values(
            id=number,
            report=report,
            kind=found.kind,
            issue_id=found.issue_id,
            subscriber_id=found.subscriber_id,
            status=found.status,
            said=found.said,
            reported_at=found.at,
        )
    )
    return True


def soft_issues(connection: Connection, subscriber_id: int, since: int) -> int:
    """Return of how many issues a reader's copies came back since, not for good."""
    query = select(func.count(distinct(bounce.c.issue_id))).where(
        bounce.c.subscriber_id == subscriber_id, bounce.c.kind == "soft", bounce.c.reported_at >= since
    )
    return int(connection.execute(query).scalar_one())


def bounces_of(connection: Connection, issue_id: int, subscriber_id: int) -> list[Bounce]:
    """Return what was reported of a reader's copy, oldest first."""
    query = select(bounce).where(bounce.c.issue_id == issue_id, bounce.c.subscriber_id == subscriber_id)
    return [
        Bounce(
            kind=row.kind,
            issue_id=row.issue_id,
            subscriber_id=row.subscriber_id,
            status=row.status,
            said=row.said,
            at=row.reported_at,
        )
        for row in connection.execute(query.order_by(bounce.c.reported_at, bounce.c.id))
    ]
