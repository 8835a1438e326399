"""The tables of the web: letters that ask somebody something, the hub's subscriptions, who listens."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text

from publisher.store.readers import metadata

__all__ = ["click", "hub_subscription", "hub_task", "letter", "listening", "metadata"]

#: A mail to one person that is no newsletter. Most ask her to confirm something, and wait for that.
letter = Table(
    "letter",
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
    Column("wish", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    #: When it is to be sent; NULL where it was, or will not be.
    Column("due_at", BigInteger, index=True),
    Column("attempts", Integer, nullable=False),
    #: When she confirmed; NULL for not yet.
    Column("used_at", BigInteger),
)

#: A server that is told of changes of a feed (https://www.w3.org/TR/websub/).
hub_subscription = Table(
    "hub_subscription",
    metadata,
    #: The feed's file, relative to feeds/.
    Column("topic", Text, primary_key=True),
    #: Where the server is told.
    Column("callback", Text, primary_key=True),
    #: What the server knows us by; empty where it gave nothing.
    Column("secret", Text, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Something that the hub is to do at a callback: ask whether it was meant, or hand over a feed.
hub_task = Table(
    "hub_task",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("callback", Text, primary_key=True),
    #: ``subscribe``, ``unsubscribe`` or ``content``.
    Column("kind", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    #: Seconds, of a subscription.
    Column("lease", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("said", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: Who asked for a feed on a day: no address, only how many.
listening = Table(
    "listening",
    metadata,
    Column("day", Text, primary_key=True),
    #: The feed's file without its suffix, relative to feeds/.
    Column("feed", Text, primary_key=True),
    #: The program that asks for many readers, or ``direct`` for those that ask for one.
    Column("program", Text, primary_key=True),
    Column("subscribers", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    #: Requests that were answered with "not modified".
    Column("unchanged", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: How often an article was opened from an issue.
click = Table(
    "click",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True, autoincrement=False),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True, autoincrement=False),
    Column("people", Integer, nullable=False),
    #: Programs that look at links in mails.
    Column("programs", Integer, nullable=False),
)
