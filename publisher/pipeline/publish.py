"""``publish now``: read changed articles, regenerate feeds, bring drafts up to date, stage both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from publisher.articles import sources_store as sources
from publisher.context import Context
from publisher.delivery.issue_life.approval import held_issues
from publisher.feeds.definitions import sync_custom_feeds
from publisher.feeds.stage_feeds import stage_feeds
from publisher.model.digests import SendPolicy
from publisher.model.report import PublishResult
from publisher.pipeline.due_issues import open_ready_issues
from publisher.pipeline.ingest import ingest
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.pipeline.update_drafts import update_drafts
from publisher.schedule.claims import save_schedules
from publisher.settings import Site
from publisher.websub.notify import send_notifications


def publish(
    context: Context,
    *,
    with_issues: bool = True,
    may_open: bool = True,
    edit: Callable[[Connection], None] | None = None,
) -> PublishResult:
    """Update feeds/ and outbox/ from articles/.

    A second run without changes changes nothing. After a kill, the next run continues. Only automatic digests without a
    cadence are mailed; nothing of a digest with a cadence is fixed or mailed. A dry run writes nothing, and mails nothing.

    Args:
        context: the site; articles with a date later than its time are not published yet.
        with_issues: bring drafts up to date, and send what needs no approval; False for feeds only.
        may_open: False to bring drafts up to date without sending anything.
        edit: a change of the database after articles/ is read and before feeds are staged, such as a correction. No mail
            is sent then.

    Raises:
        PublisherError: see ``publisher.errors``.
    """
    site, is_dry = context.site, context.db.is_dry_run
    may_open = may_open and with_issues and edit is None and not is_dry
    result = PublishResult(at=context.now.isoformat(), dry_run=is_dry)
    with context.exclusive():
        result += regenerate(context, edit=edit)
    if not is_dry and site.notifies_hubs:
        # Outside the lock, because a hub may be slow. Feeds are live before drafts are touched.
        result += PublishResult(notifications=send_notifications(context))
    if with_issues:
        with context.exclusive():
            result += _update_outbox(context, may_open=may_open)
    if may_open and site.can_send and site.digests:
        # Outside the lock, because a long list takes time. Imported here, because most runs send nothing.
        from publisher.delivery.automatic import send_due_issues

        result += send_due_issues(context, digests=_automatic_digests(site))
    return with_stored_problems(context, result)


def regenerate(context: Context, *, edit: Callable[[Connection], None] | None = None) -> PublishResult:
    """Read changed files and stage the affected feeds. The caller holds the site's lock."""
    with context.db.write() as connection:
        sync_custom_feeds(connection, context.site)
    result = ingest(context)
    if edit is not None:
        with context.db.write() as connection:
            edit(connection)
    return result + stage_feeds(context)


def with_stored_problems(context: Context, result: PublishResult) -> PublishResult:
    """Return a result that names rejected records of earlier runs too, for as long as they are not fixed."""
    with context.db.read() as connection:
        stored = sources.list_problems(connection, rejected=True)
    return replace(result, rejected=(*stored, *result.rejected))


def _update_outbox(context: Context, *, may_open: bool) -> PublishResult:
    """Bring drafts up to date and stage them; open automatic issues without a cadence."""
    if not context.db.is_dry_run:
        save_schedules(context.db, context.site.schedules, context.now)
    result, updates = update_drafts(context)
    if may_open:
        if automatic := _automatic_digests(context.site):
            # Those of a run that was killed between their approval and their opening. Most sites have no such digest.
            from publisher.delivery.automatic import open_due_issues

            result += open_due_issues(context, digests=automatic)
        result += open_ready_issues(context, updates, with_cadence=False)
        with context.db.read() as connection:
            every = held_issues(connection, context.site, context.now)
        named = {held.issue for held in result.held}
        result += PublishResult(held=tuple(held for held in every if held.issue not in named))
    return result + stage_outbox(context)


def _automatic_digests(site: Site) -> list[str]:
    """Return the digests whose issues ``publish now`` opens and sends: automatic, and without a cadence."""
    return [slug for slug, one in site.digests.items() if one.send is SendPolicy.AUTO and not one.cadence]
