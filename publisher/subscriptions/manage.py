"""Operator's commands: list, export, suppress and erase subscribers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from sqlalchemy import Connection

from publisher.context import Context
from publisher.errors import SettingsError
from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.signing.site_key import keyring
from publisher.subscribers import store
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import Address, require_address
from publisher.subscribers.list_parser import COLUMNS, escape_formula
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppress_address, suppression_hash
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.add import require_digests

if TYPE_CHECKING:
    from publisher.signing.keyring import Keyring
    from publisher.subscribers.store import Subscriber

#: Reasons of a suppression that an exported list has as a status.
_STATUSES: Final = ("bounced", "complained", "unsubscribed")


def suppress_by_operator(context: Context, address: str, *, note: str = "") -> bool:
    """Put an address on the suppression list, so that it gets no mail; return False if it was already there.

    Args:
        note: the reason, for the record.

    Raises:
        SettingsError: the text is not an address.
    """
    checked = require_address(address)
    with context.db.write() as connection:
        ring, channel = keyring(context.site, connection), SuppressionChannel.OPERATOR
        return suppress_address(connection, ring, checked.key, "asked", channel, note, context.seconds)


def erase_subscriber(context: Context, address: str) -> bool:
    """Erase a person and their history; return False if there is no such person.

    A keyed hash stays on the suppression list, so that no import brings them back.

    Raises:
        SettingsError: the text is not an address.
    """
    checked = require_address(address)
    with context.db.write() as connection:
        return erase_address(context, connection, checked)


def erase_address(context: Context, connection: Connection, address: Address) -> bool:
    """Erase a person in the caller's transaction; return False if there is no such person."""
    store.lock_subscribers(connection)
    ring, seconds = keyring(context.site, connection), context.seconds
    subscriber = store.find_by_key(connection, address.key)
    hashed = suppression_hash(ring, address.key)
    # The note of an earlier suppression may contain the address.
    suppression.lift_suppression(connection, hashed, address.key, StateChange(ChangeSource.ERASURE, seconds))
    suppress_address(connection, ring, address.key, "forgotten", SuppressionChannel.ERASURE, "", seconds)
    confirmations.delete_for_address(connection, hashed, subscriber.id if subscriber is not None else None)
    if subscriber is not None:
        store.delete_subscriber(connection, subscriber.id)
    return subscriber is not None


def list_subscribers(
    context: Context, *, digest: str | None = None, status: SubscriptionState | str | None = None
) -> Iterator[Subscriber]:
    """Yield subscribers in the order in which they were added.

    They are all, those with a state for a digest, or those with a status. With both, the status is their state for that
    digest. Errors are raised when the first subscriber is read.

    Raises:
        SettingsError: there is no such digest or status.
    """
    if digest is not None:
        require_digests(context.site, [digest])
    try:
        state = SubscriptionState(status) if status is not None else None
    except ValueError:
        raise SettingsError(f"{status!r} is no status. There are: {', '.join(SubscriptionState)}") from None
    with context.db.read() as connection:
        yield from store.iter_subscribers(connection, digest=digest, status=state)


def export_subscribers(context: Context, file: TextIO, *, as_json: bool, digest: str | None = None) -> int:
    """Write subscribers with their states, and return their number.

    ``import_list()`` reads the file, and gives them the same states.

    Args:
        file: opened for text, with ``newline=""`` and UTF-8.
        as_json: True for JSON Lines, False for CSV; cells that a spreadsheet would run as a formula get an apostrophe.
        digest: only people with a state for it; None for all.

    Raises:
        SettingsError: there is no such digest.
    """
    if digest is not None:
        require_digests(context.site, [digest])
    writer = csv.writer(file, lineterminator="\n")
    if not as_json:
        writer.writerow(COLUMNS)
    count = 0
    with context.db.read() as connection:
        ring = keyring(context.site, connection)
        for page in store.subscriber_pages(connection, digest=digest):
            reasons = _suppression_words(connection, ring, page)
            for person in page:
                values = {**person.as_dict(), "status": reasons.get(person.id, person.status)}
                if as_json:
                    file.write(json.dumps(values, ensure_ascii=False) + "\n")
                else:
                    writer.writerow([escape_formula(_cell(values.get(name, ""))) for name in COLUMNS])
            count += len(page)
            context.progress("writing subscribers", count, 0)
    return count


def _suppression_words(connection: Connection, ring: Keyring, page: Sequence[Subscriber]) -> dict[int, str]:
    """Return subscriber ID → reason of their suppression, as ``import`` reads it."""
    hashes = {suppression_hash(ring, person.key): person.id for person in page if person.is_suppressed}
    suppressed = suppression.load_suppressions(connection, hashes)
    return {hashes[hashed]: why.reason for hashed, why in suppressed.items() if why.reason in _STATUSES}


def _cell(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else " | ".join(value)
