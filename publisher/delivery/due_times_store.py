"""Due times of all queues, corrected after the clock was ahead."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, literal_column, update

from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.jobs import job
from publisher.storage.tables.schedule import slot_run


def bring_forward(connection: Connection, now: datetime, horizon: datetime) -> int:
    """Make rows due now whose retry time or lease is after ``horizon``; return their number.

    Only a clock that was ahead sets such a time. Deliveries that wait for a subscriber's local time stay as they are;
    only deferred ones are retries.
    """
    seconds, latest = int(now.timestamp()), int(horizon.timestamp())
    # The column also has the end of a claim.
    changed = connection.execute(update(job).where(job.c.due_at > latest).values(due_at=seconds)).rowcount
    # A slot in the future stays as it is: it must not replace the slots before it.
    leased = and_(slot_run.c.leased_until > latest, slot_run.c.slot <= seconds)
    changed += connection.execute(update(slot_run).where(leased).values(leased_until=seconds)).rowcount
    is_deferred = delivery.c.state == literal_column("'deferred'")
    late = update(delivery).where(and_(is_deferred, delivery.c.due_at > latest)).values(due_at=seconds)
    return changed + connection.execute(late).rowcount
