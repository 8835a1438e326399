"""Named values in the ``meta`` table."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, select, text

from publisher.storage.locks import advisory_lock
from publisher.storage.tables.meta import meta

#: SQLAlchemy's own form imports the modules of both databases.
_UPSERT: Final = text(
    "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


def get_fact(connection: Connection, key: str) -> str | None:
    """Return a value; None if it was never set."""
    value: str | None = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return value


def set_fact(connection: Connection, key: str, value: str) -> None:
    """Store a value. Of two processes that store one at once, the later one waits and replaces it."""
    connection.execute(_UPSERT, {"key": key, "value": value})


def increment_fact(connection: Connection, key: str, by: int, at_least: int = 0) -> int:
    """Increase a number and return its previous value, or AT_LEAST if that is greater.

    No other transaction increases it before this one ends.
    """
    # By name: a row that does not exist yet cannot be locked.
    advisory_lock(connection, key)
    before = max(int(get_fact(connection, key) or 0), at_least)
    set_fact(connection, key, str(before + by))
    return before


def facts_with_prefix(connection: Connection, prefix: str) -> dict[str, str]:
    """Return the values whose keys begin with PREFIX."""
    query = select(meta.c.key, meta.c.value).where(meta.c.key.startswith(prefix, autoescape=True))
    return dict(iter(connection.execute(query)))


def delete_fact(connection: Connection, key: str) -> None:
    """Delete a value."""
    connection.execute(delete(meta).where(meta.c.key == key))
