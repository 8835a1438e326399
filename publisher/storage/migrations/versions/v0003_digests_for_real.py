"""Add issue variants, notes for the next issue, and results of the preflight."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables and columns; existing issues count as never checked."""
    op.add_column("issue", sa.Column("errors", sa.Integer(), nullable=True))
    op.add_column("issue", sa.Column("forced", sa.Text(), nullable=True))
    op.create_table(
        "rendering",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("articles", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("html", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "preparation",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("lead_seq", sa.Integer(), sa.ForeignKey("article.seq"), nullable=True),
    )
