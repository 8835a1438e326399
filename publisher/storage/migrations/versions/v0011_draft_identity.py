"""Store the ID and the URL of a draft's record."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column. The next run reads all files again and fills it."""
    op.add_column("draft", sa.Column("identity", sa.Text(), server_default="[]", nullable=False))
