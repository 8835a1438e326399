"""One table of queued jobs: notifications, the hub's tasks, and confirmation emails that are not sent yet."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the table, move the open rows into it, and drop the former tables and columns."""
    job = op.create_table(
        "job",
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("target", sa.Text(), primary_key=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_due", "job", ["kind", "due_at", "subject", "target"])
    # By key: of two verifications of a callback, the one that is due last replaces the other.
    jobs = {(row["kind"], row["subject"], row["target"]): row for row in _open_rows()}
    op.bulk_insert(job, list(jobs.values()))
    op.drop_table("notification")
    op.drop_table("hub_task")
    op.drop_index("ix_confirmation_email_due_at", "confirmation_email")
    op.drop_column("confirmation_email", "due_at")
    op.drop_column("confirmation_email", "attempts")


def _open_rows() -> Iterator[dict[str, object]]:
    connection = op.get_bind()
    for row in connection.execute(sa.text("SELECT * FROM notification")):
        yield _job(row, "notification", row.path, row.recipient, {"sha256": row.sha256}, row.answer)
    for row in connection.execute(sa.text("SELECT * FROM hub_task ORDER BY due_at")):
        if row.kind == "content":
            yield _job(row, "hub content", row.topic, row.callback, {"secret": row.secret}, row.answer)
        else:
            details = {"mode": row.kind, "secret": row.secret, "lease": row.lease}
            yield _job(row, "hub verification", row.topic, row.callback, details, row.answer)
    for row in connection.execute(sa.text("SELECT * FROM confirmation_email WHERE due_at IS NOT NULL")):
        yield _job(row, "confirmation", f"{row.id:010}", row.hash, {}, "")


def _job(
    row: sa.Row[Any], kind: str, subject: str, target: str, details: dict[str, object], answer: str
) -> dict[str, object]:
    return {
        "kind": kind,
        "subject": subject,
        "target": target,
        "due_at": row.due_at,
        "attempts": row.attempts,
        "payload": json.dumps(details, sort_keys=True),
        "answer": answer,
    }
