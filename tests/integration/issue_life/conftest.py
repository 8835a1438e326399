"""Newsrooms for the scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import SiteKit
from tests.support.timeline import Newsroom

OpenNewsroom = Callable[..., Newsroom]


def _newsrooms(kit: SiteKit) -> Iterator[OpenNewsroom]:
    with ExitStack() as stack:

        def make(*settings: str, **options: object) -> Newsroom:
            newsroom = Newsroom(kit, "".join(settings), **options)
            stack.callback(newsroom.close)
            return newsroom

        yield make


@pytest.fixture
def open_newsroom(kit: SiteKit) -> Iterator[OpenNewsroom]:
    """Open a newsroom; arguments are those of ``Newsroom``, with several settings."""
    yield from _newsrooms(kit)


@pytest.fixture
def open_any_newsroom(any_kit: SiteKit) -> Iterator[OpenNewsroom]:
    """Open a newsroom whose store is SQLite once and PostgreSQL once."""
    yield from _newsrooms(any_kit)
