"""List issues and the state of their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.delivery.brakes_store import Brake, resume_advice
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError
from publisher.model.delivery import DeliveryState
from publisher.model.digests import SendPolicy
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers

__all__ = ["OutboxIssue", "issue_dict", "issue_status", "list_issues"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxIssue:
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


def issue_dict(row: IssueRow) -> dict[str, Any]:
    """Return an issue as a dict for JSON."""
    approved_at = datetime.fromtimestamp(row.approved_at, UTC).isoformat() if row.approved_at else None
    return {
        "digest": row.digest,
        "number": row.number,
        "slot": row.slot.isoformat(),
        "name": row.name,
        "subject": row.subject,
        "articles": row.articles,
        "staged": row.is_staged,
        "errors": row.errors,
        "forced": row.forced,
        "paused": row.is_paused,
        "approved": row.approved,
        "approved_at": approved_at,
    }


def issue_status(site: Site, row: IssueRow, states: dict[DeliveryState, int]) -> str:
    """Return the state of an issue in words."""
    open_states = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HANDED_OVER, DeliveryState.DEFERRED)
    waiting = sum(states.get(state, 0) for state in open_states)
    if not states:
        return (
            f"no recipients: {row.digest} had no subscribers when it was made, or they already had all of its articles"
        )
    if not waiting:
        return "sent, with uncertain deliveries" if states.get(DeliveryState.UNCERTAIN) else "sent"
    if row.is_paused:
        return "paused"
    if not row.may_be_sent:
        return "blocked by errors"
    settings = site.digests.get(row.digest)
    if settings is not None and settings.send is SendPolicy.REVIEW and row.approved is None:
        return "waits for approval"
    return "being sent" if waiting < sum(states.values()) else "waits to be sent"


def list_issues(site: Site, digest: str | None = None) -> list[OutboxIssue]:
    """Return all issues, or those of one digest, newest first. Nothing is changed.

    Raises:
        SettingsError: neither an issue nor the settings name this digest.
        StoreError: there is no database yet.
    """
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        counts = deliveries.state_counts(connection)
        stopped = brakes.open_brakes(connection)
        listed = []
        for row in issues.list_issues(connection):
            if digest is not None and row.digest != digest:
                continue
            states = counts.get(row.id, {})
            uncertain = []
            if states.get(DeliveryState.UNCERTAIN):
                for delivery in deliveries.deliveries_in_state(connection, row.id, DeliveryState.UNCERTAIN):
                    subscriber = subscribers.find_subscriber(connection, delivery.subscriber_id)
                    uncertain.append(
                        subscriber.address if subscriber else f"subscriber {delivery.subscriber_id}, erased"
                    )
            due = deliveries.next_due(connection, row.id)
            listed.append(
                OutboxIssue(
                    row=row,
                    states=states,
                    status=issue_status(site, row, states),
                    uncertain=tuple(uncertain),
                    due=datetime.fromtimestamp(due, UTC).astimezone(site.tz) if due else None,
                    brakes=tuple(brake for brake in stopped if brake.issue_id == row.id),
                )
            )
    if not listed and digest is not None and digest not in site.digests:
        raise SettingsError(f"there is no digest {digest!r}. publisher.toml has: {', '.join(site.digests) or 'none'}")
    return listed
