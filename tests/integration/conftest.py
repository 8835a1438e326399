"""Fixtures of published sites and their subscribers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.copies import Copies, copies
from tests.support.smtp import Server
from tests.support.subscriber_site import SubscriberSite, publish_subscriber_site

__all__ = ["copies", "subscriber_site"]


@pytest.fixture(params=["sqlite", "postgresql"])
def subscriber_site(request: pytest.FixtureRequest, tmp_path: Path, copies: Copies) -> Iterator[SubscriberSite]:
    """A published site with an SMTP server and a visitor, whose store is SQLite once and PostgreSQL once."""
    with copies.copy(request.param, publish_subscriber_site, tmp_path / "site") as kit, Server() as server:
        made = SubscriberSite(kit, server)
        yield made
        made.web.close()
