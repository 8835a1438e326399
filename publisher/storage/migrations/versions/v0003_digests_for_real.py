"""Add issue variants, notes for the next issue, and results of the preflight."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns; existing issues count as never checked."""
    op.add_column("issue", sa.Column("errors", sa.Integer(), nullable=True))
    op.add_column("issue", sa.Column("forced", sa.Text(), nullable=True))
    op.create_table(
        "rendering",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("articles", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("html", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("issue_id", "number"),
    )
    op.create_table(
        "preparation",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("lead_seq", sa.Integer(), sa.ForeignKey("article.seq"), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
