"""Transaction-scoped advisory locks."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

__all__ = ["advisory_lock"]

#: The first number of PostgreSQL's two-number advisory locks; the second is a hash of the name.
_LOCK_CLASS: Final = 0x686F_6C64


def advisory_lock(connection: Connection, name: str) -> None:
    """Serialise transactions that read and then act on what they read, until this one ends.

    SQLite has only one write transaction at a time, and needs no lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:first, hashtext(:name))"), {"first": _LOCK_CLASS, "name": name}
        )
