"""Tables of subscribers and their deliveries, in the metadata of ``schema``."""

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

from publisher.store.schema import metadata

__all__ = [
    "attempt",
    "bounce",
    "delivery",
    "metadata",
    "provisional_suppression",
    "refusal_window",
    "selection",
    "sender",
    "sent_day",
    "subscriber",
    "subscription",
    "subscription_event",
    "suppression",
    "suppression_brake",
]

#: What subscribers want of a digest: each distinct set of interests once.
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
    #: As the subscriber writes it, normalised (Unicode form C, domain in Unicode).
    Column("address", Text, nullable=False),
    #: The form in which two spellings of one address are equal.
    Column("key", Text, nullable=False, unique=True),
    #: The domain as servers know it (ASCII).
    Column("domain", Text, nullable=False),
    #: ``active`` with at least one active subscription, otherwise ``unconfirmed`` or ``unsubscribed``.
    Column("state", Text, nullable=False),
    Column("state_at", BigInteger, nullable=False, server_default="0"),
    #: Whose act the state comes from: a ``ChangeSource``.
    Column("state_source", Text, nullable=False, server_default="operator"),
    #: Whether the address is on the suppression list. The state is kept: lifting the suppression restores it.
    Column("is_suppressed", Boolean, nullable=False, server_default=false()),
    #: When the subscriber first unsubscribed from everything: digests without a row in ``subscription`` count as
    #: unsubscribed, also those that begin later. NULL for never.
    Column("opted_out_at", BigInteger),
    #: NULL for the site's time zone.
    Column("zone", Text),
    Column("language", Text),
    Column("selection_id", Integer, ForeignKey("selection.id"), nullable=False),
    Column("added_at", BigInteger, nullable=False),
    #: End of a pause without mail; NULL for none.
    Column("paused_until", BigInteger),
    #: When the personal feed was made: part of its address; NULL for none.
    Column("feed_since", BigInteger),
)

#: A subscriber's state for one digest. Unsubscribing keeps the row: it says that the person left.
subscription = Table(
    "subscription",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    #: ``active``, ``unconfirmed`` or ``unsubscribed``.
    Column("state", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    #: A ``ChangeSource``.
    Column("source", Text, nullable=False),
    Index("ix_subscription_subscriber", "subscriber_id"),
    sqlite_with_rowid=False,
)

#: The history of subscription states. Erasing a subscriber deletes it.
subscription_event = Table(
    "subscription_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", Integer, nullable=False, index=True),
    #: NULL for everything.
    Column("digest", Text),
    #: NULL where there was no state before.
    Column("old_state", Text),
    Column("new_state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    #: Why, in the words of an operator or a mail server; empty for none.
    Column("reason", Text, nullable=False),
)

#: Addresses that get nothing any more, whoever imports them again. A keyed hash: it names nobody.
suppression = Table(
    "suppression",
    metadata,
    Column("hash", Text, primary_key=True),
    #: ``unsubscribed``, ``bounced``, ``complained``, ``forgotten``, ``asked`` or ``moved``.
    Column("reason", Text, nullable=False),
    #: The words of a server or an operator; empty for none.
    Column("note", Text, nullable=False),
    Column("suppressed_at", BigInteger, nullable=False),
    #: How it became known: a ``SuppressionChannel``.
    Column("channel", Text, nullable=False, server_default="operator"),
    sqlite_with_rowid=False,
)

#: A copy: an issue on its way to a reader. Made with the issue, and never twice: the key forbids it.
delivery = Table(
    "delivery",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    #: The number of the rendering in it.
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
    #: ``hard``, ``soft``, ``unverified``, ``complaint`` or ``unsubscribe``.
    Column("kind", Text, nullable=False),
    Column("issue_id", Integer),
    Column("subscriber_id", Integer, nullable=False, index=True),
    #: RFC 3463, as in ``5.1.1``; empty where none was given.
    Column("status", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
    UniqueConstraint("report", "subscriber_id"),
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
