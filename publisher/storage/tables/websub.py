"""Table of subscriptions to the site's WebSub hub."""

from sqlalchemy import BigInteger, Column, Text

from publisher.storage.tables.base import table

#: A subscription of a server to a feed (https://www.w3.org/TR/websub/).
hub_subscription = table(
    "hub_subscription",
    #: The feed's file, relative to feeds/.
    Column("topic", Text, primary_key=True),
    #: The URL that gets the feed.
    Column("callback", Text, primary_key=True),
    #: The secret for the signature; empty for none.
    Column("secret", Text, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
