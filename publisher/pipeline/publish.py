"""``publish now``: read changed articles, regenerate feeds, make issues, stage both."""

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
    parser_process: TimedWorker | None = None,
) -> PublishResult:
    """Update feeds/ and outbox/ from articles/.

    A second run without changes changes nothing. After a kill, the next run continues.

    Args:
        site: the settings.
        now: the time; articles with a later date are not published yet.
        dry_run: write nothing, not even to the database.
        with_issues: make issues, and send those that need no approval; False for feeds only.
        progress: called from time to time.
        on_wait: called with the holder's name if another run has to be waited for.
        edit: a change of the database after articles/ is read and before feeds are staged, such as a correction. No
            issues are made then.
        parser_process: a parser process to use and keep; None for one that ends with this run.

    Raises:
        PublisherError: see ``publisher.errors``.
    """
    report = PublishResult(at=now.isoformat(), dry_run=dry_run)
    with Database.open(site.database_url, dry_run=dry_run) as db:
        lock = nullcontext() if dry_run else db.exclusive(site.root, on_wait=on_wait)
        with lock, Workers(parser_process=parser_process) as workers:
            regenerate(db, site, now, report, progress, workers, dry_run=dry_run, edit=edit)
            if edit is None and with_issues:
                remake_issues(db, site, now, report)
                make_issues(db, site, now, report)
                stage_issues(db, site, report, dry_run=dry_run)
        if not dry_run and (site.hubs or site.announce.cloud):
            # Outside the lock, because a hub may be slow.
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
    """Read changed files and stage the affected feeds. The caller holds the site's lock."""
    with db.write() as connection:
        sync_custom_feeds(connection, site)
    ingest(db, site, now, report, progress, workers)
    if edit is not None:
        with db.write() as connection:
            edit(connection)
    stage_feeds(db, site, now, report, progress, workers, dry_run=dry_run)


def _mail(site: Site, db: Database, now: datetime, report: PublishResult, progress: Progress) -> None:
    # Outside the lock, because a long list takes time. Imported here, because most runs send nothing.
    from publisher.delivery.automatic import send_due_issues

    send_due_issues(site, db, now, report, progress)
