"""Confirmation emails."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from publisher.storage.tables.base import metadata

__all__ = ["confirmation_email"]

#: A mail to one person that is no newsletter. Most ask her to confirm something, and wait for that.
confirmation_email = Table(
    "confirmation_email",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: What it is about: see ``model.LetterKind``.
    Column("kind", Text, nullable=False),
    #: The address's keyed hash, and the address itself.
    Column("hash", Text, nullable=False, index=True),
    Column("address", Text, nullable=False),
    #: The reader whom it concerns; NULL for somebody who is none yet.
    Column("subscriber_id", Integer),
    #: What is to be done when she confirms, JSON.
    Column("request", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    #: When it is to be sent; NULL where it was, or will not be.
    Column("due_at", BigInteger, index=True),
    Column("attempts", Integer, nullable=False),
    #: When she confirmed; NULL for not yet.
    Column("used_at", BigInteger),
)
