"""Sign up by double opt-in: an address is subscribed once its owner has answered a confirmation email.

Answers do not tell whether an address is known: only the mail that its owner gets differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from publisher.delivery import brakes_store as brakes
from publisher.feeds import facets_store as facets
from publisher.model.subscriptions import ConfirmationKind, SubscriptionState
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers.addresses import Address, parse_address
from publisher.subscribers.list_parser import SubscriberRow
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange
from publisher.subscribers.suppression_store import lift_suppression, load_suppressions
from publisher.subscriptions import confirmation_store as letters
from publisher.subscriptions.add import upsert_subscriber
from publisher.subscriptions.confirmation_store import ConfirmationEmail

__all__ = [
    "COOL_DOWN",
    "SUBSCRIBE_KINDS",
    "SubscribeResult",
    "SubscriptionRequest",
    "confirm_subscription",
    "interest_choices",
    "may_confirm",
    "request_from",
    "request_resubscription",
    "request_subscription",
]

#: An address that nobody has confirmed gets one mail in this time, however often it is filled in.
COOL_DOWN: Final = timedelta(days=1)
#: The same for an address that a bounce suppressed, or that complained.
_LONG_COOL_DOWN: Final = timedelta(days=7)
#: Letters that anybody can have sent to anybody.
SUBSCRIBE_KINDS: Final = (ConfirmationKind.SUBSCRIBE, ConfirmationKind.ALREADY_SUBSCRIBED, ConfirmationKind.NEW_ADDRESS)
#: Labels of a kind that are offered, those with most articles first.
_MOST_LABELS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """What somebody wants to be sent."""

    digests: tuple[str, ...]
    #: Field → labels that they want; everything by default.
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    zone: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the wish as a letter keeps it."""
        return {
            "digests": list(self.digests),
            "follows": {name: list(labels) for name, labels in self.follows.items()},
            "zone": self.zone,
        }


def request_from(letter: ConfirmationEmail) -> SubscriptionRequest:
    """Return what a confirmation email is about."""
    said = letter.request
    return SubscriptionRequest(
        digests=tuple(said.get("digests", ())),
        follows={name: tuple(labels) for name, labels in said.get("follows", {}).items()},
        zone=said.get("zone"),
    )


def interest_choices(db: Database) -> dict[str, list[str]]:
    """Return field → labels to choose from, by name."""
    with db.read() as connection:
        return {
            name: facets.facet_labels(connection, kind, _MOST_LABELS)
            for name, kind in subscribers.INTEREST_KINDS.items()
        }


def request_subscription(site: Site, db: Database, address: str, wish: SubscriptionRequest, now: datetime) -> None:
    """Send a confirmation email for what was filled in.

    Raises:
        ValueError: that is no address, with the reason.
    """
    found = parse_address(address)
    with db.write() as connection:
        _ask(connection, site, found, wish, now)


def _ask(connection: Connection, site: Site, address: Address, wish: SubscriptionRequest, now: datetime) -> None:
    subscribers.lock_subscribers(connection)
    seconds = int(now.timestamp())
    hashed = keyring(site, connection).address_hash(address.key)
    if not may_confirm(connection, hashed):
        return
    reader = subscribers.find_by_key(connection, address.key)
    before = letters.latest(connection, hashed, SUBSCRIBE_KINDS, _cool_down_start(connection, hashed, reader, now))
    if before is not None:
        if before.kind is ConfirmationKind.SUBSCRIBE and before.used_at is None:
            # The email was sent or is about to be: it confirms what was asked for last.
            letters.change_request(connection, before.id, wish.as_dict())
        return
    is_active = reader is not None and reader.status is SubscriptionState.ACTIVE
    is_known = reader is not None and is_active and set(wish.digests) <= set(reader.digests)
    letters.add(
        connection,
        ConfirmationKind.ALREADY_SUBSCRIBED if is_known else ConfirmationKind.SUBSCRIBE,
        hashed,
        address.text,
        seconds,
        subscriber_id=reader.id if reader is not None else None,
        request=wish.as_dict(),
    )


def may_confirm(connection: Connection, hashed: str) -> bool:
    """Tell whether an address may get a confirmation email: see `Suppression.is_undoable`."""
    if brakes.is_provisionally_suppressed(connection, hashed):
        return False
    return all(why.is_undoable for why in load_suppressions(connection, [hashed]).values())


def _cool_down_start(connection: Connection, hashed: str, reader: subscribers.Subscriber | None, now: datetime) -> int:
    """Return the time (seconds since 1970) after which an address may have had no confirmation email."""
    is_doubtful = any(why.channel.is_mail for why in load_suppressions(connection, [hashed]).values())
    if reader is not None:
        is_doubtful = is_doubtful or reader.has_complained
    return int((now - (_LONG_COOL_DOWN if is_doubtful else COOL_DOWN)).timestamp())


def request_resubscription(
    connection: Connection, site: Site, reader: subscribers.Subscriber, digests: Sequence[str], now: datetime
) -> None:
    """Send a subscriber a confirmation email for these digests, in the caller's transaction.

    They get one a day at most, or one a week after a complaint. A suppressed address gets none.
    """
    subscribers.lock_subscribers(connection)
    seconds = int(now.timestamp())
    hashed = keyring(site, connection).address_hash(reader.key)
    if load_suppressions(connection, [hashed]) or brakes.is_provisionally_suppressed(connection, hashed):
        return
    before = letters.latest(connection, hashed, SUBSCRIBE_KINDS, _cool_down_start(connection, hashed, reader, now))
    if before is None:
        wish = SubscriptionRequest(digests=tuple(digests)).as_dict()
        letters.add(
            connection,
            ConfirmationKind.SUBSCRIBE,
            hashed,
            reader.address,
            seconds,
            subscriber_id=reader.id,
            request=wish,
        )
    elif before.kind is ConfirmationKind.SUBSCRIBE and before.used_at is None:
        known = request_from(before)
        both = replace(known, digests=tuple(dict.fromkeys((*known.digests, *digests))))
        letters.change_request(connection, before.id, both.as_dict())


@dataclass(frozen=True, slots=True)
class SubscribeResult:
    """A confirmed sign-up."""

    subscriber_id: int
    #: Digests that were not active before.
    digests: tuple[str, ...]


def confirm_subscription(
    connection: Connection, site: Site, letter: ConfirmationEmail, now: datetime
) -> SubscribeResult:
    """Subscribe a person who has answered a confirmation email: to the digests that it names, and no others."""
    wish, address = request_from(letter), parse_address(letter.address)
    hashed = keyring(site, connection).address_hash(address.key)
    act = StateChange(ChangeSource.FORM, int(now.timestamp()))
    if any(why.is_undoable for why in load_suppressions(connection, [hashed]).values()):
        lift_suppression(connection, hashed, address.key, act)
    known = subscribers.find_by_key(connection, address.key)
    before = known.digests if known is not None else ()
    asked = tuple(slug for slug in wish.digests if slug in site.digests)
    row = SubscriberRow(
        number=0,
        address=address,
        digests=tuple(dict.fromkeys((*before, *asked))),
        follows=dict(wish.follows) or None,
        zone=wish.zone,
        language=None,
    )
    reader = upsert_subscriber(connection, site, row, act, now)
    letters.set_subscriber(connection, letter.id, reader.id)
    fresh = tuple(slug for slug in asked if slug not in before)
    if reader.status is SubscriptionState.ACTIVE:
        _welcome(connection, site, letter, reader.id, fresh, now)
    return SubscribeResult(reader.id, fresh)


def _welcome(
    connection: Connection, site: Site, letter: ConfirmationEmail, reader: int, digests: Sequence[str], now: datetime
) -> None:
    for slug in sorted(digests):
        if site.digests[slug].welcome:
            letters.add(
                connection,
                ConfirmationKind.WELCOME,
                letter.hash,
                letter.address,
                int(now.timestamp()),
                subscriber_id=reader,
                request={"digest": slug},
            )
