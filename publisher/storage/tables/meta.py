"""Single facts about the site and its database."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Table,
    Text,
)

from publisher.storage.tables.base import metadata

__all__ = ["meta"]

#: Single facts: the last run's instant, the settings' fingerprint, the namespace of ids.
meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
