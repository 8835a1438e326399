"""Tables of WebSub: notifications, subscriptions to the site's hub, and the hub's tasks."""

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

#: Notifications of changed feeds that are still to be sent to a WebSub hub or an rssCloud server.
notification = Table(
    "notification",
    metadata,
    #: The feed's file, relative to feeds/.
    Column("path", Text, primary_key=True),
    #: ``websub URL`` or ``rsscloud URL``.
    Column("recipient", Text, primary_key=True),
    #: Hash of the bytes that must be live before the notification.
    Column("sha256", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    #: The result of the last attempt; empty before the first.
    Column("answer", Text, nullable=False),
)


#: A subscription of a server to a feed (https://www.w3.org/TR/websub/).
hub_subscription = Table(
    "hub_subscription",
    metadata,
    #: The feed's file, relative to feeds/.
    Column("topic", Text, primary_key=True),
    #: The URL that gets the feed.
    Column("callback", Text, primary_key=True),
    #: The secret for the signature; empty for none.
    Column("secret", Text, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: A task of the hub: verify a subscription, or deliver a feed.
hub_task = Table(
    "hub_task",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("callback", Text, primary_key=True),
    #: ``subscribe``, ``unsubscribe`` or ``content``.
    Column("kind", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    #: Duration of the subscription in seconds.
    Column("lease", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("answer", Text, nullable=False),
    sqlite_with_rowid=False,
)
