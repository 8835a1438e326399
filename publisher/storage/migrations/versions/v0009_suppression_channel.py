"""Add the channel of suppressions; deliveries so far had one token for everything."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

#: If it is unknown whether a reply or a bounce suppressed an address, a bounce of the same second decides.
_CHANNEL: Final = """
    CASE
        WHEN note LIKE 'imported list:%' OR reason = 'unsubscribed' THEN 'import'
        WHEN reason = 'forgotten' THEN 'erasure'
        WHEN reason = 'complained' THEN 'complaint'
        WHEN reason = 'bounced' AND suppressed_at IN (SELECT reported_at FROM bounce WHERE kind IN ('hard', 'soft'))
            THEN 'bounce'
        WHEN reason = 'bounced' THEN 'smtp'
        ELSE 'operator'
    END
"""


def upgrade() -> None:
    """Add the channel, and store until when return paths had the token of links."""
    op.add_column("suppression", sa.Column("channel", sa.Text(), nullable=False, server_default="operator"))
    op.execute(f"UPDATE suppression SET channel = {_CHANNEL}")
    op.execute(
        "INSERT INTO meta (key, value) SELECT 'old_return_paths_until', CAST(latest AS TEXT) "
        "FROM (SELECT max(handed_at) AS latest FROM delivery) AS deliveries WHERE latest IS NOT NULL"
    )
