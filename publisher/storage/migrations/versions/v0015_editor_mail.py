"""Mail to editors is stored per editor; forced errors and failed openings are stored with an issue."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the table and the columns."""
    op.create_table(
        "editor_mail",
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("editor", sa.Text(), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.add_column("issue_draft", sa.Column("notified_errors", sa.Text(), nullable=True))
    op.add_column("issue", sa.Column("forced_findings", sa.Text(), nullable=True))
    op.add_column("issue", sa.Column("opening_fault", sa.Text(), nullable=True))
