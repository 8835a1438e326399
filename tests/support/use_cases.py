"""Use cases of the public API as functions of a site and a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from publisher import (
    Approval,
    ApprovalPlan,
    CancelPlan,
    CheckResult,
    CorrectionResult,
    Discarded,
    IssueRow,
    NoteResult,
    NotificationResult,
    Preview,
    Publisher,
    PublishResult,
    Subscriber,
    check_files,
)
from publisher.clock import Clock, FixedClock
from publisher.context import Context, local_now
from publisher.pipeline.publish import publish as publish_site
from publisher.runner import scheduled_run
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.websub import notify
from publisher.workers.pool import Workers
from tests.support import parsers


def open_publisher(site: Site, now: datetime | None = None, **options: Any) -> Publisher:
    """Open a site at a fixed time; at the current time without one."""
    clock = FixedClock(now) if now is not None else Clock()
    return Publisher(site, **{"clock": clock, "parser_process": parsers.shared_parser(), **options})


@contextmanager
def open_context(site: Site, now: datetime | None = None, **options: Any) -> Iterator[Context]:
    """Return what a use case is given, at a fixed time."""
    with open_publisher(site, now, **options) as publisher:
        yield publisher.context()


def context_of(site: Site, db: Database, now: datetime) -> Context:
    """Return what a use case is given, with a database that is open."""
    return Context(site=site, db=db, now=now.astimezone(site.tz), clock=FixedClock(now))


class _CallableClock(Clock):
    """A clock that asks a function for the time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now  # type: ignore[method-assign]


@contextmanager
def _opened(site: Site, now: datetime | None, options: dict[str, Any]) -> Iterator[Publisher]:
    """Open a site with the options that are not of the use case, which are removed from OPTIONS."""
    names = ("clock", "dry_run", "on_wait", "parser_process", "progress", "transport")
    with open_publisher(site, now, **{name: options.pop(name) for name in names if name in options}) as publisher:
        yield publisher


# -- the pipeline --------------------------------------------------------------------------------


def publish(
    site: Site,
    now: datetime,
    *,
    with_issues: bool = True,
    may_open: bool = True,
    edit: Callable[[Connection], None] | None = None,
    **options: Any,
) -> PublishResult:
    with open_context(site, now, **options) as context:
        return publish_site(context, with_issues=with_issues, may_open=may_open, edit=edit)


def tick(site: Site, **options: Any) -> PublishResult:
    with _opened(site, None, options) as publisher:
        return publisher.tick()


def run_due_slots(site: Site, db: Database, clock: Clock, **options: Any) -> PublishResult | None:
    """Run due slots on an open database."""
    with Workers(parser_process=options.pop("parser_process", parsers.shared_parser())) as workers:
        now = local_now(site, clock)
        context = Context(site=site, db=db, now=now, clock=clock, workers=workers)
        names = ("on_wait", "progress")
        context = replace(context, **{name: options.pop(name) for name in names if name in options})
        return scheduled_run.run_due_slots(context, **options)


def send_due_issues(site: Site, db: Database, now: datetime, **options: Any) -> PublishResult:
    """Send due issues on an open database."""
    from publisher.delivery import automatic

    clock = options.pop("clock", None) or FixedClock(now)
    return automatic.send_due_issues(Context(site=site, db=db, now=now, clock=clock), **options)


def send_notifications(db: Database, site: Site, now: datetime, **options: Any) -> NotificationResult:
    """Notify hubs, on an open database."""
    given = {name: options.pop(name) for name in ("progress", "clock") if name in options}
    context = Context(site=site, db=db, now=now, **{"clock": FixedClock(now), **given})
    return notify.send_notifications(context, **options)


def check_site(site: Site | None, targets: Sequence[str], now: datetime, **options: Any) -> CheckResult:
    if site is None:
        return check_files(targets, now, **options)
    with _opened(site, now, options) as publisher:
        return publisher.check(targets, **options)


def correct(site: Site, now: datetime, name: str, note: str, **options: Any) -> CorrectionResult:
    with _opened(site, now, options) as publisher:
        return publisher.articles.correct(name, note)


def retract(site: Site, now: datetime, name: str, reason: str, **options: Any) -> CorrectionResult:
    with _opened(site, now, options) as publisher:
        return publisher.articles.retract(name, reason)


def reinstate(site: Site, now: datetime, name: str, **options: Any) -> CorrectionResult:
    with _opened(site, now, options) as publisher:
        return publisher.articles.reinstate(name)


# -- drafts and issues ---------------------------------------------------------------------------


def plan_approval(site: Site, target: str, now: datetime, **options: Any) -> ApprovalPlan:
    with _opened(site, now, options) as publisher:
        return publisher.digests.plan_approval(target, **options)


def approve(site: Site, target: str, now: datetime, **options: Any) -> Approval:
    with _opened(site, now, options) as publisher:
        return publisher.digests.approve(target, **options)


def set_note(site: Site, digest: str, now: datetime, **options: Any) -> NoteResult:
    with _opened(site, now, options) as publisher:
        return publisher.digests.note(digest, **options)


def preview(site: Site, slug: str, now: datetime, **options: Any) -> Preview:
    with _opened(site, now, options) as publisher:
        return publisher.digests.preview(slug, **options)


def discard(site: Site, target: str, now: datetime, **options: Any) -> Discarded:
    with _opened(site, now, options) as publisher:
        return publisher.digests.discard(target, **options)


def undo_discard(site: Site, slug: str, now: datetime, **options: Any) -> Discarded:
    with _opened(site, now, options) as publisher:
        return publisher.digests.undo_discard(slug)


def force_issue(site: Site, target: str, reason: str, **options: Any) -> Any:
    with _opened(site, None, options) as publisher:
        return publisher.digests.force(target, reason)


def reopen(site: Site, target: str, now: datetime, **options: Any) -> IssueRow:
    with _opened(site, now, options) as publisher:
        return publisher.issues.reopen(target)


def plan_cancel(site: Site, target: str) -> CancelPlan:
    with open_publisher(site) as publisher:
        return publisher.issues.plan_cancel(target)


def cancel(site: Site, target: str, now: datetime, **options: Any) -> tuple[IssueRow, int]:
    with _opened(site, now, options) as publisher:
        return publisher.issues.cancel(target)


# -- subscribers ---------------------------------------------------------------------------------


def add_subscriber(site: Site, address: str, now: datetime, **options: Any) -> Subscriber:
    with open_publisher(site, now) as publisher:
        return publisher.subscribers.add(address, **options)


def import_list(site: Site, path: Any, now: datetime, **options: Any) -> Any:
    with open_publisher(site, now) as publisher:
        return publisher.subscribers.import_list(path, **options)


def export_subscribers(site: Site, file: Any, **options: Any) -> int:
    with open_publisher(site) as publisher:
        return publisher.subscribers.export(file, **options)


def list_subscribers(site: Site, **options: Any) -> list[Subscriber]:
    with open_publisher(site) as publisher:
        return list(publisher.subscribers.list(**options))


def suppress_by_operator(site: Site, address: str, now: datetime, **options: Any) -> bool:
    with open_publisher(site, now) as publisher:
        return publisher.subscribers.suppress(address, **options)


def erase_subscriber(site: Site, address: str, now: datetime) -> bool:
    with open_publisher(site, now) as publisher:
        return publisher.subscribers.erase(address)


def doubtful_suppressions(site: Site) -> Any:
    with open_publisher(site) as publisher:
        return publisher.subscribers.doubtful_suppressions()


def unclear_states(site: Site) -> Any:
    with open_publisher(site) as publisher:
        return publisher.subscribers.unclear_states()


def lift_suppressions(site: Site, doubtful: Any, now: datetime) -> Any:
    with open_publisher(site, now) as publisher:
        return publisher.subscribers.lift_suppressions(doubtful)


def load_status(site: Site, now: datetime) -> Any:
    with open_publisher(site, now, dry_run=True) as publisher:
        return publisher.reports.status()


def load_stats(site: Site, now: datetime, *, days: int) -> Any:
    with open_publisher(site, now, dry_run=True) as publisher:
        return publisher.reports.stats(days=days)


def list_issues(site: Site, digest: str | None = None, *, now: datetime | None = None) -> Any:
    with open_publisher(site, now, dry_run=True) as publisher:
        return publisher.reports.outbox(digest)


def upcoming_issues(site: Site, now: datetime) -> Any:
    with open_publisher(site, now, dry_run=True) as publisher:
        return publisher.reports.upcoming_issues()


def delivery_history(site: Site, target: str, address: str) -> Any:
    with open_publisher(site, dry_run=True) as publisher:
        return publisher.issues.trace(target, address)


def deliver(
    site: Site, target: str, *, transport: Any = None, clock: Callable[[], datetime] | None = None, **options: Any
) -> Any:
    with Publisher(site, transport=transport, clock=_CallableClock(clock) if clock else None) as publisher:
        return publisher.issues.send(target, **options)


def send_draft_test(site: Site, target: str, address: str, now: datetime, *, transport: Any = None) -> Any:
    with open_publisher(site, now, transport=transport) as publisher:
        return publisher.issues.send_test(target, address)


def pause(site: Site, target: str) -> Any:
    with open_publisher(site) as publisher:
        return publisher.issues.pause(target)


def resume(site: Site, target: str) -> Any:
    with open_publisher(site) as publisher:
        return publisher.issues.resume(target)


def accept_refusals(site: Site, target: str, now: datetime) -> Any:
    with open_publisher(site, now) as publisher:
        return publisher.issues.accept_refusals(target)


def retry_refusals(site: Site, target: str) -> Any:
    with open_publisher(site) as publisher:
        return publisher.issues.retry_refusals(target)


def process_mailbox(site: Site, now: datetime, **options: Any) -> Any:
    with open_publisher(site, now) as publisher:
        return publisher.issues.process_mailbox(**options)


def process_messages(site: Site, messages: Iterable[bytes], now: datetime) -> Any:
    with open_publisher(site, now) as publisher:
        return publisher.issues.process_messages(messages)
