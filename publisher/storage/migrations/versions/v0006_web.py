"""Add confirmation emails, pauses, personal feeds, the hub, feed requests."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables; nobody has a pause or a personal feed."""
    op.add_column("subscriber", sa.Column("paused_until", sa.BigInteger(), nullable=True))
    op.add_column("subscriber", sa.Column("feed_since", sa.BigInteger(), nullable=True))
    op.create_table(
        "letter",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False, index=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True, index=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
    )
    _add_hub()
    _add_reports()


def _add_hub() -> None:
    op.create_table(
        "hub_subscription",
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("callback", sa.Text(), primary_key=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hub_task",
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("callback", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False, index=True),
        sa.Column("said", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )


def _add_reports() -> None:
    op.create_table(
        "listening",
        sa.Column("day", sa.Text(), primary_key=True),
        sa.Column("feed", sa.Text(), primary_key=True),
        sa.Column("program", sa.Text(), primary_key=True),
        sa.Column("subscribers", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "click",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), primary_key=True, autoincrement=False),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True, autoincrement=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("programs", sa.Integer(), nullable=False),
    )
