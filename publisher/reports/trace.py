"""``publish trace ISSUE ADDRESS``: the history of a delivery, and of its subscriber's state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from publisher.articles import store as article_store
from publisher.delivery import bounces_store as bounces
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.digests.lookup import find_issue
from publisher.errors import SettingsError
from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import SubscriptionState
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.subscriptions_store import SubscriptionEvent

__all__ = ["DeliveryHistory", "delivery_history"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent:
    """A step of a delivery."""

    at: datetime
    text: str


@dataclass(slots=True, kw_only=True)
class DeliveryHistory:
    """The delivery of an issue to a subscriber, and the history of their subscriptions."""

    digest: str
    name: str
    number: int
    subject: str
    address: str
    #: The subscriber's state, or ``unknown`` for an address that is not on the list.
    status: str
    #: Why the address is suppressed; empty where it is not.
    suppressed: str = ""
    #: The delivery's state; None where there is no delivery.
    state: DeliveryState | None = None
    #: Why there is no delivery; empty where there is one.
    reason: str = ""
    message_id: str = ""
    #: Headlines of the articles in it.
    articles: list[str] = field(default_factory=list)
    events: list[DeliveryEvent] = field(default_factory=list)
    #: Changes of the subscriber's state, oldest first.
    history: list[SubscriptionEvent] = field(default_factory=list)
    #: The next attempt; None for none.
    due: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the history for JSON output."""
        return {
            "digest": self.digest,
            "name": self.name,
            "number": self.number,
            "subject": self.subject,
            "address": self.address,
            "status": self.status,
            "suppressed": self.suppressed,
            "state": self.state.value if self.state else None,
            "reason": self.reason,
            "message_id": self.message_id,
            "articles": self.articles,
            "events": [{"at": one.at.isoformat(), "text": one.text} for one in self.events],
            "history": [one.as_dict() for one in self.history],
            "due": self.due.isoformat() if self.due else None,
        }


def delivery_history(site: Site, target: str, address: str) -> DeliveryHistory:
    """Return the history of a delivery and its subscriber. Nothing is changed.

    Raises:
        SettingsError: there is no such issue, or that is no address.
    """
    try:
        found = parse_address(address)
    except ValueError as error:
        raise SettingsError(f"{address!r} is not an email address: {error}") from error
    with Database.open(site.database_url, dry_run=True) as db, db.write() as connection:
        row = find_issue(connection, target)
        story = DeliveryHistory(
            digest=row.digest,
            name=row.name,
            number=row.number,
            subject=row.subject,
            address=found.text,
            status="unknown",
        )
        ring = keyring(site, connection)
        for why in suppression.load_suppressions(connection, [ring.address_hash(found.key)]).values():
            story.suppressed = f"{why.reason} on {_time(site, why.at):%Y-%m-%d %H:%M} (by {why.channel})" + (
                f": {why.note}" if why.note else ""
            )
        if brakes.is_provisionally_suppressed(connection, ring.address_hash(found.key)):
            story.suppressed = "suppressed for the time being, until enough deliveries show that the refusal is true"
        reader = subscribers.find_by_key(connection, found.key)
        if reader is None:
            story.reason = "not a subscriber" + (" any more" if story.suppressed else "")
            return story
        story.address, story.status = reader.address, reader.status.value
        story.history = subscriptions.load_history(connection, reader.id)
        story.message_id = f"<{ring.delivery_token(row.id, reader.id)}@{_domain(site)}>"
        _tell(connection, site, story, row.id, reader.id)
        if story.state is None:
            story.reason = _no_copy(site, row.digest, reader, row.slot)
    return story


def _domain(site: Site) -> str:
    return site.mail.sender.rpartition("@")[2].rstrip("> ") if site.mail else ""


def _time(site: Site, seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(site.tz)


def _no_copy(site: Site, digest: str, reader: subscribers.Subscriber, slot: datetime) -> str:
    if reader.added_at > slot.timestamp():
        return f"added on {_time(site, reader.added_at):%Y-%m-%d %H:%M}, after the issue was made"
    state = reader.subscriptions.get(digest)
    if state is None:
        return f"not subscribed to {digest}"
    if state.state is not SubscriptionState.ACTIVE:
        return f"{state.state} for {digest} since {_time(site, state.changed_at):%Y-%m-%d %H:%M} (by {state.source})"
    return (
        "no article in it was for this subscriber: they had each in another issue, have other interests, "
        "or were not subscribed when the issue was made"
    )


def _tell(connection: Connection, site: Site, story: DeliveryHistory, issue_id: int, reader: int) -> None:
    copy = deliveries.delivery_of(connection, issue_id, reader)
    if copy is None:
        return
    story.state = copy.state
    edition = issues.load_variants(connection, issue_id)[copy.variant - 1]
    story.subject = edition.subject or story.subject
    known = article_store.articles_by_seq(connection, list(edition.articles), site.base_url, site.tz)
    story.articles = [known[seq].title for seq in edition.articles if seq in known]
    row = issues.list_issues(connection, only=[issue_id])[0]
    told: list[tuple[int, str]] = [(int(row.slot.timestamp()), "queued with the issue")]
    tried = deliveries.attempts_of(connection, issue_id, reader)
    told += [(one.at, f"attempt {one.number}: {one.outcome}: {one.answer}") for one in tried]
    if copy.state is DeliveryState.ACCEPTED:
        if copy.handed_at is not None:
            told.append((copy.handed_at, f"attempt {copy.attempts}: handed over"))
        told.append((copy.changed_at or 0, f"accepted: {copy.answer or ''}"))
    elif copy.state in (DeliveryState.SENDING, DeliveryState.HANDED_OVER, DeliveryState.SUPPRESSED):
        reason = f": {copy.answer}" if copy.answer else ""
        told.append((copy.changed_at or 0, f"{copy.state.value}{reason}"))
    told += [
        (one.at, f"bounced: {one.kind} {one.status} {one.answer}".strip())
        for one in bounces.bounces_of(connection, issue_id, reader)
    ]
    story.events = [
        DeliveryEvent(at=_time(site, at), text=" ".join(what.split()))
        for at, what in sorted(told, key=lambda one: one[0])
    ]
    if copy.state is DeliveryState.DEFERRED:
        story.due = _time(site, copy.due_at)


def dump_subscriber(story: DeliveryHistory) -> str:
    """Return the history as JSON."""
    return json.dumps(story.as_dict(), ensure_ascii=False, indent=2)
