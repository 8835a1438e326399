"""Single facts: named values in the ``meta`` table."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from publisher.storage.locks import advisory_lock
from publisher.storage.tables.meta import meta

__all__ = ["delete_fact", "facts_with_prefix", "get_fact", "increment_fact", "set_fact"]


def get_fact(connection: Connection, key: str) -> str | None:
    """Return a single fact, or None where it was never set."""
    found: str | None = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return found


def set_fact(connection: Connection, key: str, value: str) -> None:
    """Keep a single fact."""
    connection.execute(delete(meta).where(meta.c.key == key))
    connection.execute(insert(meta).values(key=key, value=value))


def increment_fact(connection: Connection, key: str, by: int, at_least: int = 0) -> int:
    """Return what a single fact, a number, was before it was raised; 0 where it was never set.

    Nobody else raises it before the caller's transaction is over.

    Args:
        connection: to the store.
        key: the fact's.
        by: how much it is raised.
        at_least: what it was, if it is less than that.
    """
    # Taken by name and not by row: a row that is not there yet locks nobody out.
    advisory_lock(connection, key)
    before = max(int(get_fact(connection, key) or 0), at_least)
    set_fact(connection, key, str(before + by))
    return before


def facts_with_prefix(connection: Connection, prefix: str) -> dict[str, str]:
    """Return the single facts whose keys begin with ``prefix``."""
    query = select(meta.c.key, meta.c.value).where(meta.c.key.startswith(prefix, autoescape=True))
    return dict(iter(connection.execute(query)))


def delete_fact(connection: Connection, key: str) -> None:
    """Forget a single fact."""
    connection.execute(delete(meta).where(meta.c.key == key))
