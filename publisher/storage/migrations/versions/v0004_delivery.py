"""Add subscribers, interests, deliveries and the suppression list."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_OPEN = "state IN ('sending', 'handed over', 'deferred', 'uncertain')"


def upgrade() -> None:
    """Add tables and columns; existing issues have no subscribers."""
    op.add_column("issue", sa.Column("is_paused", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("issue", sa.Column("approved", sa.Text(), nullable=True))
    op.add_column("issue", sa.Column("approved_at", sa.BigInteger(), nullable=True))
    op.add_column("issue", sa.Column("draft_at", sa.BigInteger(), nullable=True))
    op.add_column("rendering", sa.Column("subject", sa.Text(), nullable=True))
    _add_subscribers()
    _add_deliveries()


def _add_subscribers() -> None:
    op.create_table(
        "selection",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("query", sa.Text(), nullable=False, unique=True),
    )
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, unique=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("selection_id", sa.Integer(), sa.ForeignKey("selection.id"), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "subscription",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("subscriber_id", sa.Integer(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_subscription_subscriber", "subscription", ["subscriber_id"])
    op.create_table(
        "suppression",
        sa.Column("hash", sa.Text(), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("suppressed_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bounce",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issue_id", sa.Integer(), nullable=True),
        sa.Column("subscriber_id", sa.Integer(), nullable=False, index=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("report", "subscriber_id"),
    )


def _add_deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), primary_key=True),
        sa.Column("subscriber_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("handed_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("sender_id", sa.Integer(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["issue_id", "subscriber_id"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_table(
        "attempt",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), primary_key=True),
        sa.Column("subscriber_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("attempted_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
    )
    op.create_table(
        "sender",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "sent_day",
        sa.Column("day", sa.Text(), primary_key=True),
        sa.Column("copies", sa.Integer(), nullable=False),
    )
