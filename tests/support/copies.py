"""Sites that are published once for each test process, and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import MailKit
from tests.support.databases import PostgresServer


class Copies:
    """Copies of sites that are made once for each kind of database."""

    def __init__(self, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> None:
        self._request = request
        self._folders = folders
        self._made: dict[tuple[str, Callable[[MailKit], None]], tuple[Path, str]] = {}

    @property
    def _server(self) -> PostgresServer:
        server: PostgresServer = self._request.getfixturevalue("postgres_server")
        return server

    @contextmanager
    def copy(self, kind: str, set_up: Callable[[MailKit], None], root: Path) -> Iterator[MailKit]:
        """Yield a copy at ``root`` of the site that ``set_up`` fills and publishes.

        Args:
            kind: of the database: ``sqlite``, ``postgresql``, or ``default`` for a site without a setting of it.
            set_up: fills an empty site.
            root: the folder of the copy.
        """
        folder, template_url = self._template(kind, set_up)
        shutil.copytree(folder, root)
        kit = MailKit.at(root)
        if kind == "default":
            yield kit
            return
        url = self._server.copy(template_url) if kind == "postgresql" else f"sqlite:///{root / 'store.db'}"
        kit.settings((root / "publisher.toml").read_text("utf-8").replace(template_url, url))
        yield kit
        if kind == "postgresql":
            self._server.drop(url)

    def _template(self, kind: str, set_up: Callable[[MailKit], None]) -> tuple[Path, str]:
        if (kind, set_up) not in self._made:
            kit = MailKit(self._folders.mktemp("template") / "site")
            url = f"sqlite:///{kit.root / 'store.db'}"
            if kind == "postgresql":
                url = self._server.create(prepared=True)
            if kind != "default":
                kit.add_settings(f'\n[database]\nurl = "{url}"\n')
            set_up(kit)
            self._made[kind, set_up] = kit.root, url
        return self._made[kind, set_up]


@pytest.fixture(scope="session")
def copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Copies of published sites: to make one takes most of the time of many tests."""
    return Copies(request, tmp_path_factory)
