"""The metadata that all tables share, and the schema revision."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    MetaData,
)

__all__ = ["REVISION", "metadata"]

#: The newest migration. A database that says otherwise is upgraded, or refused if it is newer.
REVISION: Final = "0013"

metadata = MetaData()
