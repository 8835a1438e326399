"""``publish trace``: the history of a delivery, and of its subscriber's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from publisher.articles import store as article_store
from publisher.context import Context
from publisher.delivery import bounces_store as bounces
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.delivery.store import Delivery
from publisher.digests import approval_store as approvals
from publisher.digests.lookup import find_issue
from publisher.digests.store import IssueRow
from publisher.digests.variants_store import load_variants
from publisher.model.delivery import DeliveryState
from publisher.model.result import Result
from publisher.model.subscriptions import SubscriptionState
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import require_address
from publisher.subscribers.subscriptions_store import SubscriptionEvent
from publisher.subscribers.suppression import suppression_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent(Result):
    """A step of a delivery."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHistory(Result):
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
    #: Headlines of the articles in it, as they were mailed.
    articles: tuple[str, ...] = ()
    events: tuple[DeliveryEvent, ...] = ()
    #: Changes of the subscriber's state, oldest first.
    changes: tuple[SubscriptionEvent, ...] = field(default=(), metadata={"json": "history"})
    #: The next attempt; None for none.
    due: datetime | None = None


def delivery_history(context: Context, target: str, address: str) -> DeliveryHistory:
    """Return the history of a delivery and its subscriber. Nothing is changed.

    Raises:
        SettingsError: there is no such issue, or the address is invalid.
    """
    parsed = require_address(address)
    site = context.site
    with context.db.write() as connection:
        row = find_issue(connection, target)
        ring = keyring(site, connection)
        history = DeliveryHistory(
            digest=row.digest,
            name=row.name,
            number=row.number,
            subject=row.subject,
            address=parsed.text,
            status="unknown",
            suppressed=_suppression_words(connection, site, suppression_hash(ring, parsed.key)),
        )
        subscriber = subscribers.find_by_key(connection, parsed.key)
        if subscriber is None:
            return replace(history, reason="not a subscriber" + (" any more" if history.suppressed else ""))
        domain = site.mail.sender_domain if site.mail else ""
        history = replace(
            history,
            address=subscriber.address,
            status=subscriber.status.value,
            changes=tuple(subscriptions.load_history(connection, subscriber.id)),
            message_id=f"<{ring.delivery_token(row.id, subscriber.id)}@{domain}>",
        )
        delivery = deliveries.delivery_of(connection, row.id, subscriber.id)
        if delivery is None:
            return replace(history, reason=_missing_reason(site, row, subscriber))
        variant = load_variants(connection, row.id)[delivery.variant - 1]
        return replace(
            history,
            state=delivery.state,
            subject=variant.subject or history.subject,
            articles=tuple(_issue_titles(connection, site, row.id, variant.articles)),
            events=_delivery_events(connection, site, row, delivery),
            due=_time(site, delivery.due_at) if delivery.state is DeliveryState.DEFERRED else None,
        )


def _suppression_words(connection: Connection, site: Site, address_hash: str) -> str:
    """Return why an address is suppressed; empty where it is not."""
    if brakes.is_provisionally_suppressed(connection, address_hash):
        return "suppressed for the time being, until enough deliveries show that the refusal is true"
    for entry in suppression.load_suppressions(connection, [address_hash]).values():
        note = f": {entry.note}" if entry.note else ""
        return f"{entry.words} on {_time(site, entry.at):%Y-%m-%d %H:%M} (by {entry.channel}){note}"
    return ""


def _time(site: Site, seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(site.tz)


def _missing_reason(site: Site, row: IssueRow, subscriber: subscribers.Subscriber) -> str:
    if row.opened_at is None:
        is_cancelled = row.cancelled_at is not None
        return (
            "it was cancelled before its send opened"
            if is_cancelled
            else "its send, which fixes who gets it, has not opened"
        )
    if subscriber.added_at > row.opened_at:
        return f"added on {_time(site, subscriber.added_at):%Y-%m-%d %H:%M}, after its send had opened"
    digest = row.digest
    state = subscriber.subscriptions.get(digest)
    if state is None:
        return f"not subscribed to {digest}"
    if state.state is not SubscriptionState.ACTIVE:
        since = f"{_time(site, state.changed_at):%Y-%m-%d %H:%M}"
        return f"{state.state.for_digest(digest)} since {since} (by {state.source})"
    return (
        "no article in it was for this subscriber: they had each in another issue, have other interests, "
        "or were not subscribed when its send opened"
    )


def _delivery_events(
    connection: Connection, site: Site, row: IssueRow, delivery: Delivery
) -> tuple[DeliveryEvent, ...]:
    """Return the steps of a delivery, oldest first."""
    issue_id, subscriber_id = row.id, delivery.subscriber_id
    events: list[tuple[int, str]] = [(row.opened_at or int(row.slot.timestamp()), "queued with the issue")]
    attempts = deliveries.attempts_of(connection, issue_id, subscriber_id)
    events += [
        (attempt.attempted_at, f"attempt {attempt.number}: {attempt.outcome}: {attempt.answer}") for attempt in attempts
    ]
    if delivery.state is DeliveryState.ACCEPTED:
        if delivery.handed_at is not None:
            events.append((delivery.handed_at, f"attempt {delivery.attempts}: handed over"))
        events.append((delivery.changed_at or 0, f"accepted: {delivery.answer or ''}"))
    elif delivery.state in (
        DeliveryState.SENDING,
        DeliveryState.HANDED_OVER,
        DeliveryState.SUPPRESSED,
        DeliveryState.CANCELLED,
    ):
        reason = f": {delivery.answer}" if delivery.answer else ""
        events.append((delivery.changed_at or 0, f"{delivery.state.value}{reason}"))
    events += [
        (bounce.reported_at, f"bounced: {bounce.kind} {bounce.status} {bounce.answer}".strip())
        for bounce in bounces.bounces_of(connection, issue_id, subscriber_id)
    ]
    return tuple(
        DeliveryEvent(at=_time(site, at), text=" ".join(text.split()))
        for at, text in sorted(events, key=lambda event: event[0])
    )


def _issue_titles(connection: Connection, site: Site, issue_id: int, seqs: Sequence[int]) -> list[str]:
    """Return the headlines of articles as the issue has them; an article may have been edited since."""
    titles = approvals.approved_titles(connection, issue_id)
    current = article_store.articles_by_seq(connection, list(seqs), site.base_url, site.tz)
    return [titles.get(current[seq].id, current[seq].title) for seq in seqs if seq in current]
