"""What tests of the web share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MailKit
from tests.smtp import Server
from tests.support.databases import PostgresServer
from tests.town import Town, furnish


@pytest.fixture(scope="session")
def town_template(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, str]]:
    """Return the folder and the database URL of a published site, made once for each kind of database."""
    made: dict[str, tuple[Path, str]] = {}

    def find(kind: str) -> tuple[Path, str]:
        if kind not in made:
            kit = MailKit(tmp_path_factory.mktemp("town") / "site")
            url = f"sqlite:///{kit.root / 'store.db'}"
            if kind == "postgresql":
                server: PostgresServer = request.getfixturevalue("postgres_server")
                url = server.create(prepared=True)
            kit.add_settings(f'\n[database]\nurl = "{url}"\n')
            furnish(kit)
            made[kind] = kit.root, url
        return made[kind]

    return find


@pytest.fixture(params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest, tmp_path: Path, town_template: Callable[[str], tuple[Path, str]]
) -> Iterator[Town]:
    """A published site with an SMTP server and a visitor, whose store is SQLite once and PostgreSQL once."""
    folder, template_url = town_template(request.param)
    root = shutil.copytree(folder, tmp_path / "site")
    postgres: PostgresServer | None = None
    url = f"sqlite:///{root / 'store.db'}"
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres_server")
        url = postgres.copy(template_url)
    kit = MailKit.at(root)
    kit.settings((root / "publisher.toml").read_text("utf-8").replace(template_url, url))
    with Server() as server:
        made = Town(kit, server)
        yield made
        made.web.close()
    if postgres is not None:
        postgres.drop(url)
