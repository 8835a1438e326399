"""Add stored schedules and slot runs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OPEN = "state IN ('due', 'running')"


def upgrade() -> None:
    """Add the tables; earlier slots have no run."""
    op.create_table(
        "schedule",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("timetable", sa.Text(), nullable=False),
        sa.Column("taken_up_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "slot_run",
        sa.Column("schedule", sa.Text(), primary_key=True),
        sa.Column("slot", sa.BigInteger(), primary_key=True, autoincrement=False, index=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("runner", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("late_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_slot_run_open",
        "slot_run",
        ["schedule"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
