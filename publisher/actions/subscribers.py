"""``publish subscribers``: import, export, add, list, suppress and forget subscribers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import Connection

from publisher.actions.keys import keyring
from publisher.actions.mornings import moving
from publisher.actions.report import Progress, silent
from publisher.actions.suppressing import suppress_address
from publisher.address import Address, read_address
from publisher.config import Site
from publisher.errors import SettingsError
from publisher.ingest.subscribers import COLUMNS, RejectedRow, SubscriberRow, read_json_lines, safe_cell
from publisher.model import SubscriptionState
from publisher.store import letters
from publisher.store import subscribers as store
from publisher.store.database import Database
from publisher.store.subscriptions import Act, ChangeSource, save_new_states, subscribe, unsubscribe

if TYPE_CHECKING:
    from publisher.passes import Keyring
    from publisher.store.subscribers import Subscriber

__all__ = [
    "add",
    "add_rows",
    "admit",
    "as_dict",
    "change_subscriber",
    "export",
    "forget",
    "forget_address",
    "readers",
    "require_digests",
    "suppress",
]


def require_digests(site: Site, names: Iterable[str]) -> tuple[str, ...]:
    """Return names of digests without repetitions.

    Raises:
        SettingsError: the site has no such digest.
    """
    slugs = tuple(dict.fromkeys(names))
    for slug in slugs:
        if slug not in site.digests:
            raise SettingsError(f"there is no digest {slug!r}; publisher.toml has: {', '.join(site.digests) or 'none'}")
    return slugs


def _selection(connection: Connection, text: str, known: dict[str, int]) -> int:
    if text not in known:
        known[text] = store.selection_id(connection, text)
    return known[text]


def add_rows(
    connection: Connection,
    rows: Iterable[SubscriberRow],
    defaults: tuple[str, ...],
    act: Act,
    selections: dict[str, int],
) -> None:
    """Add the subscribers of rows, none of whom exists.

    Args:
        connection: to the store, in a transaction.
        rows: of active subscribers.
        defaults: the digests of those whose row names none.
        act: whose act adds them.
        selections: a cache of question → its number, filled as it goes.
    """
    every = list(rows)
    number = store.take_ids(connection, len(every)) if every else 0
    values, subscriptions = [], []
    for row in every:
        values.append(
            {
                "id": number,
                "address": row.address.text,
                "key": row.address.key,
                "domain": row.address.domain,
                "state": SubscriptionState.ACTIVE.value,
                "state_at": act.at,
                "state_source": act.source.value,
                "zone": row.zone,
                "language": row.language,
                "selection_id": _selection(connection, store.query_text(row.follows or {}), selections),
                "added_at": act.at,
            }
        )
        subscriptions += [(digest, number) for digest in (row.digests if row.digests is not None else defaults)]
        number += 1
    store.save_new(connection, values)
    save_new_states(connection, subscriptions, SubscriptionState.ACTIVE, act)


def change_subscriber(
    connection: Connection,
    before: Subscriber,
    row: SubscriberRow,
    act: Act,
    selections: dict[str, int],
    on_move: Callable[[int, str], None],
) -> bool:
    """Give a subscriber what their row says, and return whether that changes anything.

    Args:
        connection: to the store, in a transaction.
        before: the subscriber as they are.
        row: theirs; what it does not say stays.
        act: whose act changes them.
        selections: a cache of question → its number, filled as it goes.
        on_move: called with the subscriber's number and zone where the zone changes.
    """
    number = before.id
    values: dict[str, Any] = {}
    if row.zone and row.zone != before.zone:
        values["zone"] = row.zone
        on_move(number, row.zone)
    if row.language and row.language != before.language:
        values["language"] = row.language
    if row.follows is not None:
        text = store.query_text({**before.follows, **row.follows})
        if text != store.query_text(before.follows):
            values["selection_id"] = _selection(connection, text, selections)
    store.save_old(connection, [(number, values)])
    changed = bool(values)
    if row.digests is not None and set(row.digests) != set(before.digests):
        left = set(before.digests) - set(row.digests)
        if left:
            unsubscribe(connection, number, act, left)
        subscribe(connection, [(digest, number) for digest in row.digests], act)
        changed = True
    return changed


def _address(text: str) -> Address:
    try:
        return read_address(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no address: {error}") from error


def add(
    site: Site,
    address: str,
    now: datetime,
    *,
    digests: Sequence[str] = (),
    follows: Mapping[str, Sequence[str]] | None = None,
    zone: str | None = None,
    language: str | None = None,
    lift: bool = False,
) -> Subscriber:
    """Add a reader, or change what she follows, and return her.

    Args:
        site, address, now: the settings, hers, and what time it is.
        digests: what she follows; the site's only digest by default.
        follows: field → labels: what she wants of them; everything by default.
        zone, language: hers; the newsroom's by default.
        lift: write to her again although she was suppressed.

    Raises:
        SettingsError: that is no address, there is no such digest, or she may not be written to.
    """
    found = _address(address)
    chosen = require_digests(site, digests)
    if not chosen and len(site.digests) == 1:
        chosen = tuple(site.digests)
    raw: dict[str, Any] = {"address": found.text, "zone": zone, "language": language}
    raw.update({name: list(labels) for name, labels in (follows or {}).items() if labels})
    row = next(read_json_lines(io.StringIO(json.dumps(raw)), site.digests, on_note=lambda note: None))
    if isinstance(row, RejectedRow):
        raise SettingsError(row.reason)
    with Database.open(site.database_url) as db, db.write() as connection:
        store.alone(connection)
        _let_in(connection, keyring(site, connection), found, int(now.timestamp()), lift=lift)
        known = store.by_key(connection, found.key)
        if known is None and not chosen:
            raise SettingsError(f"which digest? Name one with --digest: {', '.join(site.digests) or 'there is none'}")
        before = known.digests if known is not None else ()
        act = Act(ChangeSource.OPERATOR, int(now.timestamp()))
        return admit(connection, site, replace(row, digests=(*before, *chosen)), act, now)


def admit(connection: Connection, site: Site, row: SubscriberRow, act: Act, now: datetime) -> Subscriber:
    """Add a subscriber, or give one who exists what the row says, in the caller's transaction; return them."""
    store.alone(connection)
    known = store.by_key(connection, row.address.key)
    if known is None:
        add_rows(connection, [row], (), act, {})
    else:
        change_subscriber(connection, known, row, act, {}, moving(connection, site, now))
    subscriber = store.by_key(connection, row.address.key)
    assert subscriber is not None
    return subscriber


def _let_in(connection: Connection, ring: Keyring, address: Address, now: int, *, lift: bool) -> None:
    """Let somebody pass who may be written to, or has asked to be again."""
    hashed = ring.address_hash(address.key)
    for why in store.suppressions(connection, [hashed]).values():
        if not lift:
            raise SettingsError(
                f"{address.text} may not be written to ({why.reason}); if she has asked for it herself, say so with --lift"
            )
        store.lift(connection, hashed, address.key, Act(ChangeSource.OPERATOR, now))


def suppress(site: Site, address: str, now: datetime, *, note: str = "") -> bool:
    """Write to an address no more; return False where that was so before.

    Raises:
        SettingsError: that is no address.
    """
    found = _address(address)
    with Database.open(site.database_url) as db, db.write() as connection:
        ring = keyring(site, connection)
        return suppress_address(connection, ring, found.key, "asked", note, int(now.timestamp()))


def forget(site: Site, address: str, now: datetime) -> bool:
    """Erase a person: what is left is a keyed hash, so that no list brings her back. False where she was not there.

    Raises:
        SettingsError: that is no address.
    """
    found = _address(address)
    with Database.open(site.database_url) as db, db.write() as connection:
        return forget_address(connection, site, found, now)


def forget_address(connection: Connection, site: Site, address: Address, now: datetime) -> bool:
    """Erase a person in the caller's transaction; False where she was not there."""
    store.alone(connection)
    ring = keyring(site, connection)
    reader = store.by_key(connection, address.key)
    hashed = ring.address_hash(address.key)
    # What a server said when she was struck off has her address in it.
    seconds = int(now.timestamp())
    store.lift(connection, hashed, address.key, Act(ChangeSource.ERASURE, seconds))
    suppress_address(connection, ring, address.key, "forgotten", "", seconds)
    letters.forget(connection, hashed, reader.id if reader is not None else None)
    if reader is not None:
        store.erase(connection, reader.id)
    return reader is not None


def readers(site: Site, *, digest: str | None = None, status: SubscriptionState | None = None) -> Iterator[Subscriber]:
    """Yield subscribers in the order in which they were added.

    Args:
        site: the settings.
        digest: only people with a state for this digest.
        status: only people with this state, for the digest where one is named.

    Raises:
        SettingsError: there is no such digest.
    """
    if digest is not None:
        require_digests(site, [digest])
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        yield from store.every_subscriber(connection, digest=digest, status=status)


def export(site: Site, file: TextIO, *, as_json: bool, digest: str | None = None, progress: Progress = silent) -> int:
    """Write readers as CSV that no spreadsheet obeys, or as JSON Lines; return how many.

    Raises:
        SettingsError: there is no such digest.
    """
    writer = csv.writer(file, lineterminator="\n")
    if not as_json:
        writer.writerow(COLUMNS)
    count = 0
    for count, one in enumerate(readers(site, digest=digest), 1):
        if as_json:
            file.write(json.dumps(as_dict(one), ensure_ascii=False) + "\n")
        else:
            many = [
                " | ".join(values) for values in (one.digests, *(one.follows.get(name, ()) for name in store.Follow))
            ]
            writer.writerow(
                [safe_cell(cell) for cell in (one.address, one.status, one.zone or "", one.language or "", *many)]
            )
        if count % 1000 == 0:
            progress("writing readers", count, 0)
    return count


def as_dict(one: Subscriber) -> dict[str, Any]:
    """Return a reader for a program."""
    said = {"zone": one.zone, "language": one.language}
    return {
        "address": one.address,
        "status": one.status,
        **{name: value for name, value in said.items() if value},
        "digests": list(one.digests),
        **{name: list(labels) for name, labels in one.follows.items()},
    }
