"""What happens when a letter is answered: once, by a button, and never by a look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.model.subscriptions import ConfirmationKind
from publisher.settings import Site
from publisher.signing.links import signed_links
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import Address, parse_address
from publisher.subscribers.store import Subscriber
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange
from publisher.subscribers.suppression import suppress_address
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions import confirmation_store as letters
from publisher.subscriptions.confirmation_emails import preferences_link
from publisher.subscriptions.confirmation_store import ConfirmationEmail
from publisher.subscriptions.manage import erase_address, subscriber_as_dict
from publisher.subscriptions.subscribe import confirm_subscription, may_confirm

__all__ = ["ConfirmationResult", "OpenedConfirmation", "answer_confirmation", "open_confirmation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedConfirmation:
    """A letter whose link was opened."""

    letter: ConfirmationEmail
    #: False where its time is over.
    is_good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationResult:
    """What came of an answer."""

    #: False where the other address has still to confirm, or has somebody else's newsletters.
    is_done: bool = True
    #: Why it cannot be done; empty where it was, or only waits.
    trouble: str = ""
    #: The link to preferences; empty for somebody who is not a subscriber.
    preferences: str = ""
    #: The data of a subscriber, JSON; empty for another request.
    data: str = ""
    #: Digests that were subscribed to.
    subscribed: tuple[str, ...] = ()


def open_confirmation(site: Site, connection: Connection, seal: str, now: datetime) -> OpenedConfirmation | None:
    """Return the letter that a link is of; None where it is none of ours, or forgotten. Nothing is changed."""
    found = signed_links(site, connection).verify("letter", seal, now)
    letter = letters.find(connection, int(found[0])) if found is not None else None
    return OpenedConfirmation(letter=letter, is_good=found[1]) if letter is not None and found is not None else None


def answer_confirmation(site: Site, connection: Connection, seal: str, now: datetime) -> ConfirmationResult | None:
    """Do what a letter asked, in the caller's transaction; done again it changes nothing.

    None where the link is none of ours, or too old.
    """
    # Who presses twice at the same moment has pressed once: what the link is of is read with nobody beside.
    subscribers.lock_subscribers(connection)
    opened = open_confirmation(site, connection, seal, now)
    if opened is None or not opened.is_good:
        return None
    letter = opened.letter
    is_first = letter.used_at is None
    if letter.kind is ConfirmationKind.DOWNLOAD:
        letters.mark_used(connection, letter.id, int(now.timestamp()))
        return ConfirmationResult(data=_data(site, connection, letter))
    if letter.kind is ConfirmationKind.ERASE:
        _erase(site, connection, letter, now)
        return ConfirmationResult()
    if is_first:
        letters.mark_used(connection, letter.id, int(now.timestamp()))
    if letter.kind is ConfirmationKind.SUBSCRIBE:
        return _join(site, connection, letter, now, is_first=is_first)
    return _move(site, connection, letter, now)


def _erase(site: Site, connection: Connection, letter: ConfirmationEmail, now: datetime) -> None:
    """Erase the person whom the email was sent to, at that address and at the one that they have now."""
    reader = subscribers.find_subscriber(connection, letter.subscriber_id) if letter.subscriber_id is not None else None
    for text in dict.fromkeys([letter.address, *([reader.address] if reader is not None else [])]):
        erase_address(connection, site, parse_address(text), now)


def _join(
    site: Site, connection: Connection, letter: ConfirmationEmail, now: datetime, *, is_first: bool
) -> ConfirmationResult:
    """Subscribe the owner of a confirmed address; a second press only shows the link to preferences."""
    joined = confirm_subscription(connection, site, letter, now) if is_first else None
    number = joined.subscriber_id if joined is not None else _reader(connection, letter)
    return ConfirmationResult(
        preferences=preferences_link(site, connection, number, now) if number is not None else "",
        subscribed=joined.digests if joined is not None else (),
    )


def _reader(connection: Connection, letter: ConfirmationEmail) -> int | None:
    found = subscribers.find_by_key(connection, parse_address(letter.address).key)
    return found.id if found is not None else None


def _move(site: Site, connection: Connection, letter: ConfirmationEmail, now: datetime) -> ConfirmationResult:
    """Change a subscriber's address once both addresses have confirmed it."""
    other = letters.find(connection, int(letter.request["other"]))
    reader = subscribers.find_subscriber(connection, letter.subscriber_id) if letter.subscriber_id is not None else None
    if other is None or reader is None:
        return ConfirmationResult(is_done=False, trouble="This request has expired. Please ask for the change again.")
    if other.used_at is None:
        return ConfirmationResult(is_done=False)
    address = parse_address(str(letter.request["to"]))
    link = preferences_link(site, connection, reader.id, now)
    if reader.key == address.key:
        return ConfirmationResult(preferences=link)
    if subscribers.find_by_key(connection, address.key) is not None:
        trouble = "The new address is subscribed already. Unsubscribe it first, then ask again."
        return ConfirmationResult(is_done=False, trouble=trouble, preferences=link)
    if not _change_address(site, connection, reader, address, now):
        return ConfirmationResult(is_done=False, trouble="One of the two addresses gets no mail from us any more.")
    return ConfirmationResult(preferences=link)


def _change_address(site: Site, connection: Connection, reader: Subscriber, address: Address, now: datetime) -> bool:
    """Give a subscriber another address; return False if one of the two is suppressed."""
    ring, seconds = keyring(site, connection), int(now.timestamp())
    hashed = ring.address_hash(address.key)
    if reader.is_suppressed or not may_confirm(connection, hashed):
        return False
    suppression.lift_suppression(connection, hashed, address.key, StateChange(ChangeSource.PREFERENCES, seconds))
    values = {"address": address.text, "key": address.key, "domain": address.domain}
    subscribers.update_subscribers(connection, [(reader.id, values)])
    subscriptions.record_address_change(connection, reader.id, reader.state, seconds)
    # A list that still has the old address must not add its owner a second time.
    suppress_address(connection, ring, reader.key, "moved", SuppressionChannel.PREFERENCES, "", seconds)
    return True


def _data(site: Site, connection: Connection, letter: ConfirmationEmail) -> str:
    """Return everything that is stored about a subscriber, as JSON."""
    reader = subscribers.find_subscriber(connection, letter.subscriber_id) if letter.subscriber_id is not None else None
    if reader is None:
        return ""
    copies: list[dict[str, Any]] = []
    for row in issues.list_issues(connection):
        copy = deliveries.delivery_of(connection, row.id, reader.id)
        if copy is not None:
            said = {
                "digest": row.digest,
                "issue": row.name,
                "state": copy.state.value,
                "sent_at": _iso(copy.handed_at),
                "answer": copy.answer,
            }
            copies.append({key: value for key, value in said.items() if value})
    known = {
        **subscriber_as_dict(reader),
        "added_at": _iso(reader.added_at),
        "paused_until": _iso(reader.paused_until),
        "has_own_feed": reader.feed_since is not None,
        "address_hash": keyring(site, connection).address_hash(reader.key),
        "history": [event.as_dict() for event in subscriptions.load_history(connection, reader.id)],
        "copies": copies,
    }
    return json.dumps(known, ensure_ascii=False, indent=2) + "\n"


def _iso(seconds: int | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds is not None else None
