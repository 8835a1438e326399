"""Tables of deliveries, attempts, senders, bounces and suppression brakes."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Text, UniqueConstraint, false, text

from publisher.storage.tables.base import table

#: The delivery of an issue to a subscriber. The primary key prevents a second one.
delivery = table(
    "delivery",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    #: The number of the issue variant.
    Column("variant", Integer, nullable=False),
    Column("state", Text, nullable=False),
    #: Number of claims by senders.
    Column("attempts", Integer, nullable=False, server_default="0"),
    #: ``audience``, or ``welcome`` for the newest issue, sent to a person who subscribed after it.
    Column("origin", Text, nullable=False, server_default="audience"),
    #: Not before this time; 0 for at once.
    Column("due_at", BigInteger, nullable=False, server_default="0"),
    #: When the message was first and last handed over, and when the state last changed; NULL for never.
    Column("first_handed_at", BigInteger),
    Column("handed_at", BigInteger),
    Column("changed_at", BigInteger),
    #: The reply of the server, with its name.
    Column("answer", Text),
    #: The sender that has claimed it; NULL for none.
    Column("sender_id", Integer),
    # Most deliveries are finished: the index covers only the open ones, and stays small.
    Index(
        "ix_delivery_open",
        "issue_id",
        "subscriber_id",
        sqlite_where=text("state IN ('sending', 'handed over', 'deferred', 'uncertain')"),
    ),
    sqlite_with_rowid=False,
)

#: Earlier attempts of a delivery.
attempt = table(
    "attempt",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempted_at", BigInteger, nullable=False),
    #: The resulting state.
    Column("outcome", Text, nullable=False),
    Column("answer", Text, nullable=False),
)

#: A sending process. It holds a lock while it lives, so another process can tell that it is dead.
sender = table(
    "sender",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
)

#: Number of messages per day, in the site's time zone.
sent_day = table(
    "sent_day",
    Column("day", Text, primary_key=True),
    Column("messages", Integer, nullable=False),
)

#: A report from the mailbox for bounces, stored before the message is deleted there.
bounce = table(
    "bounce",
    Column("id", Integer, primary_key=True, autoincrement=False),
    #: Hash of the report, so that it counts once.
    Column("report_hash", Text, nullable=False),
    #: ``hard``, ``soft``, ``unverified``, ``complaint`` or ``unsubscribe``.
    Column("kind", Text, nullable=False),
    Column("issue_id", Integer),
    Column("subscriber_id", Integer, nullable=False, index=True),
    #: Enhanced status code (RFC 3463), as in ``5.1.1``; empty for none.
    Column("status", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
    UniqueConstraint("report_hash", "subscriber_id"),
)

#: Rejections that suppress their address unless too many share the same words.
provisional_suppression = table(
    "provisional_suppression",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False, index=True),
    #: Keyed hash of the address at the time of the rejection.
    Column("hash", Text, nullable=False, index=True),
    #: ``HOST:PORT`` of the relay, and the recipient's domain in ASCII.
    Column("relay", Text, nullable=False),
    Column("domain", Text, nullable=False),
    #: The words that equal rejections share.
    Column("words", Text, nullable=False),
    Column("names_address", Boolean, nullable=False),
    #: The server's reply.
    Column("note", Text, nullable=False),
    Column("refused_at", BigInteger, nullable=False),
    #: Whether the attempts at the relay, and at the domain, allow the suppression. It is applied with both.
    Column("is_relay_judged", Boolean, nullable=False, server_default=false()),
    Column("is_domain_judged", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)

#: Answered attempts of an issue at a relay or a domain since its rejections were last judged.
refusal_window = table(
    "refusal_window",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    #: ``relay`` or ``domain``.
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("attempts", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: Relays and domains to which an issue is not sent, because too many rejections share the same words.
suppression_brake = table(
    "suppression_brake",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("words", Text, primary_key=True),
    #: One of the replies.
    Column("note", Text, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("stopped_at", BigInteger, nullable=False),
    #: When an operator accepted these rejections; NULL for not yet.
    Column("accepted_at", BigInteger),
    sqlite_with_rowid=False,
)
