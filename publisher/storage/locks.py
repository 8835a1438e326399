"""Transaction-scoped advisory locks."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

__all__ = ["advisory_lock"]

#: The first of two numbers of PostgreSQL's advisory locks; the second is of what is done.
_HOLD: Final = 0x686F_6C64


def advisory_lock(connection: Connection, what: str) -> None:
    """Let nobody else do this before the caller's transaction is over: who looks first and acts then is alone with it.

    SQLite has one transaction at a time that writes, and needs nothing more.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:first, hashtext(:what))"), {"first": _HOLD, "what": what}
        )
