"""Tables of subscribers, subscriptions, confirmation emails and the suppression list."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Text, false

from publisher.storage.tables.base import table

#: Interests of subscribers: each distinct set once.
interests = table(
    "interests",
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: Field → labels, JSON in a fixed order; ``{}`` for everything.
    Column("query", Text, nullable=False, unique=True),
)

subscriber = table(
    "subscriber",
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: As the subscriber writes it, in Unicode form C with the domain in Unicode.
    Column("address", Text, nullable=False),
    #: Normalised: equal for two spellings of one address.
    Column("key", Text, nullable=False, unique=True),
    #: The domain in ASCII.
    Column("domain", Text, nullable=False),
    #: ``active`` with at least one active subscription, otherwise ``unconfirmed`` or ``unsubscribed``.
    Column("state", Text, nullable=False),
    Column("state_at", BigInteger, nullable=False, server_default="0"),
    #: Source of the state: a ``ChangeSource``.
    Column("state_source", Text, nullable=False, server_default="operator"),
    #: Whether the address is suppressed. The state is kept: lifting the suppression restores it.
    Column("is_suppressed", Boolean, nullable=False, server_default=false()),
    #: When they first unsubscribed from everything: digests without a row in ``subscription`` count as
    #: unsubscribed, later ones too. NULL for never.
    Column("opted_out_at", BigInteger),
    #: NULL for the site's time zone.
    Column("zone", Text),
    Column("language", Text),
    Column("interests_id", Integer, ForeignKey("interests.id"), nullable=False),
    Column("added_at", BigInteger, nullable=False),
    #: End of a pause without mail; NULL for none.
    Column("paused_until", BigInteger),
    #: When the personal feed was created, which is part of its URL; NULL for none.
    Column("feed_since", BigInteger),
)

#: A subscriber's state for one digest. Unsubscribing keeps the row.
subscription = table(
    "subscription",
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
subscription_event = table(
    "subscription_event",
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", Integer, nullable=False, index=True),
    #: NULL for everything.
    Column("digest", Text),
    #: NULL for the first state.
    Column("old_state", Text),
    Column("new_state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    #: Why, in the words of an operator or a mail server; empty for none.
    Column("reason", Text, nullable=False),
)

#: An email to one person about a subscription. Most wait for a confirmation.
confirmation_email = table(
    "confirmation_email",
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

#: Suppressed addresses, which no import adds again. A keyed hash does not reveal the address.
suppression = table(
    "suppression",
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
