"""Articles may expire."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the table. Files are read again by the next run, which fills it."""
    op.create_table(
        "expiry",
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True, autoincrement=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, index=True),
    )
