"""Fixtures and helpers for sites, databases and runs."""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import textwrap
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import feedparser
import pytest
from hypothesis import settings

from publisher.digests.lookup import find_issue
from publisher.digests.store import IssueRow
from publisher.model.report import DraftSummary, PublishResult
from publisher.settings import Site, read_site
from publisher.storage.engine import Database
from publisher.workers import timed_worker
from tests.support import parsers
from tests.support.certificates import certificate
from tests.support.chromium import CHROMIUM, running
from tests.support.databases import PostgresServer, prepare_sqlite, share_statements_and_connections
from tests.support.disk import skip_fsync, use_memory
from tests.support.issues import open_draft
from tests.support.use_cases import publish

__all__ = ["NOW", "SETTINGS", "MailKit", "SiteKit", "certificate", "ids", "issues", "titles"]

# No deadline: the first example of a test may pay for an import. In CI the same examples each time; everywhere else new
# ones, to find more. ``--hypothesis-profile=ci`` chooses the long run; tests with a number of their own scale it by
# ``tests.support.examples``.
_IN_CI = bool(os.environ.get("CI"))
settings.register_profile("default", deadline=None, derandomize=_IN_CI, max_examples=20)
settings.register_profile("ci", deadline=None, derandomize=_IN_CI, max_examples=100)
settings.load_profile("default")
use_memory()
skip_fsync()
share_statements_and_connections()
parsers.fork_parsers()

#: Seconds that a slow test may take.
SLOW_TIMEOUT = 1800

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)

SETTINGS = """
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"

[mail]
sender = "The Test Review <news@review.example>"

[digests.daily]
title = "The Daily"
"""


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of test processes for ``-n auto``: tests wait for servers and browsers part of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow half of tests with two databases, hold every ``slow`` marker to a reason, and give slow tests time."""
    names = {item.nodeid for item in items}
    for item in items:
        if _repeats_sqlite(item, names) and not any(item.iter_markers("postgresql")):
            item.add_marker(pytest.mark.slow(reason="the default run has the same test with SQLite"))
        marker = item.get_closest_marker("slow")
        if marker is None:
            continue
        if not marker.kwargs.get("reason"):
            raise pytest.UsageError(f"{item.nodeid}: slow needs a reason: pytest.mark.slow(reason=...)")
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


def _repeats_sqlite(item: pytest.Item, names: Container[str]) -> bool:
    """Tell whether a test runs with PostgreSQL, and the same test is collected with SQLite."""
    name, _, parameters = item.nodeid.partition("[")
    return "postgresql" in parameters and f"{name}[{parameters.replace('postgresql', 'sqlite')}" in names


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let each test process of a whole run compile other test modules first, and share the result with the others.

    To rewrite the assertions of all tests takes several seconds of CPU, in each process if all begin with the same file.
    """
    worker: dict[str, Any] = getattr(session.config, "workerinput", {})
    here = Path(__file__).parent
    if not worker or [Path(argument).resolve() for argument in session.config.args] != [here]:
        return
    modules = sorted(here.rglob("test_*.py"))
    number, count = int(worker["workerid"].removeprefix("gw")), int(worker["workercount"])
    start = len(modules) * number // count
    for path in (*modules[start:], *modules[:start]):
        # An error or a skipped module is reported when its tests are collected.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(here.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Keep modules and collected tests out of garbage collection: they live to the end."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """End the process for parsers that tests have shared."""
    parsers.close_shared_parser()


class SiteKit:
    """A site in a folder of its own, with short methods to fill and publish it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "articles").mkdir(parents=True)
        self.settings(SETTINGS)

    @classmethod
    def at(cls, root: Path) -> Self:
        """Return the kit of an existing site."""
        kit = cls.__new__(cls)
        kit.root = root
        return kit

    def settings(self, text: str) -> None:
        (self.root / "publisher.toml").write_text(textwrap.dedent(text), "utf-8")

    def add_settings(self, text: str) -> None:
        path = self.root / "publisher.toml"
        path.write_text(path.read_text("utf-8") + textwrap.dedent(text), "utf-8")

    @property
    def site(self) -> Site:
        return read_site(self.root)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / "articles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def article(
        self, name: str = "one.md", title: str = "One", date: str = "2026-11-20", body: str = "Text.", **fields: Any
    ) -> Path:
        head = "".join(f"{key}: {value}\n" for key, value in fields.items())
        return self.write(name, f'---\ntitle: "{title}"\ndate: {date}\n{head}---\n{body}\n')

    def prepare_store(self) -> None:
        """Copy the schema of a new store into the site's own database, unless there is one or it is elsewhere."""
        if "[database]" not in (self.root / "publisher.toml").read_text("utf-8"):
            prepare_sqlite(self.root / "publisher.db")

    def publish(self, now: datetime = NOW, **options: Any) -> PublishResult:
        if not options.get("dry_run"):
            self.prepare_store()
        return publish(self.site, now, **options)

    def draft_issue(self, digest: str = "daily", now: datetime = NOW, **options: Any) -> str:
        """Publish, and return the name of a digest with a draft.

        Keywords are arguments of ``publish``.
        """
        self.draft_summary(digest, now, **options)
        return digest

    def draft_summary(self, digest: str = "daily", now: datetime = NOW, **options: Any) -> DraftSummary:
        """Publish, and return the summary of the draft of a digest; keywords are arguments of ``publish``."""
        report = self.publish(now, **options)
        return next(summary for summary in report.issue_drafts if summary.digest == digest)

    def open_issue(self, digest: str = "daily", now: datetime = NOW, **options: Any) -> str:
        """Publish, approve and open the next issue of a digest; return ``DIGEST/NAME``.

        Its deliveries are queued afterwards, and nothing is mailed. Keywords are arguments of ``publish``.
        """
        # The only draft would be rendered for its slot, and then again for this minute.
        is_only = [settings.cadence for settings in self.site.digests.values()] == [()]
        self.publish(now, may_open=False, with_issues=not is_only, **options)
        return open_draft(self.site, digest, now).path

    def approve_issue(self, digest: str = "daily", now: datetime = NOW) -> str:
        """Publish, and approve the next issue of a digest without opening its send; return ``DIGEST/NAME``."""
        self.publish(now, may_open=False)
        return open_draft(self.site, digest, now, opens=False).path

    def open_issues(self, now: datetime = NOW) -> list[str]:
        """Publish, approve and open the next issue of each digest with new articles; return each ``DIGEST/NAME``."""
        digests = [summary.digest for summary in self.publish(now, may_open=False).issue_drafts]
        return [open_draft(self.site, digest, now).path for digest in digests]

    def newest_issue(self, digest: str = "daily") -> IssueRow:
        """Return the newest issue of a digest."""
        with self.open() as db, db.read() as connection:
            return find_issue(connection, digest)

    def issue_file(self, name: str, digest: str = "daily") -> Path:
        """Return the path of a staged file of the newest issue of a digest."""
        return self.root / "outbox" / self.newest_issue(digest).path / name

    def open(self) -> Database:
        self.prepare_store()
        return Database.open(self.site.database_url)

    def staged(self) -> dict[str, bytes]:
        """Every file in feeds/ and outbox/."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in ("feeds", "outbox")
            for path in sorted((self.root / folder).rglob("*"))
            if path.is_file()
        }


def ids(kit: SiteKit, feed: str = "all") -> list[str]:
    return [entry.id for entry in feedparser.parse((kit.root / "feeds" / f"{feed}.atom").read_bytes()).entries]


def titles(kit: SiteKit, feed: str = "all") -> list[str]:
    return [entry.title for entry in feedparser.parse((kit.root / "feeds" / f"{feed}.rss").read_bytes()).entries]


def issues(kit: SiteKit, digest: str = "daily") -> list[list[str]]:
    found = sorted((kit.root / "outbox" / digest).glob("*/issue.json"))
    return [[one["title"] for one in json.loads(path.read_text())["articles"]] for path in found]


@pytest.fixture
def kit(tmp_path: Path) -> SiteKit:
    return SiteKit(tmp_path / "site")


@pytest.fixture
def make_kit(tmp_path: Path) -> Callable[[str], SiteKit]:
    return lambda name: SiteKit(tmp_path / name)


@pytest.fixture
def new_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes for parsers as the program does, and not as forks: for tests of these processes."""
    monkeypatch.setattr(timed_worker, "subprocess", subprocess)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, one for each test process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres(postgres_server: PostgresServer) -> str:
    """The address of a real PostgreSQL server."""
    return postgres_server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database without a schema, once SQLite and once PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create(prepared=False)
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def prepared_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with the schema of a new store, once SQLite and once PostgreSQL."""
    if request.param == "sqlite":
        prepare_sqlite(tmp_path / "store.db")
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create(prepared=True)
    yield url
    server.drop(url)


@pytest.fixture
def db(prepared_database_url: str) -> Iterator[Database]:
    with Database.open(prepared_database_url) as database:
        yield database


@pytest.fixture
def any_kit(kit: SiteKit, prepared_database_url: str) -> SiteKit:
    """A site whose store is SQLite once and PostgreSQL once."""
    kit.add_settings(f'\n[database]\nurl = "{prepared_database_url}"\n')
    return kit


class MailKit(SiteKit):
    """A site with subscribers that sends its mail to a recording SMTP server."""

    def mail(self, port: int, *, delivery: str = "", send: str = "auto") -> None:
        text = (
            (self.root / "publisher.toml")
            .read_text("utf-8")
            .replace('title = "The Daily"', f'title = "The Daily"\nsend = "{send}"')
        )
        self.settings(
            text
            + f'\n[smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n\n[delivery]\nconnections = 3\n{delivery}\n'
        )

    def add_subscribers(
        self, count: int, domain: str = "mail.example.org", digests: tuple[str, ...] = ("daily",)
    ) -> list[str]:
        """Import subscribers, and return their addresses."""
        from tests.support.use_cases import import_list

        self.prepare_store()
        names = [f"reader{number}@{domain}" for number in range(count)]
        path = self.root / "readers.csv"
        path.write_text("address,digests\n" + "".join(f"{name},{' | '.join(digests)}\n" for name in names))
        found = import_list(self.site, path, NOW)
        assert not found.rejected, found.rejections
        return names

    def articles(self, *names: str, **options: Any) -> None:
        """Write articles with these names; keywords are arguments of ``article``."""
        for name in names:
            self.article(f"{name}.md", name.title(), **options)

    def draft(self, *names: str, now: datetime = NOW, **options: Any) -> str:
        """Write articles, and publish the next issue of the daily with them, not approved; return ``DIGEST/NAME``."""
        self.articles(*names, **options)
        return self.draft_issue(now=now)

    def issue(self, *names: str, now: datetime = NOW, **options: Any) -> str:
        """Write articles, and open the next issue of the daily with them; return ``DIGEST/NAME``.

        Before ``mail`` names a server, nothing is sent.
        """
        self.articles(*names, **options)
        return self.open_issue(now=now)


@pytest.fixture
def mail_kit(tmp_path: Path) -> MailKit:
    return MailKit(tmp_path / "site")


@pytest.fixture
def any_mail_kit(mail_kit: MailKit, prepared_database_url: str) -> MailKit:
    """A site with subscribers whose store is SQLite once and PostgreSQL once."""
    mail_kit.add_settings(f'\n[database]\nurl = "{prepared_database_url}"\n')
    return mail_kit


@pytest.fixture(scope="session")
def chromium_address() -> Iterator[str]:
    """The address of a running Chromium, one for each test process: ``tests.support.chromium.connected``."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with running() as address:
        yield address
