"""``publish status``: the state of a site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import drafts_store as drafts
from publisher.articles import sources_store as sources
from publisher.articles import store
from publisher.articles.drafts_store import DraftRow
from publisher.context import Context
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.readiness import visible_blockers
from publisher.digests.store import IssueRow
from publisher.feeds import store as table
from publisher.model.delivery import DeliveryState
from publisher.model.digests import SendPolicy
from publisher.model.problems import Problem
from publisher.model.result import Result, json_value
from publisher.pipeline.published_drafts import PublishedDraft, published_drafts
from publisher.pipeline.update_drafts import approved_warnings
from publisher.reports.issue_drafts import DraftStatus, issue_dict, list_draft_status
from publisher.reports.outbox import issue_status
from publisher.reports.permissions import ExposedPath
from publisher.reports.upcoming import free_slots
from publisher.schedule import store as slots
from publisher.schedule.processes import is_attended, list_runners
from publisher.schedule.store import SlotRun
from publisher.settings import Site
from publisher.storage import job_queue
from publisher.subscribers import store as subscribers
from publisher.websub.notifications_store import NOTIFICATION

#: Issues whose state is described.
_NEWEST: Final = 100
#: A field that is a part of another one in JSON.
_NESTED: Final = {"json": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestStatus(Result):
    """The state of a digest."""

    slug: str
    title: str
    issues: int
    #: Articles that wait for the next issue.
    waiting: int
    #: The next slot of its cadence in the site's zone; None without a cadence.
    next: datetime | None
    #: The run of the newest slot; None before the first.
    last: SlotRun | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Result):
    """The state of a site."""

    #: Stored articles that were not withdrawn.
    articles: int
    #: Withdrawn articles.
    withdrawn: int
    #: Drafts in articles/, by file.
    drafts: tuple[DraftRow, ...]
    #: Published articles that the next run withdraws, because a newer release treats their records as drafts.
    published_drafts: tuple[PublishedDraft, ...]
    #: Files of articles/ that were read.
    files: int
    feeds: int
    feed_files: int = field(metadata=_NESTED)
    #: Feeds that a stopped run has not staged.
    feeds_due: int = field(metadata=_NESTED)
    #: The run of the feeds' newest slot; None before the first.
    feeds_last: SlotRun | None = field(metadata=_NESTED)
    #: The feeds' next slot in the site's zone.
    feeds_next: datetime | None = field(metadata=_NESTED)
    #: The states of the runners on this machine.
    runners: tuple[dict[str, Any], ...]
    #: Notifications of hubs that are not sent yet.
    announcements: int
    digests: tuple[DigestStatus, ...]
    #: What the settings do not do although an operator may expect it, each with the fix.
    notices: tuple[str, ...] = ()
    #: The drafts of next issues.
    issue_drafts: tuple[DraftStatus, ...] = ()
    #: Status → number of subscribers.
    subscribers: dict[str, int]
    #: Placeholder values that block mail to real people, each with its fix; none where mail is not set up.
    blockers: tuple[str, ...]
    #: Relays and domains that are stopped until an operator decides about their refusals, by issue.
    stopped: tuple[str, ...] = ()
    #: Private files that other users of the machine may read.
    exposed: tuple[ExposedPath, ...] = field(metadata={"json": "permissions"})
    #: Newest first.
    issues: tuple[IssueRow, ...]
    #: Issue ID → state → number of deliveries.
    deliveries: dict[int, dict[DeliveryState, int]] = field(metadata=_NESTED)
    #: Issue ID → the state of the issue in words.
    states: dict[int, str] = field(default_factory=dict, metadata=_NESTED)
    #: Records that were rejected, and steps that failed, until they are fixed.
    refused: tuple[Problem, ...]
    #: Values that were repaired or guessed, approved issues with warnings, and names that will be removed.
    warnings: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the status as ``publish status --json`` prints it."""
        feeds = {"count": self.feeds, "files": self.feed_files, "due": self.feeds_due}
        issues = [
            {
                **issue_dict(row),
                "status": self.states.get(row.id, ""),
                "deliveries": {state: self.deliveries.get(row.id, {}).get(state, 0) for state in DeliveryState},
            }
            for row in self.issues
        ]
        return {
            **Result.as_dict(self),
            "feeds": json_value({**feeds, "last": self.feeds_last, "next": self.feeds_next}),
            "issues": json_value(issues),
        }


def load_status(context: Context, *, exposed: Sequence[ExposedPath] = ()) -> Status:
    """Return the state of a site. Nothing is changed.

    Args:
        exposed: the private files that other users may read, as they were before the database was opened, because
            that creates temporary files beside it.

    Raises:
        StoreError: the database cannot be read.
    """
    site, now = context.site, context.now
    with context.db.read() as connection:
        rows = issues.list_issues(connection)
        upcoming = {
            schedule.name: slot.astimezone(site.tz)
            if (slot := next(free_slots(connection, schedule, now), None))
            else None
            for schedule in site.schedules
        }
        counts = deliveries.state_counts(connection)
        return Status(
            articles=store.count_articles(connection),
            withdrawn=sum(retraction.reason is not None for retraction in corrections.list_retractions(connection)),
            drafts=tuple(drafts.list_drafts(connection)),
            published_drafts=tuple(published_drafts(connection, site, now)),
            files=sources.count_sources(connection),
            feeds=len(table.feed_rows(connection)),
            feed_files=table.count_staged_files(connection, "feeds"),
            feeds_due=len(table.dirty_facets(connection)),
            announcements=job_queue.count(connection, NOTIFICATION),
            digests=tuple(_digests(connection, context, rows, upcoming)),
            issues=tuple(rows),
            refused=tuple(sources.list_problems(connection, rejected=True)),
            warnings=(
                *sources.list_problems(connection, rejected=False),
                *approved_warnings(context),
                *_deprecated_names(site),
            ),
            subscribers=subscribers.count_by_status(connection),
            feeds_last=_newest(connection, "feeds"),
            feeds_next=upcoming.get("feeds"),
            runners=tuple(list_runners(site.root)),
            exposed=tuple(exposed),
            blockers=tuple(str(blocker) for blocker in visible_blockers(connection, site)),
            deliveries=counts,
            stopped=tuple(_stopped(connection, rows)),
            issue_drafts=tuple(list_draft_status(context)),
            states={row.id: issue_status(context, row, counts.get(row.id, {})) for row in rows[:_NEWEST]},
            notices=tuple(_notices(connection, site, now)),
        )


def _digests(
    connection: Connection, context: Context, rows: Sequence[IssueRow], upcoming: Mapping[str, datetime | None]
) -> list[DigestStatus]:
    """Return the state of each digest."""
    return [
        DigestStatus(
            slug=digest.slug,
            title=digest.title,
            issues=sum(row.digest == digest.slug for row in rows),
            waiting=len(pending.pending_articles(connection, digest.slug, context.seconds, context.now)),
            next=upcoming.get(f"digest:{digest.slug}"),
            last=_newest(connection, f"digest:{digest.slug}"),
        )
        for digest in context.site.all_digests()
    ]


def _deprecated_names(site: Site) -> list[Problem]:
    """Return a warning for each use of a deprecated name in the site's own templates."""
    if not site.templates_dir.is_dir():
        return []
    # Jinja2 is imported only by sites that have templates.
    from publisher.templating.deprecated import deprecated_names

    return [
        Problem(where=f"{site.paths.templates}/{use.template}", is_rejected=False, reason=str(use))
        for use in deprecated_names(site.templates_dir)
    ]


def _stopped(connection: Connection, rows: Sequence[IssueRow]) -> list[str]:
    names = {row.id: f"{row.digest}/{row.name}" for row in rows}
    stopped = brakes.open_brakes(connection)
    lines = [f"{names[brake.issue_id]}: {brake.describe()}" for brake in stopped]
    return lines + [brakes.resume_advice(name) for name in dict.fromkeys(names[brake.issue_id] for brake in stopped)]


def _notices(connection: Connection, site: Site, now: datetime) -> Iterator[str]:
    """Yield what the settings do not do although an operator may expect it."""
    scheduled = [slug for slug, one in site.digests.items() if one.cadence and one.send is not SendPolicy.NONE]
    if scheduled:
        runs = "'publish run' or 'publish tick' sends them at their slots"
        if not is_attended(connection, site.root, now):
            runs = "nothing else runs here: start 'publish run', or call 'publish tick' from cron"
        yield f"'publish now' mails no issue of a digest with a cadence ({', '.join(scheduled)}); {runs}"
    silent = [slug for slug, one in site.digests.items() if one.send is SendPolicy.NONE]
    if silent and site.can_send:
        yield (
            f'a mail server is set, and issues of {", ".join(silent)} are not mailed: send = "none". To mail them, set '
            'send = "review" or "auto"'
        )


def _newest(connection: Connection, name: str) -> SlotRun | None:
    return next(iter(slots.recent_runs(connection, name)), None)
