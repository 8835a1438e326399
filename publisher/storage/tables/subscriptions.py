"""Table of confirmation emails."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from publisher.storage.tables.base import metadata

#: An email to one person about a subscription. Most wait for a confirmation.
confirmation_email = Table(
    "confirmation_email",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: A ``ConfirmationKind``.
    Column("kind", Text, nullable=False),
    #: The address's keyed hash, and the address itself.
    Column("hash", Text, nullable=False, index=True),
    Column("address", Text, nullable=False),
    #: NULL if the address has no subscriber yet.
    Column("subscriber_id", Integer),
    #: What to do once it is confirmed, JSON.
    Column("request", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    #: When its link was used; NULL for not yet.
    Column("used_at", BigInteger),
)
