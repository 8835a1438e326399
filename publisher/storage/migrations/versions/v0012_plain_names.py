"""Rename tables, columns and stored values to the terms of the field; the data stays."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

#: Old table → new table.
_TABLES: Final = {
    "rendering": "issue_variant",
    "letter": "confirmation_email",
    "selection": "interests",
    "listening": "feed_requests",
    "announcement": "notification",
    "preparation": "next_issue_note",
    "dirty": "dirty_feed",
}
#: Table by its new name, old column, new column.
_COLUMNS: Final = (
    ("issue_variant", "mark", "placeholder_hash"),
    ("confirmation_email", "wish", "request"),
    ("subscriber", "selection_id", "interests_id"),
    ("delivery", "edition", "variant"),
    ("bounce", "report", "report_hash"),
    ("bounce", "said", "answer"),
    ("sent_day", "copies", "messages"),
    ("notification", "said", "answer"),
    ("hub_task", "said", "answer"),
    ("schedule", "taken_up_at", "effective_from"),
    ("problem", "refused", "is_rejected"),
)
#: Table by its new name, old index, new index, column.
_INDEXES: Final = (
    ("confirmation_email", "ix_letter_hash", "ix_confirmation_email_hash", "hash"),
    ("confirmation_email", "ix_letter_due_at", "ix_confirmation_email_due_at", "due_at"),
)
#: Table, column, old value, new value.
_VALUES: Final = (
    ("facet", "kind", "channel", "custom"),
    ("confirmation_email", "kind", "join", "subscribe"),
    ("confirmation_email", "kind", "known", "already subscribed"),
    ("confirmation_email", "kind", "leaving address", "old address"),
    ("meta", "key", "letters", "confirmation_emails"),
)


def upgrade() -> None:
    """Rename what exists, and mark the welcome issues, which had -1 as their due time."""
    for old, new in _TABLES.items():
        op.rename_table(old, new)
    for table, old, new in _COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    for table, old, new, column in _INDEXES:
        op.drop_index(old, table)
        op.create_index(new, table, [column])
    if op.get_bind().dialect.name == "postgresql":
        _rename_constraints()
    op.add_column("delivery", sa.Column("origin", sa.Text(), nullable=False, server_default="audience"))
    op.execute("UPDATE delivery SET origin = 'welcome', due_at = 0 WHERE due_at = -1")
    for table, column, old, new in _VALUES:
        _replace(table, column, old, new)
    op.execute("UPDATE meta SET key = 'custom_feed:' || substr(key, 9) WHERE key LIKE 'channel:%'")
    op.execute("UPDATE meta SET value = replace(value, 'channel', 'custom') WHERE key = 'archive_kinds'")


def _replace(table: str, column: str, old: str, new: str) -> None:
    where = sa.table(table, sa.column(column))
    op.execute(sa.update(where).where(where.c[column] == old).values({column: new}))


def _rename_constraints() -> None:
    """Give constraints the names that they have in a new database; PostgreSQL keeps those of the old names."""
    connection = op.get_bind()
    renames = [(new, f"{old}_", f"{new}_") for old, new in _TABLES.items()]
    renames += [(table, f"_{old}_", f"_{new}_") for table, old, new in _COLUMNS]
    query = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) ORDER BY conname")
    for table, old, new in renames:
        for name in connection.execute(query, {"table": table}).scalars().all():
            renamed = _renamed(name, table, old, new)
            if renamed != name:
                op.execute(f'ALTER TABLE {table} RENAME CONSTRAINT "{name}" TO "{renamed}"')


def _renamed(name: str, table: str, old: str, new: str) -> str:
    if old.startswith("_"):
        head = table
        return head + name.removeprefix(head).replace(old, new, 1) if name.startswith(head) else name
    return new + name.removeprefix(old) if name.startswith(old) else name
