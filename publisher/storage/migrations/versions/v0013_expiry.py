"""Articles may expire."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table. Files are read again by the next run, which fills it."""
    op.create_table(
        "expiry",
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("article_seq"),
    )
    op.create_index("ix_expiry_expires_at", "expiry", ["expires_at"])
