"""The suppression list: addresses that get no mail, as keyed hashes that outlive their subscribers."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.model.subscriptions import SubscriptionState
from publisher.signing.tokens import Keyring
from publisher.storage.facts import delete_fact, get_fact
from publisher.subscribers import store as subscribers
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange
from publisher.subscribers.suppression_store import SuppressionChannel

__all__ = ["convert_unsubscribed", "suppress_address", "suppress_subscriber"]

#: Set by a migration where an older version had stored unsubscribed people as suppressed addresses.
_TO_CONVERT = "unsubscribed_suppressions"


def convert_unsubscribed(connection: Connection, ring: Keyring) -> None:
    """Turn suppressions of older versions with the reason "unsubscribed" into unsubscribed people, once.

    Finding the people behind the hashes takes the site's key, so a migration cannot do it. An address without a
    subscriber stays on the suppression list.
    """
    if get_fact(connection, _TO_CONVERT) is None:
        return
    for reader in list(subscribers.iter_subscribers(connection, status=SubscriptionState.SUPPRESSED)):
        hashed = ring.address_hash(reader.key)
        found = suppression.load_suppressions(connection, [hashed]).get(hashed)
        if found is not None and found.reason == "unsubscribed":
            suppression.lift_suppression(connection, hashed, reader.key, StateChange(ChangeSource.MIGRATION, found.at))
    delete_fact(connection, _TO_CONVERT)


def suppress_subscriber(
    connection: Connection,
    ring: Keyring,
    subscriber_id: int,
    reason: str,
    channel: SuppressionChannel,
    note: str,
    now: int,
) -> bool:
    """Suppress a subscriber's address; return False where it was suppressed before, or they were erased."""
    reader = subscribers.find_subscriber(connection, subscriber_id)
    return reader is not None and suppress_address(connection, ring, reader.key, reason, channel, note, now)


def suppress_address(
    connection: Connection, ring: Keyring, key: str, reason: str, channel: SuppressionChannel, note: str, now: int
) -> bool:
    """Put an address on the suppression list; return False if it was there already.

    Args:
        connection: to the store, in a transaction.
        ring: the site's key.
        key: the address, in the form in which two spellings are equal.
        reason: ``unsubscribed``, ``bounced``, ``complained``, ``forgotten``, ``asked`` or ``moved``.
        channel: how it became known.
        note: the words of a server or an operator, kept as long as the suppression.
        now: seconds since 1970.
    """
    return suppression.add_suppression(connection, ring.address_hash(key), key, reason, channel, note[:400], now)
