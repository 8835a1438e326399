"""Figures of a site for a monitoring system."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.model.delivery import DeliveryState
from publisher.model.result import Result
from publisher.storage import job_queue
from publisher.subscribers import store as subscribers
from publisher.subscriptions.confirmation_store import CONFIRMATION
from publisher.websub.hub_store import HUB_KINDS
from publisher.websub.notifications_store import NOTIFICATION

#: Issues whose deliveries are counted.
_NEWEST_ISSUES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueDeliveries(Result):
    """The deliveries of an issue."""

    digest: str
    issue: str
    #: State → number of deliveries.
    states: dict[DeliveryState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFigures(Result):
    """Figures of a site for a monitoring system."""

    #: Status → number of subscribers.
    subscribers: dict[str, int]
    #: Of the newest issues.
    deliveries: tuple[IssueDeliveries, ...]
    #: Seconds by which the oldest confirmation email is overdue.
    confirmation_emails_late: int
    #: Seconds by which the oldest task of the hub is overdue.
    hub_late: int
    #: Notifications of hubs that are not sent yet.
    notifications: int


def load_figures(context: Context) -> SiteFigures:
    """Return the figures of a site."""
    with context.db.read() as connection:
        rows = issues.list_issues(connection)[:_NEWEST_ISSUES]
        return SiteFigures(
            subscribers=subscribers.count_by_status(connection),
            deliveries=tuple(
                IssueDeliveries(
                    digest=row.digest,
                    issue=row.name,
                    states=deliveries.state_counts(connection, row.id).get(row.id, {}),
                )
                for row in rows
            ),
            confirmation_emails_late=_lateness(job_queue.next_due_time(connection, CONFIRMATION), context.seconds),
            hub_late=_lateness(job_queue.next_due_time(connection, *HUB_KINDS), context.seconds),
            notifications=job_queue.count(connection, NOTIFICATION),
        )


def _lateness(due: int | None, now: int) -> int:
    return max(0, now - due) if due is not None else 0
