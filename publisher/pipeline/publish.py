"""``publish now``: read what changed, regenerate what it touches, stage it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import sources_store as sources
from publisher.feeds.definitions import sync_custom_feeds
from publisher.feeds.stage_feeds import stage_feeds
from publisher.model.report import Progress, PublishResult, no_progress
from publisher.pipeline.ingest import ingest
from publisher.pipeline.make_issues import make_issues, stage_issues
from publisher.pipeline.remake import remake_issues
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.websub.notify import send_notifications
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker

__all__ = ["publish", "regenerate"]


def publish(
    site: Site,
    now: datetime,
    *,
    dry_run: bool = False,
    with_issues: bool = True,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
    edit: Callable[[Connection], None] | None = None,
    warm: TimedWorker | None = None,
) -> PublishResult:
    """Bring feeds/ and outbox/ up to date with articles/, and say what was done.

    Run again with nothing changed, it changes nothing. Killed at any moment, the next run goes
    on where this one stopped.

    Args:
        site: the settings.
        now: what time it is; articles dated later wait.
        dry_run: only tell what would be done. Nothing is written, the database included.
        with_issues: make issues, and send what needs nobody's approval; without, feeds alone.
        progress: told now and then how far the work is.
        on_wait: told once if another run has to be waited for.
        edit: a change to the store that is made after articles/ was read and before feeds are
            staged. With one no issues are made: a correction sends no newsletter.
        warm: a process for parsers that is kept for the next run; None for one that ends with this run.

    Raises:
        PublisherError: see ``publisher.errors``.
    """
    report = PublishResult(at=now.isoformat(), dry_run=dry_run)
    with Database.open(site.database_url, dry_run=dry_run) as db:
        lock = nullcontext() if dry_run else db.exclusive(site.root, on_wait=on_wait)
        with lock, Workers(warm=warm) as workers:
            regenerate(db, site, now, report, progress, workers, dry_run=dry_run, edit=edit)
            if edit is None and with_issues:
                remake_issues(db, site, now, report)
                make_issues(db, site, now, report)
                stage_issues(db, site, report, dry_run=dry_run)
        if not dry_run and (site.hubs or site.announce.cloud):
            # Outside the lock: a slow hub holds nobody up.
            report.notifications = send_notifications(db, site, now, progress=progress)
        if not dry_run and edit is None and with_issues and site.can_send and site.digests:
            _mail(site, db, now, report, progress)
        with db.read() as connection:
            report.rejected = [*sources.list_problems(connection, rejected=True), *report.rejected]
    return report


def regenerate(
    db: Database,
    site: Site,
    now: datetime,
    report: PublishResult,
    progress: Progress,
    workers: Workers,
    *,
    dry_run: bool = False,
    edit: Callable[[Connection], None] | None = None,
) -> None:
    """Read what changed in articles/ and stage the feeds that it touches. The caller holds the site."""
    with db.write() as connection:
        sync_custom_feeds(connection, site)
    ingest(db, site, now, report, progress, workers)
    if edit is not None:
        with db.write() as connection:
            edit(connection)
    stage_feeds(db, site, now, report, progress, workers, dry_run=dry_run)


def _mail(site: Site, db: Database, now: datetime, report: PublishResult, progress: Progress) -> None:
    # Outside the lock too: a list of 50,000 readers takes its time. Loaded where there is somebody to send to.
    from publisher.delivery.automatic import send_due_issues

    send_due_issues(site, db, now, report, progress)
