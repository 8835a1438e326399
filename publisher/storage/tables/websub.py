"""WebSub: notifications, subscriptions to the site's hub and their tasks."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
)

from publisher.storage.tables.base import metadata

__all__ = ["hub_subscription", "hub_task", "notification"]

#: Changed feeds that somebody is still to be told of: a WebSub hub, an rssCloud server.
notification = Table(
    "notification",
    metadata,
    #: The feed's file, relative to feeds/.
    Column("path", Text, primary_key=True),
    #: Whom to tell: ``websub ADDRESS`` or ``rsscloud ADDRESS``.
    Column("recipient", Text, primary_key=True),
    #: The bytes that are to be live before anybody is told.
    Column("sha256", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    #: What the last attempt met with; empty before the first.
    Column("answer", Text, nullable=False),
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
    Column("answer", Text, nullable=False),
    sqlite_with_rowid=False,
)
