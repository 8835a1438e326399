"""Processes that open a new database at the same moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from publisher.storage import engine
from publisher.storage.engine import Database


def test_a_schema_that_another_process_creates_in_between_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of several first runs on one database failed."""
    url = f"sqlite:///{tmp_path / 'publisher.db'}"
    is_created = []

    def inspect(connection: Any) -> Any:
        if not is_created:
            is_created.append(True)
            Database.open(url).close()
        return sqlalchemy.inspect(connection)

    monkeypatch.setattr(engine, "inspect", inspect)
    with Database.open(url) as db, db.read() as connection:
        assert sqlalchemy.inspect(connection).has_table("article")
    assert is_created
