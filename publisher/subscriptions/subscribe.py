"""Subscribe by the form: request, confirmation email, confirmation (double opt-in)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.cadence import find_zone
from publisher.context import Context
from publisher.delivery import brakes_store as brakes
from publisher.errors import SettingsError
from publisher.feeds import facets_store as facets
from publisher.model.result import Result
from publisher.model.subscriptions import ChangeSource, ConfirmationKind, SubscriptionState
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.list_parser import SubscriberRow
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppression_hash
from publisher.subscribers.suppression_store import lift_suppression, load_suppressions
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.add import require_digests, require_interest_fields, upsert_subscriber
from publisher.subscriptions.confirmation_store import ConfirmationEmail

#: An address gets at most one confirmation email in this period.
COOL_DOWN: Final = timedelta(days=1)
#: The same for an address that bounced or complained.
_LONG_COOL_DOWN: Final = timedelta(days=7)
#: Emails that anybody can cause to be sent to any address.
SUBSCRIBE_KINDS: Final = (ConfirmationKind.SUBSCRIBE, ConfirmationKind.ALREADY_SUBSCRIBED, ConfirmationKind.NEW_ADDRESS)
#: Number of labels of a kind to choose from, those with most articles first.
_MAX_LABELS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest(Result):
    """The newsletters and interests that a person chooses in a form."""

    #: Names of newsletters in publisher.toml.
    digests: tuple[str, ...]
    #: Field → labels that they want, as ``interest_choices()`` returns them; everything by default.
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: A name of the tz database, such as ``Europe/London``; None for the site's time zone.
    zone: str | None = None


def require_valid(site: Site, request: SubscriptionRequest) -> None:
    """Check the names in a request.

    Raises:
        SettingsError: there is no such digest, field of interests or time zone.
    """
    require_digests(site, request.digests)
    require_interest_fields(request.follows)
    if request.zone is not None and find_zone(request.zone) is None:
        raise SettingsError(f"{request.zone!r} is not a time zone of the tz database, such as Europe/London")


def request_from(confirmation: ConfirmationEmail) -> SubscriptionRequest:
    """Return the request of a confirmation email."""
    stored = confirmation.request
    return SubscriptionRequest(
        digests=tuple(stored.get("digests", ())),
        follows={name: tuple(labels) for name, labels in stored.get("follows", {}).items()},
        zone=stored.get("zone"),
    )


def interest_choices(context: Context) -> dict[str, list[str]]:
    """Return the fields ``topics``, ``regions``, ``brands``, ``tags`` and ``authors`` → labels to choose from, by name.

    These are the labels with the most articles, 40 of a field at most.
    """
    with context.db.read() as connection:
        return {
            name: facets.facet_labels(connection, kind, _MAX_LABELS)
            for name, kind in subscribers.INTEREST_KINDS.items()
        }


def request_subscription(context: Context, address: str, request: SubscriptionRequest) -> None:
    """Queue a confirmation email for a submitted form; nothing is subscribed before it is confirmed.

    An address gets one a day at most, and none if it is suppressed: the caller cannot see the difference. Only
    ``tick()`` and ``publish run`` send it.

    Raises:
        ValueError: the text is not an address; the message says why.
        SettingsError: no digest is named, or there is no such digest, field of interests or time zone.
    """
    checked = parse_address(address)
    require_valid(context.site, request)
    if not request.digests:
        raise SettingsError("the request names no newsletter. Name one in its digests")
    with context.db.write() as connection:
        subscribers.lock_subscribers(connection)
        hashed = suppression_hash(keyring(context.site, connection), checked.key)
        if not may_confirm(connection, hashed):
            return
        subscriber = subscribers.find_by_key(connection, checked.key)
        before = _latest_request(context, connection, hashed, subscriber)
        if before is not None:
            if before.kind is ConfirmationKind.SUBSCRIBE and before.used_at is None:
                # The email was sent or is queued: it confirms the latest request.
                confirmations.change_request(connection, before.id, request.as_dict())
            return
        is_active = subscriber is not None and subscriber.status is SubscriptionState.ACTIVE
        is_known = subscriber is not None and is_active and set(request.digests) <= set(subscriber.digests)
        confirmations.add(
            connection,
            ConfirmationKind.ALREADY_SUBSCRIBED if is_known else ConfirmationKind.SUBSCRIBE,
            hashed,
            checked.text,
            context.seconds,
            subscriber_id=subscriber.id if subscriber is not None else None,
            request=request.as_dict(),
        )


def may_confirm(connection: Connection, hashed: str) -> bool:
    """Return whether an address may get a confirmation email: see `Suppression.is_undoable`."""
    if brakes.is_provisionally_suppressed(connection, hashed):
        return False
    return all(why.is_undoable for why in load_suppressions(connection, [hashed]).values())


def _latest_request(
    context: Context, connection: Connection, hashed: str, subscriber: subscribers.Subscriber | None
) -> ConfirmationEmail | None:
    """Return the confirmation email because of which an address gets no further one; None if it may get one."""
    is_doubtful = any(why.channel.is_mail for why in load_suppressions(connection, [hashed]).values())
    if subscriber is not None:
        is_doubtful = is_doubtful or subscriber.has_complained
    since = context.now - (_LONG_COOL_DOWN if is_doubtful else COOL_DOWN)
    return confirmations.latest(connection, hashed, SUBSCRIBE_KINDS, int(since.timestamp()))


def request_resubscription(
    context: Context, connection: Connection, subscriber: subscribers.Subscriber, digests: Sequence[str]
) -> None:
    """Send a subscriber a confirmation email for these digests, in the caller's transaction.

    They get one a day at most, or one a week after a complaint. A suppressed address gets none.
    """
    subscribers.lock_subscribers(connection)
    hashed = suppression_hash(keyring(context.site, connection), subscriber.key)
    if load_suppressions(connection, [hashed]) or brakes.is_provisionally_suppressed(connection, hashed):
        return
    before = _latest_request(context, connection, hashed, subscriber)
    if before is None:
        request = SubscriptionRequest(digests=tuple(digests)).as_dict()
        confirmations.add(
            connection,
            ConfirmationKind.SUBSCRIBE,
            hashed,
            subscriber.address,
            context.seconds,
            subscriber_id=subscriber.id,
            request=request,
        )
    elif before.kind is ConfirmationKind.SUBSCRIBE and before.used_at is None:
        known = request_from(before)
        both = replace(known, digests=tuple(dict.fromkeys((*known.digests, *digests))))
        confirmations.change_request(connection, before.id, both.as_dict())


def confirm_subscription(context: Context, connection: Connection, confirmation: ConfirmationEmail) -> tuple[str, ...]:
    """Subscribe a person who has confirmed to the digests of the email, and return those that were not active before."""
    request, address = request_from(confirmation), parse_address(confirmation.address)
    hashed = suppression_hash(keyring(context.site, connection), address.key)
    act = StateChange(ChangeSource.FORM, context.seconds)
    if any(why.is_undoable for why in load_suppressions(connection, [hashed]).values()):
        lift_suppression(connection, hashed, address.key, act)
    known = subscribers.find_by_key(connection, address.key)
    before = known.digests if known is not None else ()
    requested = tuple(slug for slug in request.digests if slug in context.site.digests)
    row = SubscriberRow(
        number=0,
        address=address,
        digests=tuple(dict.fromkeys((*before, *requested))),
        follows=dict(request.follows) or None,
        zone=request.zone,
        language=None,
    )
    subscriber = upsert_subscriber(context, connection, row, act)
    confirmations.set_subscriber(connection, confirmation.id, subscriber.id)
    new_digests = tuple(slug for slug in requested if slug not in before)
    if subscriber.status is SubscriptionState.ACTIVE:
        for slug in sorted(new_digests):
            if context.site.digests[slug].welcome:
                confirmations.add(
                    connection,
                    ConfirmationKind.WELCOME,
                    confirmation.hash,
                    confirmation.address,
                    context.seconds,
                    subscriber_id=subscriber.id,
                    request={"digest": slug},
                )
    return new_digests
