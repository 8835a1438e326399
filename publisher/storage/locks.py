"""Advisory locks."""

from __future__ import annotations

import contextlib
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

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


def release_session_lock(connection: Connection, *numbers: int) -> None:
    """Release an advisory lock of this connection, by its one or two numbers.

    If the connection is lost, the server has released the lock, and nothing is left to do.
    """
    arguments = ", ".join(map(str, numbers))
    with contextlib.suppress(DBAPIError):
        connection.execute(text(f"SELECT pg_advisory_unlock({arguments})"))
