"""Use cases of the public API as functions of a site and a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from publisher import Publisher
from publisher.clock import Clock
from publisher.context import Context
from publisher.settings import Site
from publisher.subscribers.store import Subscriber
from publisher.testing import FixedClock

__all__ = [
    "accept_refusals",
    "add_subscriber",
    "deliver",
    "delivery_history",
    "doubtful_suppressions",
    "erase_subscriber",
    "export_subscribers",
    "import_list",
    "lift_suppressions",
    "list_issues",
    "list_subscribers",
    "load_stats",
    "load_status",
    "open_context",
    "open_publisher",
    "pause",
    "process_mailbox",
    "process_messages",
    "resume",
    "retry_refusals",
    "send_draft_test",
    "suppress_by_operator",
    "unclear_states",
    "upcoming_issues",
]


def open_publisher(site: Site, now: datetime | None = None, **options: Any) -> Publisher:
    """Open a site at a fixed time; at the current time without one."""
    return Publisher(site, clock=FixedClock(now) if now is not None else Clock(), **options)


@contextmanager
def open_context(site: Site, now: datetime | None = None, **options: Any) -> Iterator[Context]:
    """Return what a use case is given, at a fixed time."""
    with open_publisher(site, now, **options) as publisher:
        yield publisher.context()


class _CallableClock(Clock):
    """A clock that asks a function for the time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now  # type: ignore[method-assign]


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
