"""The metadata of all tables, and the schema revision."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

#: The newest migration. Older databases are upgraded, newer ones rejected.
REVISION: Final = "0016"

metadata = MetaData()
