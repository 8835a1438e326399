"""Tables of schedules and their slot runs."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text

from publisher.storage.tables.base import table

#: Slots that are waiting or running.
_OPEN: Final = "state IN ('due', 'running')"

#: A schedule as last saved.
schedule = table(
    "schedule",
    #: ``feeds``, or ``digest:SLUG``.
    Column("name", Text, primary_key=True),
    #: JSON.
    Column("timetable", Text, nullable=False),
    #: Earlier slots belong to the previous timetable.
    Column("effective_from", BigInteger, nullable=False),
)

#: A due slot and its run. The primary key prevents a second one.
slot_run = table(
    "slot_run",
    Column("schedule", Text, primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    #: ``due``, ``running``, ``done`` or ``skipped``.
    Column("state", Text, nullable=False),
    #: Number of claims. Only the process with the latest number may finish it.
    Column("attempt", Integer, nullable=False),
    #: The runner that claimed it last.
    Column("runner", Text, nullable=False),
    #: Expiry of the claim.
    Column("leased_until", BigInteger, nullable=False),
    #: Milliseconds between the slot and its first start; NULL for not started.
    Column("late_ms", BigInteger),
    Column("finished_at", BigInteger),
    #: Result, or error.
    Column("outcome", Text, nullable=False),
    Index("ix_slot_run_slot", "slot"),
    Index("ix_slot_run_open", "schedule", sqlite_where=text(_OPEN)),
    sqlite_with_rowid=False,
)
