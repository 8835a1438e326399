"""Readers who get nothing any more: struck off with a keyed hash that outlives them."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.passes import Keyring
from publisher.store import subscribers

__all__ = ["suppress_address", "suppress_reader"]


def suppress_reader(
    connection: Connection, ring: Keyring, subscriber_id: int, reason: str, note: str, now: int
) -> bool:
    """Write to a reader no more; return False where that was so before, or she was forgotten."""
    reader = subscribers.find(connection, subscriber_id)
    return reader is not None and suppress_address(connection, ring, reader.key, reason, note, now)


def suppress_address(connection: Connection, ring: Keyring, key: str, reason: str, note: str, now: int) -> bool:
    """Write to an address no more; return False where that was so before.

    Args:
        connection: to the store, in a transaction.
        ring: the site's secret.
        key: the address, in the form in which two spellings are equal.
        reason: ``unsubscribed``, ``bounced``, ``complained``, ``forgotten`` or ``asked``.
        note: what a server or a person said. It is kept as long as the suppression.
        now: what time it is, seconds since 1970.
    """
    return subscribers.suppress(connection, ring.address_hash(key), key, reason, note[:400], now)
