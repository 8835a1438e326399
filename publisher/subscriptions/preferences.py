"""Self-service by link: newsletters, interests, time zone, pause, personal feed, address, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from publisher.model.subscriptions import ConfirmationKind
from publisher.settings import Site
from publisher.signing.links import signed_links
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.list_parser import SubscriberRow
from publisher.subscribers.store import Subscriber
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange
from publisher.subscriptions import confirmation_store as letters
from publisher.subscriptions.add import upsert_subscriber
from publisher.subscriptions.subscribe import (
    COOL_DOWN,
    SUBSCRIBE_KINDS,
    SubscriptionRequest,
    may_confirm,
    request_resubscription,
)
from publisher.subscriptions.unsubscribe import mask_address

__all__ = [
    "NO_END",
    "Access",
    "Preferences",
    "PreferencesResult",
    "load_preferences",
    "pause_until",
    "personal_feed_url",
    "request_address_change",
    "request_data",
    "resolve_access",
    "save_preferences",
    "set_personal_feed",
]

#: In place of the day on which a pause ends, for people who read their feed and want no mail.
NO_END: Final = date(9999, 1, 1)
#: A pause that ends on a day is no longer than this.
_LONGEST_PAUSE: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Access:
    """Who opened the page, and by which link."""

    subscriber_id: int
    #: True for a sealed link, which only the mailbox gets. A delivery's token gets forwarded with the delivery.
    is_sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a subscriber has chosen."""

    reader: Subscriber
    #: The masked address.
    address: str
    #: The end of a pause, on the site's clock; None for none.
    paused_until: datetime | None
    #: The personal feed's address without suffix; None for none.
    feed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesResult:
    """What became of saved preferences."""

    #: Digests that were subscribed to and unsubscribed from.
    subscribed: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()
    #: Digests that wait for a confirmation email.
    awaiting: tuple[str, ...] = ()


def resolve_access(site: Site, connection: Connection, *, copy: str, seal: str, now: datetime) -> Access | None:
    """Return whom a delivery's token or a sealed link stands for; None for nobody."""
    found = signed_links(site, connection).verify("preferences", seal, now) if seal else None
    if found is not None:
        return Access(int(found[0]), is_sealed=True) if found[1] else None
    numbers = keyring(site, connection).delivery_of_token(copy) if copy else None
    return Access(numbers[1], is_sealed=False) if numbers is not None else None


def load_preferences(site: Site, connection: Connection, number: int, now: datetime) -> Preferences | None:
    """Return what a subscriber has chosen; None for an erased or suppressed one."""
    reader = subscribers.find_subscriber(connection, number)
    if reader is None or reader.is_suppressed:
        return None
    until = reader.paused_until if reader.paused_until is not None and reader.paused_until > now.timestamp() else None
    return Preferences(
        reader=reader,
        address=mask_address(reader.address),
        paused_until=datetime.fromtimestamp(until, site.tz) if until is not None else None,
        feed=personal_feed_url(site, connection, reader),
    )


def personal_feed_url(site: Site, connection: Connection, reader: Subscriber) -> str | None:
    """Return the address of a personal feed without suffix; None where there is none."""
    if reader.feed_since is None:
        return None
    return f"{site.newsletters_url}/feed/{keyring(site, connection).feed_pass(reader.id, reader.feed_since)}"


def save_preferences(
    site: Site, connection: Connection, access: Access, wish: SubscriptionRequest, now: datetime
) -> PreferencesResult | None:
    """Store what a subscriber has chosen; None for an erased or suppressed one.

    Newsletters that they had unsubscribed from are active again at once by a sealed link. Opened by a delivery's token
    they wait for a confirmation email.
    """
    reader = subscribers.find_subscriber(connection, access.subscriber_id)
    if reader is None or reader.is_suppressed:
        return None
    fresh = [slug for slug in wish.digests if slug not in reader.digests]
    awaiting = () if access.is_sealed else tuple(slug for slug in fresh if reader.has_unsubscribed(slug))
    unknown = tuple(slug for slug in reader.digests if slug not in site.digests)
    row = SubscriberRow(
        number=0,
        address=parse_address(reader.address),
        digests=(*unknown, *(slug for slug in wish.digests if slug not in awaiting)),
        follows={name: wish.follows.get(name, ()) for name in subscribers.INTEREST_KINDS},
        zone=wish.zone,
    )
    upsert_subscriber(connection, site, row, StateChange(ChangeSource.PREFERENCES, int(now.timestamp())), now)
    if wish.zone is None and reader.zone is not None:
        subscribers.update_subscribers(connection, [(reader.id, {"zone": None})])
    if awaiting:
        request_resubscription(connection, site, reader, awaiting, now)
    return PreferencesResult(
        subscribed=tuple(slug for slug in fresh if slug not in awaiting),
        unsubscribed=tuple(slug for slug in reader.digests if slug in site.digests and slug not in wish.digests),
        awaiting=awaiting,
    )


def pause_until(site: Site, connection: Connection, number: int, day: date | None, now: datetime) -> bool:
    """Pause mail until a day on the subscriber's own clock; None ends a pause.

    Raises:
        ValueError: the day is past, or too far.
    """
    reader = subscribers.find_subscriber(connection, number)
    if reader is None:
        return False
    seconds = None
    if day is not None:
        today = now.astimezone(site.tz).date()
        if day != NO_END and not today < day <= today + _LONGEST_PAUSE:
            raise ValueError("A pause ends on a day between tomorrow and a year from now.")
        seconds = int(datetime.combine(day, time(), _zone(reader.zone, site)).astimezone(UTC).timestamp())
    subscribers.update_subscribers(connection, [(number, {"paused_until": seconds})])
    return True


def _zone(name: str | None, site: Site) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else site.tz
    except (KeyError, ValueError, OSError):
        return site.tz


def set_personal_feed(connection: Connection, number: int, now: datetime, *, is_on: bool) -> None:
    """Give a subscriber a personal feed, at a new address each time, or remove it."""
    reader = subscribers.find_subscriber(connection, number)
    if reader is not None:
        # Another address than the one before, also within one second.
        since = max(int(now.timestamp()), (reader.feed_since or 0) + 1) if is_on else None
        subscribers.update_subscribers(connection, [(number, {"feed_since": since})])


def request_data(site: Site, connection: Connection, number: int, kind: ConfirmationKind, now: datetime) -> None:
    """Send a subscriber a link that shows or erases their data: a delivery may be forwarded, their mailbox not."""
    _ask(site, connection, number, kind, {}, now)


def _ask(
    site: Site, connection: Connection, number: int, kind: ConfirmationKind, wish: Mapping[str, Any], now: datetime
) -> int | None:
    subscribers.lock_subscribers(connection)
    reader = subscribers.find_subscriber(connection, number)
    if reader is None or reader.is_suppressed:
        return None
    seconds = int(now.timestamp())
    hashed = keyring(site, connection).address_hash(reader.key)
    if letters.latest(connection, hashed, [kind], seconds - int(COOL_DOWN.total_seconds())) is not None:
        return None
    return letters.add(connection, kind, hashed, reader.address, seconds, subscriber_id=number, request=wish)


def request_address_change(site: Site, db: Database, number: int, address: str, now: datetime) -> None:
    """Send confirmation emails for a new address to both addresses.

    Raises:
        ValueError: that is no address, with the reason.
    """
    found = parse_address(address)
    with db.write() as connection:
        subscribers.lock_subscribers(connection)
        ring = keyring(site, connection)
        hashed, seconds = ring.address_hash(found.key), int(now.timestamp())
        is_asked = (
            letters.latest(connection, hashed, SUBSCRIBE_KINDS, seconds - int(COOL_DOWN.total_seconds())) is not None
        )
        reader = subscribers.find_subscriber(connection, number)
        if reader is None or reader.key == found.key or is_asked or not may_confirm(connection, hashed):
            # The page says the same: nobody learns who reads what.
            return
        old = _ask(site, connection, number, ConfirmationKind.OLD_ADDRESS, {"to": found.text}, now)
        if old is not None:
            wish = {"to": found.text, "other": old}
            new = letters.add(
                connection,
                ConfirmationKind.NEW_ADDRESS,
                hashed,
                found.text,
                seconds,
                subscriber_id=number,
                request=wish,
            )
            letters.change_request(connection, old, {"to": found.text, "other": new})
