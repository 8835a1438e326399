"""List drafts, issues and the state of their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from publisher.context import Context
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.delivery.brakes_store import Brake, resume_advice
from publisher.delivery.issue_life.approval import hold_reason
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.model.delivery import OPEN_STATES, DeliveryState
from publisher.model.digests import SendPolicy
from publisher.model.result import Result
from publisher.reports.issue_drafts import approved_status, issue_dict
from publisher.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxIssue(Result):
    """An issue and the state of its deliveries."""

    row: IssueRow
    states: dict[DeliveryState, int]
    #: The state of the issue in words.
    status: str
    #: Addresses of uncertain deliveries.
    uncertain: tuple[str, ...]
    #: When the next deferred delivery is due.
    due: datetime | None
    #: Relays and domains that are stopped until an operator decides about their refusals.
    brakes: tuple[Brake, ...] = ()

    @property
    def stopped(self) -> tuple[str, ...]:
        """The brakes in words, with what to do about them."""
        if not self.brakes:
            return ()
        return (*(brake.describe() for brake in self.brakes), resume_advice(f"{self.row.digest}/{self.row.name}"))

    @property
    def subscribers(self) -> int:
        """The number of deliveries."""
        return sum(self.states.values())

    def as_dict(self) -> dict[str, Any]:
        """Return it as a dict for JSON."""
        return {
            **issue_dict(self.row),
            "status": self.status,
            "subscribers": self.subscribers,
            "deliveries": {state.value: self.states.get(state, 0) for state in DeliveryState},
            "uncertain": list(self.uncertain),
            "due": self.due.isoformat() if self.due else None,
            "stopped": [brake.as_dict() for brake in self.brakes],
        }


def issue_status(context: Context, row: IssueRow, states: dict[DeliveryState, int]) -> str:
    """Return the state of an issue in words."""
    site = context.site
    if row.is_waiting:
        return approved_status(context, row)
    if row.opened_at is None:
        return "never approved, and not sent"
    if row.cancelled_at is not None:
        return f"cancelled {datetime.fromtimestamp(row.cancelled_at, site.tz):%a %Y-%m-%d %H:%M}"
    waiting = sum(states.get(state, 0) for state in OPEN_STATES)
    if not waiting:
        return _finished_status(site, row, states)
    with context.db.read() as connection:
        held = hold_reason(connection, site, row, context.now)
    held = held or ("" if site.can_send else "publisher.toml has no mail server ([smtp])")
    if row.is_paused or held:
        return f"paused. To resume it: publish resume {row.path}" if row.is_paused else f"held: {held}"
    return "being sent" if waiting < sum(states.values()) else "waits to be sent"


def _finished_status(site: Site, row: IssueRow, states: dict[DeliveryState, int]) -> str:
    """Return the state of an issue without open deliveries, in words."""
    if states:
        return "sent, with uncertain deliveries" if states.get(DeliveryState.UNCERTAIN) else "sent"
    settings = site.digests.get(row.digest)
    if settings is not None and settings.send is SendPolicy.NONE:
        return "published, without mail"
    return f"no recipients: {row.digest} had no subscribers, or they already had all of its articles"


def list_issues(context: Context, digest: str | None = None) -> list[OutboxIssue]:
    """Return all issues, or those of one digest, newest first. Nothing is changed.

    Raises:
        SettingsError: neither an issue nor the settings name this digest.
    """
    site = context.site
    with context.db.read() as connection:
        counts = deliveries.state_counts(connection)
        stopped = brakes.open_brakes(connection)
        listed = []
        for row in issues.list_issues(connection):
            if digest is not None and row.digest != digest:
                continue
            states = counts.get(row.id, {})
            due = deliveries.next_due(connection, row.id)
            listed.append(
                OutboxIssue(
                    row=row,
                    states=states,
                    status=issue_status(context, row, states),
                    uncertain=(
                        deliveries.uncertain_addresses(connection, row.id)
                        if states.get(DeliveryState.UNCERTAIN)
                        else ()
                    ),
                    due=datetime.fromtimestamp(due, UTC).astimezone(site.tz) if due else None,
                    brakes=tuple(brake for brake in stopped if brake.issue_id == row.id),
                )
            )
    if not listed and digest is not None:
        site.digest(digest)
    return listed
