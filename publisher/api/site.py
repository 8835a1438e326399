"""A site that is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from publisher.clock import Clock
from publisher.context import Context, WaitCallback, local_now, no_wait
from publisher.model.report import Progress, PublishResult, no_progress
from publisher.settings import Site, read_site
from publisher.storage.engine import BUSY_SECONDS, Database
from publisher.workers.pool import Workers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.api.articles import Articles
    from publisher.api.digests import Digests
    from publisher.api.feeds import Feeds
    from publisher.api.issues import Issues
    from publisher.api.reports import Reports
    from publisher.api.schedule import Schedule
    from publisher.api.subscribers import Subscribers
    from publisher.api.websub import WebSub
    from publisher.mail.transport import Transport
    from publisher.pipeline.check import CheckResult
    from publisher.workers.timed_worker import TimedWorker


def _subject(name: str, description: str) -> Any:
    """Return a property for the class NAME of publisher.api, which is imported on first use."""

    def make(publisher: Publisher) -> object:
        return getattr(import_module(f"publisher.api.{name.lower()}"), name)(publisher)

    make.__doc__ = description
    return cached_property(make)


class Publisher:
    """A site that is open. Close it, or use it in a ``with`` statement.

    It may be used by several threads. Each method is one use case, and its own transaction unless it is called within
    ``transaction()``. ``site`` has the settings, under the names of publisher.toml.
    """

    articles: Articles = _subject("Articles", "The articles: correct, retract, reinstate.")
    feeds: Feeds = _subject("Feeds", "The feeds: of an article, personal, hubs, web servers.")
    digests: Digests = _subject("Digests", "The newsletters: drafts, notes, approval.")
    issues: Issues = _subject("Issues", "The issues and their deliveries.")
    reports: Reports = _subject("Reports", "Reports about the site.")
    schedule: Schedule = _subject("Schedule", "The schedules and their next slots.")
    subscribers: Subscribers = _subject("Subscribers", "The people on the lists.")
    websub: WebSub = _subject("WebSub", "The site's own WebSub hub.")

    def __init__(
        self,
        site: Site,
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
        progress: Progress = no_progress,
        on_wait: WaitCallback = no_wait,
        dry_run: bool = False,
        parser_process: TimedWorker | None = None,
        wait_seconds: int = BUSY_SECONDS,
    ) -> None:
        """Open a site whose settings were read. Arguments that are not described here are those of ``open``.

        Args:
            parser_process: a process for parsers that the caller closes.
            wait_seconds: how long a statement waits for another connection's write, for callers that cannot wait long.
        """
        self.site = site
        self.clock = clock or Clock()
        self.transport = transport
        self._progress = progress
        self._on_wait = on_wait
        self._dry_run = dry_run
        self._parser_process = parser_process
        self._wait_seconds = wait_seconds
        self._lock = Lock()
        self._opened = ExitStack()

    @classmethod
    def open(
        cls,
        folder: Path | str = ".",
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
        progress: Progress = no_progress,
        on_wait: WaitCallback = no_wait,
        dry_run: bool = False,
    ) -> Self:
        """Open the site in a folder: the one with ``publisher.toml``.

        The database is opened, and created or upgraded if needed, by the first use case.

        Args:
            folder: the current folder by default.
            clock: the time; this machine's clock by default.
            transport: sends messages in place of the transport of the settings, which must have one all the same:
                ``[smtp]``, or ``transport = "maildir"`` in ``[delivery]``.
            progress: called with (label, done, total) during long work; the total is 0 if it is not known.
            on_wait: called with the name of another process that works on the site, before it is waited for.
            dry_run: roll back every change at the end. No file is written and no message is sent.

        Raises:
            SettingsError: the folder has no valid ``publisher.toml``.
        """
        return cls(
            read_site(Path(folder)),
            clock=clock,
            transport=transport,
            progress=progress,
            on_wait=on_wait,
            dry_run=dry_run,
        )

    def close(self) -> None:
        """Close the database and end the worker processes."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _workers(self) -> Workers:
        return self._opened.enter_context(Workers(parser_process=self._parser_process))

    @cached_property
    def _db(self) -> Database:
        db = Database.open(self.site.database_url, dry_run=self._dry_run, wait_seconds=self._wait_seconds)
        return self._opened.enter_context(db)

    def now(self) -> datetime:
        """Return the current time in the site's time zone, in whole seconds."""
        return local_now(self.site, self.clock)

    def context(self) -> Context:
        """Return the context that use cases inside the package take, at the current time; programs do not need it."""
        with self._lock:
            return Context(
                site=self.site,
                db=self._db,
                now=self.now(),
                clock=self.clock,
                workers=self._workers,
                transport=self.transport,
                progress=self._progress,
                on_wait=self._on_wait,
            )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Make all calls of this thread in the block one transaction; return its connection.

        It commits at the end of the block, or rolls back as a whole on an error. ``publish`` and everything that sends
        mail cannot be part of it.
        """
        with self.context().db.transaction() as connection:
            yield connection

    # -- use cases of the whole site -----------------------------------------------------------------

    def publish(self, *, feeds_only: bool = False) -> PublishResult:
        """Update feeds/ and outbox/ from articles/, as ``publish now`` does.

        A second run without changes changes nothing. No mail is sent for newsletters with a cadence.

        Args:
            feeds_only: leave drafts and issues as they are.

        Raises:
            PublisherError: see ``publisher.errors``.
        """
        from publisher.pipeline.publish import publish

        return publish(self.context(), with_issues=not feeds_only)

    def tick(self) -> PublishResult:
        """Do everything that is due: slots, feeds, mail, hubs, bounces. Call it every few minutes.

        Calls may overlap: each claims its work.

        Raises:
            PublisherError: articles/ is not readable, or issues could not be staged. Other failures are in the result.
        """
        from publisher.runner.tick import tick

        return tick(self.context())

    def check(self, targets: Sequence[str] = (), *, with_browser: bool = True, force: str | None = None) -> CheckResult:
        """Check feeds, drafts and issues against the rules of validators, feed readers and mail clients.

        Args:
            targets: feeds by file, folder and URL, drafts by digest, issues by name, folder and file; the site's feeds/
                by default.
            with_browser: False to check issues without a browser.
            force: why the one target, a draft or an issue, may be sent in spite of the errors that are found.

        Raises:
            SettingsError: an issue, file or folder does not exist, or there is nothing to force.
            RemoteError: a URL does not respond.
        """
        from publisher.pipeline.check import check_site

        return check_site(self.context(), targets, with_browser=with_browser, force=force)
