"""Schedules and their runs."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from publisher.storage.tables.base import metadata

__all__ = ["schedule", "slot_run"]

#: Slots that somebody has in hand, or is to take.
_OPEN: Final = "state IN ('due', 'running')"

#: What runs by a timetable, as it was last taken up.
schedule = Table(
    "schedule",
    metadata,
    #: ``feeds``, or ``digest:SLUG``.
    Column("name", Text, primary_key=True),
    #: JSON.
    Column("timetable", Text, nullable=False),
    #: Slots up to this instant are none of its: they were another timetable's.
    Column("effective_from", BigInteger, nullable=False),
)

#: A slot that was due, and what became of it. None runs twice: the key forbids it.
slot_run = Table(
    "slot_run",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    #: ``due``, ``running``, ``done`` or ``skipped``.
    Column("state", Text, nullable=False),
    #: How often it was claimed. Who claimed it last finishes it, and nobody else.
    Column("attempt", Integer, nullable=False),
    #: Who has it, or had it last.
    Column("runner", Text, nullable=False),
    #: Until then it is its runner's; afterwards anybody's.
    Column("leased_until", BigInteger, nullable=False),
    #: When it was begun first, in milliseconds after the slot; NULL for not yet.
    Column("late_ms", BigInteger),
    Column("finished_at", BigInteger),
    #: What came of it, or what went wrong.
    Column("outcome", Text, nullable=False),
    Index("ix_slot_run_slot", "slot"),
    Index("ix_slot_run_open", "schedule", sqlite_where=text(_OPEN)),
    sqlite_with_rowid=False,
)
