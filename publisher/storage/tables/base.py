"""The metadata of all tables, and the schema revision."""

from typing import Any, Final

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import SchemaItem

#: The newest migration. Older databases are upgraded, newer ones rejected.
REVISION: Final = "0016"

metadata = MetaData()


def table(name: str, *items: SchemaItem, **options: Any) -> Table:
    """Return a table of the schema, with its columns, indexes and constraints."""
    return Table(name, metadata, *items, **options)
