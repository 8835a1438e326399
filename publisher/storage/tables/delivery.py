"""Deliveries, their attempts, senders and bounces."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from publisher.storage.tables.base import metadata

__all__ = [
    "attempt",
    "bounce",
    "delivery",
    "provisional_suppression",
    "refusal_window",
    "sender",
    "sent_day",
    "suppression_brake",
]

#: A copy: an issue on its way to a reader. Made with the issue, and never twice: the key forbids it.
delivery = Table(
    "delivery",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    #: The number of the rendering in it.
    Column("variant", Integer, nullable=False),
    Column("state", Text, nullable=False),
    #: How often a sender has taken it.
    Column("attempts", Integer, nullable=False, server_default="0"),
    #: ``audience``, or ``welcome`` for the newest issue, sent to somebody who subscribed after it.
    Column("origin", Text, nullable=False, server_default="audience"),
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
    Column("messages", Integer, nullable=False),
)

#: A report that came back, kept before it is taken out of the mailbox.
bounce = Table(
    "bounce",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: A hash of the report, so that none counts twice.
    Column("report_hash", Text, nullable=False),
    #: ``hard``, ``soft``, ``unverified``, ``complaint`` or ``unsubscribe``.
    Column("kind", Text, nullable=False),
    Column("issue_id", Integer),
    Column("subscriber_id", Integer, nullable=False, index=True),
    #: RFC 3463, as in ``5.1.1``; empty where none was given.
    Column("status", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
    UniqueConstraint("report_hash", "subscriber_id"),
)

#: Refusals of an issue that suppress their address unless too many are refused with the same words.
provisional_suppression = Table(
    "provisional_suppression",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False, index=True),
    #: The address's keyed hash at the time of the refusal.
    Column("hash", Text, nullable=False, index=True),
    #: ``HOST:PORT`` of the relay, and the recipient's domain in ASCII.
    Column("relay", Text, nullable=False),
    Column("domain", Text, nullable=False),
    #: What equal refusals have in common.
    Column("words", Text, nullable=False),
    Column("names_address", Boolean, nullable=False),
    #: The server's reply.
    Column("note", Text, nullable=False),
    Column("refused_at", BigInteger, nullable=False),
    #: Whether the attempts at the relay, and at the domain, allow the suppression. With both it is applied.
    Column("is_relay_judged", Boolean, nullable=False, server_default=false()),
    Column("is_domain_judged", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)

#: Answered attempts of an issue at a relay or a domain, since its refusals were last judged.
refusal_window = Table(
    "refusal_window",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    #: ``relay`` or ``domain``.
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("attempts", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: Relays and domains that an issue is not sent to, because too many were refused with the same words.
suppression_brake = Table(
    "suppression_brake",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("words", Text, primary_key=True),
    #: One of the replies.
    Column("note", Text, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("stopped_at", BigInteger, nullable=False),
    #: When an operator accepted these refusals as true; NULL for not yet.
    Column("accepted_at", BigInteger),
    sqlite_with_rowid=False,
)
