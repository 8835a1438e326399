"""The job queue: work outside transactions, with retries.

A claim moves the due time of a job to the end of the claim. The process that claimed it finishes or reschedules it
after the work, so the job of a killed process is due again when its claim ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Column, Connection, and_, delete, func, insert, literal, select, text, update

from publisher.storage.bulk import execute_rows
from publisher.storage.tables.jobs import job

_KEY: Final = ("kind", "subject", "target")
_COLUMNS: Final = (*_KEY, "due_at", "attempts", "payload", "answer")
#: SQLAlchemy's own form imports the modules of both databases.
_REPLACE: Final = (
    "ON CONFLICT (kind, subject, target) DO UPDATE SET due_at = excluded.due_at, attempts = excluded.attempts, "
    "payload = excluded.payload, answer = excluded.answer"
)
_INSERT: Final = (
    "INSERT INTO job (kind, subject, target, due_at, attempts, payload, answer) "
    "VALUES (:kind, :subject, :target, :due_at, :attempts, :payload, :answer) "
)
_QUEUE: Final = text(_INSERT + _REPLACE)
_CLAIM: Final = text("UPDATE job SET due_at = :due_at WHERE kind = :kind AND subject = :subject AND target = :target")
#: Characters of an error that are stored.
_MAX_ANSWER: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A queued job. There is at most one of each kind, subject and target."""

    kind: str
    subject: str
    target: str
    #: When it is due, in seconds since 1970; for a claimed job, when the claim ends.
    due_at: int
    #: JSON with sorted keys. Not in the representation, because it may hold a secret.
    payload: str = field(default="{}", repr=False)
    attempts: int = 0
    #: The error of the last attempt; empty before the first.
    answer: str = ""

    @property
    def details(self) -> dict[str, Any]:
        """The values of the payload."""
        values: dict[str, Any] = json.loads(self.payload)
        return values


def dump_payload(**details: str | int) -> str:
    """Return the payload with these values."""
    return json.dumps(details, sort_keys=True)


def queue(connection: Connection, jobs: Iterable[Job]) -> None:
    """Queue jobs; each replaces an open one of the same kind, subject and target."""
    # The order of `claim`.
    execute_rows(connection, _QUEUE, _COLUMNS, sorted(map(attrgetter(*_COLUMNS), jobs)))


def queue_for_each(connection: Connection, target: Column[str], condition: Any, new: Job) -> None:
    """Queue a job for each target in a table, as `queue` does.

    Args:
        connection: to the store, in a transaction.
        target: the column with the targets.
        condition: for a row of its table.
        new: the job; its own target is not used.
    """
    values = [target if name == "target" else literal(getattr(new, name)) for name in _COLUMNS]
    # The order of `claim`, by code points.
    order = target.collate("C") if connection.dialect.name == "postgresql" else target
    rows = select(*values).where(condition).order_by(order).suffix_with(_REPLACE)
    connection.execute(insert(job).from_select(_COLUMNS, rows))


def claim(
    connection: Connection, kinds: Sequence[str], now: int, *, lease: int, limit: int, one_per_target: bool = False
) -> list[Job]:
    """Claim the jobs that have been due for longest, for LEASE seconds.

    They are returned by kind, subject and target. Transactions that change several jobs do so in this order, or they
    would wait for each other. ONE_PER_TARGET claims at most one job of each target.
    """
    order = (job.c.due_at, job.c.subject, job.c.target)
    rows: list[Any] = []
    # One query per kind, so that each reads the index in order and stops at the limit.
    for kind in kinds:
        query = select(job).where(job.c.kind == kind, job.c.due_at <= now).order_by(*order).limit(limit)
        rows += connection.execute(query.with_for_update(skip_locked=True)).mappings()
    claimed: dict[Any, Job] = {}
    for row in sorted(rows, key=lambda row: [row[column] for column in order]):
        key = row["target"] if one_per_target else tuple(row[name] for name in _KEY)
        claimed.setdefault(key, Job(**{**row, "due_at": now + lease}))
    jobs = sorted(list(claimed.values())[:limit], key=attrgetter(*_KEY))
    execute_rows(connection, _CLAIM, (*_KEY, "due_at"), list(map(attrgetter(*_KEY, "due_at"), jobs)))
    return jobs


def due(connection: Connection, kind: str, now: int | None) -> list[Job]:
    """Return the jobs of a kind that are due at NOW (all if None), by target and subject, without a claim."""
    query = select(job).where(job.c.kind == kind).order_by(job.c.target, job.c.subject)
    if now is not None:
        query = query.where(job.c.due_at <= now)
    return [Job(**row) for row in connection.execute(query).mappings()]


def _is_unchanged(queued: Job) -> Any:
    # A job that was queued or claimed again has another due time or payload, and must not be changed.
    return and_(*(job.c[name] == getattr(queued, name) for name in (*_KEY, "due_at", "payload")))


def finish(connection: Connection, queued: Job) -> None:
    """Delete a job that succeeded or was given up, unless it was queued or claimed again."""
    connection.execute(delete(job).where(_is_unchanged(queued)))


def reschedule(connection: Connection, queued: Job, due_at: int, *, attempts: int, answer: str = "") -> None:
    """Make a job due at DUE_AT, unless it was queued or claimed again since it was read."""
    values = {"due_at": due_at, "attempts": attempts, "answer": answer[:_MAX_ANSWER]}
    connection.execute(update(job).where(_is_unchanged(queued)).values(values))


def next_due_time(connection: Connection, *kinds: str) -> int | None:
    """Return when the next job of these kinds is due, in seconds since 1970; None if there is none."""
    times = [connection.execute(select(func.min(job.c.due_at)).where(job.c.kind == kind)).scalar() for kind in kinds]
    return min((time for time in times if time is not None), default=None)


def count(connection: Connection, *kinds: str) -> int:
    """Return the number of open jobs of these kinds."""
    return int(connection.execute(select(func.count()).where(job.c.kind.in_(kinds))).scalar_one())
