"""A site with a WebSub hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.copies import Copies
from tests.support.hub_subscriber import HubSite, configure_hub


@pytest.fixture(params=["sqlite", "postgresql"])
def hub_site(request: pytest.FixtureRequest, tmp_path: Path, copies: Copies) -> Iterator[HubSite]:
    """A site with a hub, with SQLite and with PostgreSQL."""
    with copies.copy(request.param, configure_hub, tmp_path / "site") as kit:
        made = HubSite(kit)
        yield made
        made.web.close()
