"""Named values about the site and its database."""

from sqlalchemy import Column, Text

from publisher.storage.tables.base import table

#: Named values, such as the time of the last run, the fingerprint of the settings, the namespace of IDs.
meta = table(
    "meta",
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
