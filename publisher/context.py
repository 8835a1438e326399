"""The context of a use case: the site, its database, the time, workers, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from publisher.clock import Clock
from publisher.model.report import Progress, no_progress
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.workers.pool import Workers

if TYPE_CHECKING:
    from publisher.mail.transport import Transport

#: Called with the name of the process that has locked the site, before the lock is waited for.
WaitCallback = Callable[[str], None]


def no_wait(holder: str) -> None:
    """Ignore that another process has to be waited for."""


def local_now(site: Site, clock: Clock) -> datetime:
    """Return the current time in the site's time zone, in whole seconds."""
    return clock.now().astimezone(site.tz).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The context of a use case, which opens and closes none of it."""

    site: Site
    db: Database
    #: The time of the use case, in the site's time zone.
    now: datetime
    #: For work that takes long enough for the time to change, such as sending.
    clock: Clock = field(default_factory=Clock)
    workers: Workers = field(default_factory=Workers)
    #: Sends messages; None for the transport of the settings.
    transport: Transport | None = None
    progress: Progress = no_progress
    on_wait: WaitCallback = no_wait

    @property
    def seconds(self) -> int:
        """The time of the use case in seconds since 1970."""
        return int(self.now.timestamp())

    def at(self, now: datetime) -> Context:
        """Return the same context at another time."""
        return replace(self, now=now)

    def later(self) -> Context:
        """Return the same context at the current time of the clock."""
        return replace(self, now=local_now(self.site, self.clock))

    def exclusive(self) -> AbstractContextManager[None]:
        """Lock the site: no other publishing run works on it, on any machine.

        Raises:
            StoreBusy: another run did not finish in time.
            StoreError: the caller has a transaction of its own.
        """
        return self.db.exclusive(self.site.root, on_wait=self.on_wait)

    @contextmanager
    def dry_run(self) -> Iterator[Context]:
        """Return a context whose changes are rolled back.

        Raises:
            StoreError: the caller has a transaction, which the rehearsal would wait for.
        """
        if self.db.is_dry_run:
            yield self
            return
        self.db.require_commits("a rehearsal")
        with Database.open(self.site.database_url, dry_run=True) as db:
            yield replace(self, db=db)
