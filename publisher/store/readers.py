"""The tables of readers and of their copies. Kept beside ``schema``, in the same metadata."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from publisher.store.schema import metadata

__all__ = [
    "attempt",
    "bounce",
    "delivery",
    "metadata",
    "selection",
    "sender",
    "sent_day",
    "subscriber",
    "subscription",
    "suppression",
]

#: What readers ask for of a digest: each distinct question once.
selection = Table(
    "selection",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: Kind → folded labels, JSON in a fixed order; ``{}`` is everything.
    Column("query", Text, nullable=False, unique=True),
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: As she writes it, normalised (Unicode form C, domain in Unicode).
    Column("address", Text, nullable=False),
    #: The form in which two spellings of one address are equal.
    Column("key", Text, nullable=False, unique=True),
    #: The domain as servers know it (ASCII).
    Column("domain", Text, nullable=False),
    #: ``active`` or ``suppressed``.
    Column("status", Text, nullable=False),
    #: Her clock; NULL for the newsroom's.
    Column("zone", Text),
    Column("language", Text),
    Column("selection_id", Integer, ForeignKey("selection.id"), nullable=False),
    Column("added_at", BigInteger, nullable=False),
    #: Until then she gets no mail; NULL for as usual.
    Column("paused_until", BigInteger),
    #: When her own feed was made: part of its address; NULL where she has none.
    Column("feed_since", BigInteger),
)

#: Who follows which digest.
subscription = Table(
    "subscription",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    Index("ix_subscription_subscriber", "subscriber_id"),
    sqlite_with_rowid=False,
)

#: Addresses that get nothing any more, whoever imports them again. A keyed hash: it names nobody.
suppression = Table(
    "suppression",
    metadata,
    Column("hash", Text, primary_key=True),
    #: ``unsubscribed``, ``bounced``, ``complained``, ``forgotten`` or ``asked``.
    Column("reason", Text, nullable=False),
    #: What a server said, or a person; empty where nothing is to be told.
    Column("note", Text, nullable=False),
    Column("suppressed_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: A copy: an issue on its way to a reader. Made with the issue, and never twice: the key forbids it.
delivery = Table(
    "delivery",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    #: The number of the rendering that she gets.
    Column("edition", Integer, nullable=False),
    Column("state", Text, nullable=False),
    #: How often a sender has taken it.
    Column("attempts", Integer, nullable=False, server_default="0"),
    #: Not before this instant; 0 for at once.
    Column("due_at", BigInteger, nullable=False, server_default="0"),
    #: When the message last left, and when the state last changed; NULL for not yet.
    Column("handed_at", BigInteger),
    Column("changed_at", BigInteger),
    #: What the server said, and which it was.
    Column("answer", Text),
    #: Which sender has it; NULL for none.
    Column("sender_id", Integer),
    # What nobody waits for any more is most of the table: these stay small.
    Index(
        "ix_delivery_open",
        "issue_id",
        "subscriber_id",
        sqlite_where=text("state IN ('sending', 'handed over', 'deferred', 'uncertain')"),
        postgresql_where=text("state IN ('sending', 'handed over', 'deferred', 'uncertain')"),
    ),
    sqlite_with_rowid=False,
)

#: What became of a copy's earlier attempts.
attempt = Table(
    "attempt",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempted_at", BigInteger, nullable=False),
    #: The state that it ended in.
    Column("outcome", Text, nullable=False),
    Column("answer", Text, nullable=False),
)

#: A process that sends. It holds a lock as long as it lives: who gets the lock finds it dead.
sender = Table(
    "sender",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
)

#: How many copies left on each day of the newsroom's clock.
sent_day = Table(
    "sent_day",
    metadata,
    Column("day", Text, primary_key=True),
    Column("copies", Integer, nullable=False),
)

#: A report that came back, kept before it is taken out of the mailbox.
bounce = Table(
    "bounce",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: A hash of the report, so that none counts twice.
    Column("report", Text, nullable=False),
    #: ``hard``, ``soft``, ``complaint`` or ``unsubscribe``.
    Column("kind", Text, nullable=False),
    Column("issue_id", Integer),
    Column("subscriber_id", Integer, nullable=False, index=True),
    #: RFC 3463, as in ``5.1.1``; empty where none was given.
    Column("status", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
    UniqueConstraint("report", "subscriber_id"),
)
