"""Add drafts, first reading times, and articles that editors add to an issue."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add columns and tables. The next run reads all files again and finds the drafts."""
    op.add_column("article", sa.Column("draft", sa.Text(), nullable=True))
    op.add_column("article", sa.Column("first_read_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "draft",
        sa.Column("name", sa.Text(), sa.ForeignKey("source.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
    )
    op.create_table(
        "draft_key",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("first_read_at", sa.BigInteger(), nullable=False),
    )
    op.add_column("dirty", sa.Column("is_quiet", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("pending", sa.Column("is_added", sa.Boolean(), server_default=sa.false(), nullable=False))
