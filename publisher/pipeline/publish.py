"""``publish now``: read changed articles, regenerate feeds, bring drafts up to date, stage both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import sources_store as sources
from publisher.delivery.issue_life.approval import held_issues
from publisher.feeds.definitions import sync_custom_feeds
from publisher.feeds.stage_feeds import stage_feeds
from publisher.model.digests import SendPolicy
from publisher.model.report import Progress, PublishResult, no_progress
from publisher.pipeline.due_issues import open_ready_issues
from publisher.pipeline.ingest import ingest
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.pipeline.update_drafts import update_drafts
from publisher.schedule.claims import save_schedules
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
    may_open: bool = True,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
    edit: Callable[[Connection], None] | None = None,
    parser_process: TimedWorker | None = None,
) -> PublishResult:
    """Update feeds/ and outbox/ from articles/.

    A second run without changes changes nothing. After a kill, the next run continues. Only automatic digests without a
    cadence are mailed; nothing of a digest with a cadence is fixed or mailed.

    Args:
        site: the settings.
        now: the time; articles with a later date are not published yet.
        dry_run: write nothing, not even to the database.
        with_issues: bring drafts up to date, and send what needs no approval; False for feeds only.
        may_open: False to bring drafts up to date without sending anything.
        progress: called from time to time.
        on_wait: called with the holder's name if another run has to be waited for.
        edit: a change of the database after articles/ is read and before feeds are staged, such as a correction. Nothing
            is mailed then.
        parser_process: a parser process to use and keep; None for one that ends with this run.

    Raises:
        PublisherError: see ``publisher.errors``.
    """
    report = PublishResult(at=now.isoformat(), dry_run=dry_run)
    with Database.open(site.database_url, dry_run=dry_run) as db:
        with _locked(db, site, on_wait, dry_run=dry_run), Workers(parser_process=parser_process) as workers:
            regenerate(db, site, now, report, progress, workers, dry_run=dry_run, edit=edit)
        if not dry_run and site.notifies_hubs:
            # Outside the lock, because a hub may be slow. Feeds are live before drafts are touched.
            report.notifications = send_notifications(db, site, now, progress=progress)
        if with_issues:
            with _locked(db, site, on_wait, dry_run=dry_run):
                _update_outbox(db, site, now, report, dry_run=dry_run, may_open=may_open and edit is None)
        if not dry_run and may_open and edit is None and with_issues and site.can_send and site.digests:
            _mail(site, db, now, report, progress)
        with db.read() as connection:
            report.rejected = [*sources.list_problems(connection, rejected=True), *report.rejected]
    return report


def _locked(db: Database, site: Site, on_wait: Callable[[str], None], *, dry_run: bool) -> AbstractContextManager[None]:
    return nullcontext() if dry_run else db.exclusive(site.root, on_wait=on_wait)


def _update_outbox(
    db: Database, site: Site, now: datetime, report: PublishResult, *, dry_run: bool, may_open: bool
) -> None:
    """Bring drafts up to date and stage them; open automatic issues without a cadence."""
    if not dry_run:
        save_schedules(db, site.schedules, now)
    updates = update_drafts(db, site, now, report)
    if may_open and not dry_run:
        _open_approved(db, site, now, report)
        open_ready_issues(db, site, updates, now, report, with_cadence=False)
        with db.read() as connection:
            named = {held.issue for held in report.held}
            report.held += [held for held in held_issues(connection, site, now) if held.issue not in named]
    stage_outbox(db, site, report, dry_run=dry_run)


def _open_approved(db: Database, site: Site, now: datetime, report: PublishResult) -> None:
    """Open automatic issues of a run that was killed between their approval and their opening."""
    automatic = _automatic_digests(site)
    if not automatic:
        return
    # Imported here, because most sites have no such digest.
    from publisher.delivery.automatic import open_due_issues

    open_due_issues(site, db, now, report, digests=automatic)


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

    send_due_issues(site, db, now, report, progress, digests=_automatic_digests(site))


def _automatic_digests(site: Site) -> list[str]:
    """Return the digests whose issues ``publish now`` opens and sends: automatic, and without a cadence."""
    return [slug for slug, one in site.digests.items() if one.send is SendPolicy.AUTO and not one.cadence]
