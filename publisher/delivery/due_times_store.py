"""Due times of all queues, corrected after the clock was ahead."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, Table, and_, literal_column, update

from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.schedule import slot_run
from publisher.storage.tables.subscriptions import confirmation_email
from publisher.storage.tables.websub import hub_task, notification

__all__ = ["bring_forward"]

#: Queues of retries: (table, column). A claimed row is covered by its lease in the same column.
_QUEUES: Final[tuple[tuple[Table, Column[int]], ...]] = (
    (notification, notification.c.due_at),
    (hub_task, hub_task.c.due_at),
    (confirmation_email, confirmation_email.c.due_at),
)


def bring_forward(connection: Connection, now: datetime, horizon: datetime) -> int:
    """Make rows due now whose retry time or lease is after ``horizon``; return their number.

    Only a clock that was ahead sets such a time. Deliveries that wait for a subscriber's local time stay as they are;
    only deferred ones are retries.
    """
    seconds, latest = int(now.timestamp()), int(horizon.timestamp())
    changed = 0
    for table, column in _QUEUES:
        changed += connection.execute(update(table).where(column > latest).values({column: seconds})).rowcount
    # A slot in the future stays as it is: it must not replace the slots before it.
    leased = and_(slot_run.c.leased_until > latest, slot_run.c.slot <= seconds)
    changed += connection.execute(update(slot_run).where(leased).values(leased_until=seconds)).rowcount
    is_deferred = delivery.c.state == literal_column("'deferred'")
    late = update(delivery).where(and_(is_deferred, delivery.c.due_at > latest)).values(due_at=seconds)
    return changed + connection.execute(late).rowcount
