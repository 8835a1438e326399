"""Suppress addresses: their keyed hashes stay on the list after a subscriber is erased."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.signing.keyring import Keyring
from publisher.storage.facts import delete_fact, get_fact
from publisher.subscribers import store as subscribers
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression_store import SuppressionChannel

#: Set by a migration if an older version had stored unsubscribed people as suppressed addresses.
_TO_CONVERT = "unsubscribed_suppressions"


def suppression_hash(ring: Keyring, key: str) -> str:
    """Return the hash under which the suppression list has the address with this normalized KEY.

    The list stores no addresses, so it still recognises an address after its subscriber was erased. The hash is keyed
    with the site's secret: without the secret, addresses cannot be tested against a stolen list.
    """
    return ring.address_hash(key)


def convert_unsubscribed(connection: Connection, ring: Keyring) -> None:
    """Turn suppressions of older versions with the reason "unsubscribed" into states, once.

    A migration cannot do it: the people behind the hashes are found with the site's key. An address without a
    subscriber stays on the suppression list.
    """
    if get_fact(connection, _TO_CONVERT) is None:
        return
    for person in list(subscribers.iter_subscribers(connection, status=SubscriptionState.SUPPRESSED)):
        hashed = suppression_hash(ring, person.key)
        entry = suppression.load_suppressions(connection, [hashed]).get(hashed)
        if entry is not None and entry.reason == "unsubscribed":
            suppression.lift_suppression(connection, hashed, person.key, StateChange(ChangeSource.MIGRATION, entry.at))
    delete_fact(connection, _TO_CONVERT)


def suppress_address(
    connection: Connection, ring: Keyring, key: str, reason: str, channel: SuppressionChannel, note: str, now: int
) -> bool:
    """Put an address on the suppression list; return False if it was already there.

    KEY is the normalised address. The reason is as in ``Suppression.reason``. Of the words of a server or an operator,
    400 characters are stored.
    """
    return suppression.add_suppression(connection, suppression_hash(ring, key), key, reason, channel, note[:400], now)
