"""Self-service by link: newsletters, interests, time zone, pause, personal feed, address, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from publisher.cadence import find_zone
from publisher.context import Context
from publisher.model.result import Result
from publisher.model.subscriptions import ChangeSource, ConfirmationKind
from publisher.settings import Site
from publisher.signing.links import signed_links
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.list_parser import SubscriberRow
from publisher.subscribers.store import Subscriber
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppression_hash
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.add import upsert_subscriber
from publisher.subscriptions.subscribe import (
    COOL_DOWN,
    SUBSCRIBE_KINDS,
    SubscriptionRequest,
    may_confirm,
    request_resubscription,
    require_valid,
)
from publisher.subscriptions.unsubscribe import mask_address

#: The end of a pause without an end: people who only read their personal feed.
_NO_END: Final = date(9999, 1, 1)
#: The longest pause with an end.
_MAX_PAUSE: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Access(Result):
    """The subscriber of an opened page, and the kind of link that opened it."""

    subscriber_id: int
    #: True for a signed link, which only the mailbox gets. A delivery token is forwarded with its delivery.
    is_signed_link: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences(Result):
    """A subscriber's preferences."""

    subscriber: Subscriber
    #: The masked address.
    address: str
    #: The end of a pause in the site's time zone; None for no pause.
    paused_until: datetime | None
    #: The URL of the personal feed without suffix; None for no feed.
    feed: str | None

    @property
    def is_feed_only(self) -> bool:
        """Whether mail is paused without an end."""
        return self.paused_until is not None and self.paused_until.year >= _NO_END.year - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesResult(Result):
    """The result of saving preferences."""

    #: Digests that were subscribed to.
    subscribed: tuple[str, ...] = ()
    #: Digests that were unsubscribed from.
    unsubscribed: tuple[str, ...] = ()
    #: Digests that need a confirmation email.
    awaiting: tuple[str, ...] = ()


def resolve_access(context: Context, *, delivery_token: str = "", link_token: str = "") -> Access | None:
    """Return the subscriber of a link to the preferences; None if the link is not valid, or has expired.

    Args:
        delivery_token: what stands for ``{copy}`` in ``mail.preferences``, in the link of a delivery. It never expires.
        link_token: the parameter ``t`` of the link in a confirmation email.
    """
    site, now = context.site, context.now
    with context.db.read() as connection:
        link = signed_links(site, connection).verify("preferences", link_token, now) if link_token else None
        if link is not None:
            number, is_valid = link
            return Access(int(number), is_signed_link=True) if is_valid else None
        numbers = keyring(site, connection).delivery_of_token(delivery_token) if delivery_token else None
    return Access(numbers[1], is_signed_link=False) if numbers is not None else None


def load_preferences(context: Context, subscriber_id: int) -> Preferences | None:
    """Return a subscriber's preferences; None if they were erased or suppressed."""
    site = context.site
    with context.db.read() as connection:
        subscriber = subscribers.find_subscriber(connection, subscriber_id)
        if subscriber is None or subscriber.is_suppressed:
            return None
        feed = personal_feed_url(site, connection, subscriber)
    until = subscriber.paused_until
    is_paused = until is not None and until > context.seconds
    return Preferences(
        subscriber=subscriber,
        address=mask_address(subscriber.address),
        paused_until=datetime.fromtimestamp(until, site.tz) if until is not None and is_paused else None,
        feed=feed,
    )


def personal_feed_url(site: Site, connection: Connection, subscriber: Subscriber) -> str | None:
    """Return the URL of a personal feed without suffix; None if they have none."""
    if subscriber.feed_since is None:
        return None
    return f"{site.newsletters_url}/feed/{keyring(site, connection).feed_pass(subscriber.id, subscriber.feed_since)}"


def save_preferences(context: Context, access: Access, request: SubscriptionRequest) -> PreferencesResult | None:
    """Store a subscriber's preferences; return None if they were erased or suppressed.

    The request replaces all that is stored: newsletters that it does not name are unsubscribed from, and interests that
    it does not name are removed. A signed link makes newsletters that they had unsubscribed from active at once. A
    delivery token does not: these newsletters need a confirmation email.

    Args:
        access: from ``resolve_access()``.

    Raises:
        SettingsError: there is no such digest, field of interests or time zone.
    """
    site = context.site
    require_valid(site, request)
    with context.db.write() as connection:
        subscriber = subscribers.find_subscriber(connection, access.subscriber_id)
        if subscriber is None or subscriber.is_suppressed:
            return None
        new_digests = [slug for slug in request.digests if slug not in subscriber.digests]
        awaiting = (
            () if access.is_signed_link else tuple(slug for slug in new_digests if subscriber.has_unsubscribed(slug))
        )
        unknown = tuple(slug for slug in subscriber.digests if slug not in site.digests)
        row = SubscriberRow(
            number=0,
            address=parse_address(subscriber.address),
            digests=(*unknown, *(slug for slug in request.digests if slug not in awaiting)),
            follows={name: request.follows.get(name, ()) for name in subscribers.INTEREST_KINDS},
            zone=request.zone,
        )
        upsert_subscriber(context, connection, row, StateChange(ChangeSource.PREFERENCES, context.seconds))
        if request.zone is None and subscriber.zone is not None:
            subscribers.update_subscribers(connection, [(subscriber.id, {"zone": None})])
        if awaiting:
            request_resubscription(context, connection, subscriber, awaiting)
        return PreferencesResult(
            subscribed=tuple(slug for slug in new_digests if slug not in awaiting),
            unsubscribed=tuple(
                slug for slug in subscriber.digests if slug in site.digests and slug not in request.digests
            ),
            awaiting=awaiting,
        )


def pause_mail(context: Context, subscriber_id: int, until: date | None = None) -> bool:
    """Pause mail until a day in the subscriber's own time zone; return whether they exist.

    Args:
        until: the first day with mail again; None for a pause without an end, for people who only read their feed.

    Raises:
        ValueError: the day is not between tomorrow and a year from now.
    """
    if until is not None and not context.now.date() < until <= context.now.date() + _MAX_PAUSE:
        raise ValueError("A pause ends on a day between tomorrow and a year from now.")
    with context.db.write() as connection:
        subscriber = subscribers.find_subscriber(connection, subscriber_id)
        if subscriber is None:
            return False
        zone = find_zone(subscriber.zone) if subscriber.zone else None
        end = datetime.combine(until or _NO_END, time(), zone or context.site.tz).astimezone(UTC)
        values = {"paused_until": int(end.timestamp())}
        subscribers.update_subscribers(connection, [(subscriber_id, values)])
        return True


def resume_mail(context: Context, subscriber_id: int) -> None:
    """End the pause of a subscriber's mail."""
    with context.db.write() as connection:
        subscribers.update_subscribers(connection, [(subscriber_id, {"paused_until": None})])


def set_personal_feed(context: Context, subscriber_id: int, *, is_on: bool) -> None:
    """Create a subscriber's personal feed at a new URL, or remove it."""
    with context.db.write() as connection:
        subscriber = subscribers.find_subscriber(connection, subscriber_id)
        if subscriber is not None:
            # The URL differs from the previous one even within one second.
            since = max(context.seconds, (subscriber.feed_since or 0) + 1) if is_on else None
            subscribers.update_subscribers(connection, [(subscriber_id, {"feed_since": since})])


def request_data(context: Context, subscriber_id: int, kind: ConfirmationKind) -> None:
    """Queue an email with a link that shows or erases a subscriber's data, to their mailbox only.

    They get one a day at most.

    Args:
        kind: ``DOWNLOAD`` or ``ERASE``.

    Raises:
        ValueError: it is another kind.
    """
    if kind not in (ConfirmationKind.DOWNLOAD, ConfirmationKind.ERASE):
        raise ValueError(f"{kind} is not a request for data. Use DOWNLOAD or ERASE")
    with context.db.write() as connection:
        _queue(context, connection, subscriber_id, ConfirmationKind(kind), {})


def _queue(
    context: Context, connection: Connection, number: int, kind: ConfirmationKind, request: Mapping[str, Any]
) -> int | None:
    subscribers.lock_subscribers(connection)
    subscriber = subscribers.find_subscriber(connection, number)
    if subscriber is None or subscriber.is_suppressed:
        return None
    seconds = context.seconds
    hashed = suppression_hash(keyring(context.site, connection), subscriber.key)
    if confirmations.latest(connection, hashed, [kind], seconds - int(COOL_DOWN.total_seconds())) is not None:
        return None
    return confirmations.add(
        connection, kind, hashed, subscriber.address, seconds, subscriber_id=number, request=request
    )


def request_address_change(context: Context, subscriber_id: int, address: str) -> None:
    """Queue confirmation emails about a new address to both addresses; it changes once both have confirmed.

    None is sent for a suppressed address, or a second time on one day: the caller cannot see the difference.

    Raises:
        ValueError: the text is not an address; the message says why.
    """
    new_address = parse_address(address)
    number = subscriber_id
    with context.db.write() as connection:
        subscribers.lock_subscribers(connection)
        hashed, seconds = suppression_hash(keyring(context.site, connection), new_address.key), context.seconds
        is_recent = (
            confirmations.latest(connection, hashed, SUBSCRIBE_KINDS, seconds - int(COOL_DOWN.total_seconds()))
            is not None
        )
        subscriber = subscribers.find_subscriber(connection, number)
        if subscriber is None or subscriber.key == new_address.key or is_recent or not may_confirm(connection, hashed):
            # The page shows the same text in every case, so that nobody learns which addresses are
            # subscribed.
            return
        old = _queue(context, connection, number, ConfirmationKind.OLD_ADDRESS, {"to": new_address.text})
        if old is not None:
            request = {"to": new_address.text, "other": old}
            new = confirmations.add(
                connection,
                ConfirmationKind.NEW_ADDRESS,
                hashed,
                new_address.text,
                seconds,
                subscriber_id=number,
                request=request,
            )
            confirmations.change_request(connection, old, {"to": new_address.text, "other": new})
