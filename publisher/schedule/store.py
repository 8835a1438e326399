"""Queries of schedules and slot runs: a slot is claimed for a while, and finished once.

A slot is a row under (schedule, slot). One statement claims it, which any number of processes may run at once.
A claim expires, and each new claim has a new attempt number: a process that was suspended for too long finds
that its number is outdated when it finishes, and its transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, literal_column, or_, select, text, update

from publisher.errors import SlotLost
from publisher.model.result import Result
from publisher.storage.bulk import batches
from publisher.storage.tables.schedule import schedule, slot_run

_OPEN: Final[Any] = literal_column("'due'"), literal_column("'running'")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """A timetable as last saved."""

    timetable: str
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class ClaimedSlot:
    """A slot that this process has claimed for a while."""

    schedule: str
    slot: datetime
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRun(Result):
    """A slot and the state of its run."""

    #: ``feeds``, or ``digest:SLUG``.
    schedule: str
    slot: datetime
    #: ``due``, ``running``, ``done`` or ``skipped``.
    state: str
    #: Number of attempts so far.
    attempt: int
    #: The process that has claimed it last; empty before the first attempt.
    runner: str
    #: When another process may take it over.
    leased_until: datetime
    #: Seconds between the slot and its first start; None if it was not started.
    late: float | None
    finished_at: datetime | None
    outcome: str

    @property
    def failures(self) -> int:
        """The number of failed attempts in a row."""
        return self.attempt if self.state == "due" else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the run for JSON output."""
        return {
            "slot": self.slot.isoformat(),
            "state": self.state,
            "late": self.late,
            "failures": self.failures,
            "outcome": self.outcome,
            "runner": self.runner,
            "retry_at": self.leased_until.isoformat() if self.state == "due" else None,
        }


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _run(row: Any) -> SlotRun:
    return SlotRun(
        schedule=row.schedule,
        slot=_moment(row.slot),
        state=row.state,
        attempt=row.attempt,
        runner=row.runner,
        leased_until=_moment(row.leased_until),
        late=row.late_ms / 1000 if row.late_ms is not None else None,
        finished_at=_moment(row.finished_at) if row.finished_at is not None else None,
        outcome=row.outcome,
    )


# -- timetables ------------------------------------------------------------------------------------


def load_schedules(connection: Connection) -> dict[str, StoredSchedule]:
    """Return name → current timetable."""
    return {
        row.name: StoredSchedule(timetable=row.timetable, effective_from=_moment(row.effective_from))
        for row in connection.execute(select(schedule))
    }


def save_schedule(connection: Connection, name: str, timetable: str, now: datetime) -> None:
    """Save a timetable that applies from NOW on."""
    connection.execute(
        text(
            "INSERT INTO schedule VALUES (:name, :timetable, :now) "
            "ON CONFLICT (name) DO UPDATE SET timetable = :timetable, effective_from = :now"
        ),
        {"name": name, "timetable": timetable, "now": _seconds(now)},
    )


def delete_other_schedules(connection: Connection, names: Collection[str]) -> None:
    """Delete all other schedules and skip their due slots; running ones finish."""
    names_to_delete = set(connection.execute(select(schedule.c.name)).scalars()) - set(names)
    if names_to_delete:
        connection.execute(delete(schedule).where(schedule.c.name.in_(names_to_delete)))
        is_due = and_(slot_run.c.schedule.in_(names_to_delete), slot_run.c.state == literal_column("'due'"))
        connection.execute(update(slot_run).where(is_due).values(state="skipped", outcome="its schedule was removed"))


# -- slots -----------------------------------------------------------------------------------------

#: An existing row is claimed only if it is free or its lease has expired. Slots of a schedule run in order:
#: while another process runs an older one, a newer one waits, or its issue would carry the older one's
#: articles.
_CLAIM: Final = text(
    "INSERT INTO slot_run (schedule, slot, state, attempt, runner, leased_until, late_ms, outcome) "
    "SELECT CAST(:schedule AS TEXT), CAST(:slot AS BIGINT), 'running', 1, CAST(:runner AS TEXT), CAST(:until AS BIGINT), CAST(:late AS BIGINT), '' "
    "WHERE NOT EXISTS (SELECT 1 FROM slot_run AS older WHERE older.schedule = :schedule AND older.slot < :slot "
    "AND older.state = 'running' AND older.leased_until > :now AND older.runner <> :runner) "
    "ON CONFLICT (schedule, slot) DO UPDATE SET state = 'running', attempt = slot_run.attempt + 1, runner = :runner, "
    "leased_until = :until, late_ms = COALESCE(slot_run.late_ms, :late) "
    "WHERE slot_run.state IN ('due', 'running') AND slot_run.leased_until <= :now "
    "RETURNING attempt"
)


def claim_slot(
    connection: Connection, name: str, slot: datetime, *, runner: str, now: datetime, until: datetime
) -> ClaimedSlot | None:
    """Claim a slot; return None if it, or an older one, is claimed by others, or it is done."""
    attempt = connection.execute(
        _CLAIM,
        {
            "schedule": name,
            "slot": _seconds(slot),
            "runner": runner,
            "now": _seconds(now),
            "until": _seconds(until),
            "late": max(0, round((now - slot).total_seconds() * 1000)),
        },
    ).scalar()
    return ClaimedSlot(name, slot, attempt) if attempt is not None else None


def enqueue_slots(connection: Connection, name: str, slots: Iterable[datetime]) -> None:
    """Store slots to run, even if a later timetable does not have them."""
    for slot in slots:
        connection.execute(
            text(
                "INSERT INTO slot_run (schedule, slot, state, attempt, runner, leased_until, outcome) "
                "VALUES (:schedule, :slot, 'due', 0, '', 0, '') ON CONFLICT (schedule, slot) DO NOTHING"
            ),
            {"schedule": name, "slot": _seconds(slot)},
        )


def _is_claim(claim: ClaimedSlot) -> Any:
    return and_(
        slot_run.c.schedule == claim.schedule,
        slot_run.c.slot == _seconds(claim.slot),
        slot_run.c.attempt == claim.attempt,
        slot_run.c.state == literal_column("'running'"),
    )


def renew_lease(connection: Connection, claim: ClaimedSlot, until: datetime) -> bool:
    """Extend a claim; return False if another process has claimed the slot meanwhile."""
    return (
        connection.execute(update(slot_run).where(_is_claim(claim)).values(leased_until=_seconds(until))).rowcount == 1
    )


def finish_slot(connection: Connection, claim: ClaimedSlot, now: datetime) -> None:
    """Record that a slot is done, in the transaction that does it.

    Raises:
        SlotLost: another process has claimed the slot meanwhile; the transaction must be rolled back.
    """
    done = update(slot_run).where(_is_claim(claim)).values(state="done", finished_at=_seconds(now))
    if connection.execute(done).rowcount != 1:
        raise SlotLost(f"{claim.schedule} at {claim.slot:%Y-%m-%dT%H:%MZ} was taken over by another runner")


def record_outcome(connection: Connection, claim: ClaimedSlot, outcome: str) -> None:
    """Record the outcome of a slot."""
    row = and_(slot_run.c.schedule == claim.schedule, slot_run.c.slot == _seconds(claim.slot))
    connection.execute(update(slot_run).where(row).values(outcome=outcome))


def release_slot(connection: Connection, claim: ClaimedSlot, until: datetime, outcome: str) -> None:
    """Release a failed slot; nobody claims it before UNTIL."""
    values = {"state": "due", "leased_until": _seconds(until), "outcome": outcome}
    connection.execute(update(slot_run).where(_is_claim(claim)).values(**values))


def skip_slot(connection: Connection, run: SlotRun, now: datetime, outcome: str) -> None:
    """Skip a slot that nobody has claimed, or that waits after a failure."""
    is_free = and_(
        slot_run.c.schedule == run.schedule,
        slot_run.c.slot == _seconds(run.slot),
        slot_run.c.attempt == run.attempt,
        or_(slot_run.c.state == literal_column("'due'"), slot_run.c.leased_until <= _seconds(now)),
    )
    connection.execute(update(slot_run).where(is_free).values(state="skipped", outcome=outcome))


def existing_slots(connection: Connection, pairs: Collection[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
    """Return those of the (schedule, slot) pairs that have a row, in any state."""
    existing: set[tuple[str, datetime]] = set()
    for batch in batches({_seconds(slot) for _, slot in pairs}):
        query = select(slot_run.c.schedule, slot_run.c.slot).where(slot_run.c.slot.in_(batch))
        existing.update((name, _moment(slot)) for name, slot in connection.execute(query))
    return existing.intersection(pairs)


def open_runs(connection: Connection) -> list[SlotRun]:
    """Return slots that are due or running, oldest first."""
    query = select(slot_run).where(slot_run.c.state.in_(_OPEN))
    return [_run(row) for row in connection.execute(query.order_by(slot_run.c.slot, slot_run.c.schedule))]


def recent_runs(connection: Connection, name: str, limit: int = 1) -> list[SlotRun]:
    """Return the newest slots of a schedule, newest first."""
    query = select(slot_run).where(slot_run.c.schedule == name).order_by(slot_run.c.slot.desc()).limit(limit)
    return [_run(row) for row in connection.execute(query)]


def delete_old_runs(connection: Connection, before: datetime) -> int:
    """Delete finished slots before BEFORE, except each schedule's newest; return how many."""
    names = connection.execute(select(slot_run.c.schedule, func.max(slot_run.c.slot)).group_by(slot_run.c.schedule))
    removed = 0
    for name, last in names.all():
        old = and_(slot_run.c.schedule == name, slot_run.c.slot < min(last, _seconds(before)))
        closed = or_(slot_run.c.state == "done", slot_run.c.state == "skipped")
        removed += connection.execute(delete(slot_run).where(old, closed)).rowcount
    return removed
