"""Carry out what a confirmation email asks for, once, after a POST."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.model.result import Result, iso_time
from publisher.model.subscriptions import ChangeSource, ConfirmationKind
from publisher.signing.links import signed_links
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import Address, parse_address
from publisher.subscribers.store import Subscriber
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppress_address, suppression_hash
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.confirmation_emails import preferences_link
from publisher.subscriptions.confirmation_store import ConfirmationEmail
from publisher.subscriptions.manage import erase_address
from publisher.subscriptions.subscribe import SubscriptionRequest, confirm_subscription, may_confirm, request_from


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedConfirmation(Result):
    """A confirmation email whose link was opened."""

    confirmation: ConfirmationEmail
    #: False if the link has expired.
    is_valid: bool

    @property
    def request(self) -> SubscriptionRequest:
        """The subscriptions that it confirms."""
        return request_from(self.confirmation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationResult(Result):
    """The result of a confirmation."""

    #: False if the other address has not confirmed yet, or the new one is already subscribed.
    is_done: bool = True
    #: Why it cannot be done; empty if it was done or waits for the other address.
    trouble: str = ""
    #: The link to preferences; empty for an address without a subscriber.
    preferences: str = ""
    #: The data of a subscriber, JSON; empty for another request.
    data: str = ""
    #: Digests that were subscribed to.
    subscribed: tuple[str, ...] = ()


def open_confirmation(context: Context, link_token: str) -> OpenedConfirmation | None:
    """Return the confirmation email of a link without changing anything, to ask the person.

    None if the token is not one of this site, or the email was deleted.

    Args:
        link_token: the parameter ``t`` of the link, which leads to ``/newsletters/confirm`` below base_url.
    """
    with context.db.read() as connection:
        return _open(context, connection, link_token)


def _open(context: Context, connection: Connection, link_token: str) -> OpenedConfirmation | None:
    # The purpose is part of links in emails that were already sent.
    link = signed_links(context.site, connection).verify("letter", link_token, context.now)
    if link is None:
        return None
    number, is_valid = link
    confirmation = confirmations.find(connection, int(number))
    return OpenedConfirmation(confirmation=confirmation, is_valid=is_valid) if confirmation is not None else None


def answer_confirmation(context: Context, link_token: str) -> ConfirmationResult | None:
    """Carry out a confirmation; repeating it changes nothing.

    Call it when the person has pressed a button (POST): mail scanners open links. None if the token is not one of this
    site, or has expired.
    """
    with context.db.write() as connection:
        # Two requests at once must not both be the first: the lock is taken before the email is read.
        subscribers.lock_subscribers(connection)
        opened = _open(context, connection, link_token)
        if opened is None or not opened.is_valid:
            return None
        confirmation = opened.confirmation
        is_first = confirmation.used_at is None
        if confirmation.kind is ConfirmationKind.DOWNLOAD:
            confirmations.mark_used(connection, confirmation.id, context.seconds)
            return ConfirmationResult(data=_data(context, connection, confirmation))
        if confirmation.kind is ConfirmationKind.ERASE:
            _erase(context, connection, confirmation)
            return ConfirmationResult()
        if is_first:
            confirmations.mark_used(connection, confirmation.id, context.seconds)
        if confirmation.kind is ConfirmationKind.SUBSCRIBE:
            return _subscribe(context, connection, confirmation, is_first=is_first)
        return _confirm_address_change(context, connection, confirmation)


def _erase(context: Context, connection: Connection, confirmation: ConfirmationEmail) -> None:
    """Erase the recipient of the email, at that address and at their current one."""
    subscriber = _current_subscriber(connection, confirmation)
    for text in dict.fromkeys([confirmation.address, *([subscriber.address] if subscriber is not None else [])]):
        erase_address(context, connection, parse_address(text))


def _current_subscriber(connection: Connection, confirmation: ConfirmationEmail) -> Subscriber | None:
    number = confirmation.subscriber_id
    return subscribers.find_subscriber(connection, number) if number is not None else None


def _subscribe(
    context: Context, connection: Connection, confirmation: ConfirmationEmail, *, is_first: bool
) -> ConfirmationResult:
    """Subscribe the owner of a confirmed address; repeated, return the preferences link only."""
    digests = confirm_subscription(context, connection, confirmation) if is_first else ()
    subscriber = subscribers.find_by_key(connection, parse_address(confirmation.address).key)
    link = preferences_link(context.site, connection, subscriber.id, context.now) if subscriber is not None else ""
    return ConfirmationResult(preferences=link, subscribed=digests)


def _confirm_address_change(
    context: Context, connection: Connection, confirmation: ConfirmationEmail
) -> ConfirmationResult:
    """Change a subscriber's address once both addresses have confirmed."""
    other = confirmations.find(connection, int(confirmation.request["other"]))
    subscriber = _current_subscriber(connection, confirmation)
    if other is None or subscriber is None:
        return ConfirmationResult(is_done=False, trouble="This request has expired. Please ask for the change again.")
    if other.used_at is None:
        return ConfirmationResult(is_done=False)
    address = parse_address(str(confirmation.request["to"]))
    link = preferences_link(context.site, connection, subscriber.id, context.now)
    if subscriber.key == address.key:
        return ConfirmationResult(preferences=link)
    if subscribers.find_by_key(connection, address.key) is not None:
        trouble = "The new address is subscribed already. Unsubscribe it first, then ask again."
        return ConfirmationResult(is_done=False, trouble=trouble, preferences=link)
    if not _change_address(context, connection, subscriber, address):
        return ConfirmationResult(is_done=False, trouble="One of the two addresses gets no mail from us any more.")
    return ConfirmationResult(preferences=link)


def _change_address(context: Context, connection: Connection, subscriber: Subscriber, address: Address) -> bool:
    """Change a subscriber's address; return False if either address is suppressed."""
    ring, seconds = keyring(context.site, connection), context.seconds
    hashed = suppression_hash(ring, address.key)
    if subscriber.is_suppressed or not may_confirm(connection, hashed):
        return False
    suppression.lift_suppression(connection, hashed, address.key, StateChange(ChangeSource.PREFERENCES, seconds))
    values = {"address": address.text, "key": address.key, "domain": address.domain}
    subscribers.update_subscribers(connection, [(subscriber.id, values)])
    subscriptions.record_address_change(connection, subscriber.id, subscriber.state, seconds)
    # An import with the old address must not add the person a second time.
    suppress_address(connection, ring, subscriber.key, "moved", SuppressionChannel.PREFERENCES, "", seconds)
    return True


def _data(context: Context, connection: Connection, confirmation: ConfirmationEmail) -> str:
    """Return all stored data about a subscriber as JSON."""
    subscriber = _current_subscriber(connection, confirmation)
    if subscriber is None:
        return ""
    messages: list[dict[str, Any]] = []
    for row in issues.list_issues(connection):
        delivery = deliveries.delivery_of(connection, row.id, subscriber.id)
        if delivery is not None:
            values = {
                "digest": row.digest,
                "issue": row.name,
                "state": delivery.state.value,
                "sent_at": iso_time(delivery.handed_at),
                "answer": delivery.answer,
            }
            messages.append({key: value for key, value in values.items() if value})
    data = {
        **subscriber.as_dict(),
        "added_at": iso_time(subscriber.added_at),
        "paused_until": iso_time(subscriber.paused_until),
        "has_own_feed": subscriber.feed_since is not None,
        "address_hash": suppression_hash(keyring(context.site, connection), subscriber.key),
        "history": [event.as_dict() for event in subscriptions.load_history(connection, subscriber.id)],
        "copies": messages,
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
