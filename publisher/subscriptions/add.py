"""Store subscribers of a command, an import, a confirmation or preferences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.delivery import bounces_store as bounces
from publisher.delivery.local_time import reschedule_on_zone_change
from publisher.errors import SettingsError
from publisher.model.subscriptions import ALL_DIGESTS, ChangeSource, SubscriptionState
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.subscribers import store
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import Address, require_address
from publisher.subscribers.consent import ACTIVE
from publisher.subscribers.list_parser import SubscriberRow, make_row
from publisher.subscribers.subscriptions_store import (
    StateChange,
    insert_subscriptions,
    opt_out,
    overall_state,
    set_states,
    unsubscribe,
)
from publisher.subscribers.suppression import convert_unsubscribed, suppression_hash

if TYPE_CHECKING:
    from publisher.signing.keyring import Keyring
    from publisher.subscribers.store import Subscriber

_State: Final = SubscriptionState
#: Suppressions that an operator may lift with a reason: never a complaint or an erasure.
_LIFTABLE: Final = ("asked", "bounced", "moved", "unsubscribed")


def require_digests(site: Site, names: Iterable[str]) -> tuple[str, ...]:
    """Return names of digests without repetitions.

    Raises:
        SettingsError: the site has no such digest, or the names are one text.
    """
    if isinstance(names, str):
        raise SettingsError(f"the digests are the text {names!r}. Give a list, such as [{names!r}]")
    slugs = tuple(dict.fromkeys(names))
    for slug in slugs:
        site.digest(slug)
    return slugs


def require_interest_fields(names: Iterable[str]) -> None:
    """Check the fields of interests.

    Raises:
        SettingsError: one of them does not exist.
    """
    for name in names:
        if name not in store.INTEREST_KINDS:
            raise SettingsError(f"{name!r} is no field of interests; the fields are {', '.join(store.INTEREST_KINDS)}")


def require_reason(text: str | None) -> str:
    """Return the reason of ``--resubscribe``; empty if the option was not given.

    Raises:
        SettingsError: the reason is empty, or is another option.
    """
    if text is None:
        return ""
    reason = " ".join(text.split())
    if not reason or reason.startswith("-"):
        raise SettingsError(
            '--resubscribe needs a reason. Name the person who asked, and how: --resubscribe "asked by phone"'
        )
    return reason


def insert_subscriber_rows(
    connection: Connection,
    rows: Iterable[SubscriberRow],
    defaults: tuple[str, ...],
    change: StateChange,
    interests_ids: dict[str, int],
) -> None:
    """Add the subscribers of rows, who must not exist yet and are not suppressed, with the state of their row.

    DEFAULTS are the digests of rows that name none; INTERESTS_IDS is a cache of interests → their ID.
    """
    new_rows = list(rows)
    number = store.reserve_ids(connection, len(new_rows)) if new_rows else 0
    values: list[dict[str, Any]] = []
    opted_out: list[int] = []
    by_state: dict[SubscriptionState, list[tuple[str, int]]] = {}
    for row in new_rows:
        states = _states_of_row(row, defaults)
        overall = overall_state(states.values()) if states else row.state
        values.append(
            {
                "id": number,
                "address": row.address.text,
                "key": row.address.key,
                "domain": row.address.domain,
                # opt_out() below stores that they unsubscribed from everything, with its history.
                "state": (_State.ACTIVE if overall is _State.UNSUBSCRIBED else overall).value,
                "state_at": change.at,
                "state_source": change.source.value,
                "opted_out_at": change.at if ALL_DIGESTS in row.unsubscribed else None,
                "zone": row.zone,
                "language": row.language,
                "interests_id": _interests_id(connection, store.interests_text(row.follows or {}), interests_ids),
                "added_at": change.at,
            }
        )
        for digest, state in states.items():
            by_state.setdefault(state, []).append((digest, number))
        if overall is _State.UNSUBSCRIBED:
            opted_out.append(number)
        number += 1
    store.insert_subscribers(connection, values)
    for state, subscriptions in by_state.items():
        insert_subscriptions(connection, subscriptions, state, change)
    opt_out(connection, opted_out, change)


def _states_of_row(row: SubscriberRow, defaults: tuple[str, ...]) -> dict[str, SubscriptionState]:
    """Return digest → state of a new subscriber; the safest state of a digest counts."""
    states = dict.fromkeys(row.digests if row.digests is not None else defaults, row.state)
    states.update(dict.fromkeys(row.unconfirmed, max(row.state, _State.UNCONFIRMED, key=list(_State).index)))
    states.update(dict.fromkeys(row.unsubscribed, _State.UNSUBSCRIBED))
    states.pop(ALL_DIGESTS, None)
    return states


def change_subscriber(
    connection: Connection,
    before: Subscriber,
    row: SubscriberRow,
    change: StateChange,
    interests_ids: dict[str, int],
    on_zone_change: Callable[[int, str], None],
) -> bool:
    """Update a subscriber by their row, and return whether that changes anything; what it does not name stays.

    The caller has checked that they have not unsubscribed from the row's digests. INTERESTS_IDS is a cache of interests →
    their ID; ON_ZONE_CHANGE is called with the subscriber's ID and zone if the zone changes.
    """
    number = before.id
    values: dict[str, Any] = {}
    if row.zone and row.zone != before.zone:
        values["zone"] = row.zone
        on_zone_change(number, row.zone)
    if row.language and row.language != before.language:
        values["language"] = row.language
    if row.follows is not None:
        text = store.interests_text({**before.follows, **row.follows})
        if text != store.interests_text(before.follows):
            values["interests_id"] = _interests_id(connection, text, interests_ids)
    store.update_subscribers(connection, [(number, values)])
    changed = bool(values)
    if row.digests is not None and set(row.digests) != set(before.digests):
        set_states(connection, [(digest, number) for digest in row.digests], _State.ACTIVE, change)
        removed = set(before.digests) - set(row.digests)
        if removed:
            unsubscribe(connection, number, change, sorted(removed))
        changed = True
    return changed


def _interests_id(connection: Connection, text: str, known: dict[str, int]) -> int:
    if text not in known:
        known[text] = store.interests_id(connection, text)
    return known[text]


def upsert_subscriber(context: Context, connection: Connection, row: SubscriberRow, change: StateChange) -> Subscriber:
    """Add or update a subscriber in the caller's transaction; return them.

    The caller has checked consent: by the person's own act, or by an operator's reason.
    """
    store.lock_subscribers(connection)
    known = store.find_by_key(connection, row.address.key)
    if known is None:
        insert_subscriber_rows(connection, [row], (), change, {})
    else:
        on_zone_change = reschedule_on_zone_change(context, connection)
        change_subscriber(connection, known, row, change, {}, on_zone_change)
    subscriber = store.find_by_key(connection, row.address.key)
    assert subscriber is not None
    return subscriber


def add_subscriber(
    context: Context,
    address: str,
    *,
    digests: Sequence[str] = (),
    follows: Mapping[str, Sequence[str]] | None = None,
    zone: str | None = None,
    language: str | None = None,
    resubscribe: str | None = None,
) -> Subscriber:
    """Add or update a subscriber by an operator's command, and return them.

    Args:
        digests: what to subscribe them to; the site's only digest by default. Their other subscriptions stay.
        follows: field → labels of their interests, such as ``{"topics": ["Water"]}``; the fields are those of
            ``interest_choices()``. None keeps what is stored: everything, for a new subscriber.
        zone: a name of the tz database, such as ``Europe/London``; None keeps theirs, by default the site's.
        language: a language tag, such as ``pt-BR``; None keeps theirs, by default the site's.
        resubscribe: why to subscribe them although they had unsubscribed or bounced; None for people who have not.

    Raises:
        SettingsError: the address or another value is wrong, or they have unsubscribed and no reason is given.
    """
    site = context.site
    checked, reason = require_address(address), require_reason(resubscribe)
    chosen = require_digests(site, digests)
    if not chosen and len(site.digests) == 1:
        chosen = tuple(site.digests)
    labels = {
        name: names if isinstance(names, str) else tuple(names) for name, names in (follows or {}).items() if names
    }
    require_interest_fields(labels)
    try:
        row = make_row(0, checked, ACTIVE, {"zone": zone, "language": language, **labels}, site.digests)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    change = StateChange(ChangeSource.OPERATOR, context.seconds, reason)
    with context.db.write() as connection:
        store.lock_subscribers(connection)
        ring = keyring(site, connection)
        convert_unsubscribed(connection, ring)
        _require_not_suppressed(connection, ring, checked, change)
        known = store.find_by_key(connection, checked.key)
        if not chosen and (known is None or reason):
            raise SettingsError(f"which digest? Name one with --digest: {', '.join(site.digests) or 'there is none'}")
        if known is not None:
            _require_consent(known, chosen, reason)
        before = known.digests if known is not None else ()
        subscribed = replace(row, digests=tuple(dict.fromkeys((*before, *chosen))))
        return upsert_subscriber(context, connection, subscribed, change)


def _require_not_suppressed(connection: Connection, ring: Keyring, address: Address, change: StateChange) -> None:
    """Lift a suppression if the change has a reason and may lift it.

    Raises:
        SettingsError: the address stays suppressed.
    """
    hashed = suppression_hash(ring, address.key)
    why = suppression.load_suppressions(connection, [hashed]).get(hashed)
    if why is None:
        return
    known = store.find_by_key(connection, address.key)
    has_complained = known is not None and bounces.has_complained(connection, known.id)
    if why.reason not in _LIFTABLE or has_complained:
        words = suppression.SUPPRESSION_WORDS["complained"] if has_complained else why.words
        raise SettingsError(f"{address.text} is not mailed: {words}. No command lifts a complaint or an erasure.")
    if not change.reason:
        raise SettingsError(
            f"{address.text} is not mailed: {why.words}. If they have asked to be subscribed again, use --resubscribe REASON."
        )
    suppression.lift_suppression(connection, hashed, address.key, change)


def _require_consent(known: Subscriber, digests: Iterable[str], reason: str) -> None:
    """Reject digests that a person has unsubscribed from, without a reason or by a complaint.

    After a complaint, only the person can subscribe again.

    Raises:
        SettingsError: they have unsubscribed from one of them.
    """
    unsubscribed = [digest for digest in digests if known.has_unsubscribed(digest)]
    if not unsubscribed or (reason and not known.has_complained):
        return
    state = f"{known.address} is {describe_inactive_state(known, unsubscribed)}"
    if not reason:
        raise SettingsError(f"{state}. If they have asked to be subscribed again, use --resubscribe REASON.")
    raise SettingsError(
        f"{state} after a complaint. No reason lifts a complaint: they can subscribe by the form, with a confirmation email"
    )


def describe_inactive_state(known: Subscriber, digests: Sequence[str]) -> str:
    """Return since when and by which change a subscriber is not active for these digests.

    With no digests named: for everything.
    """
    words: list[str] = []
    for digest in digests:
        state = known.subscriptions.get(digest)
        if state is not None:
            words.append(f"{state.state.for_digest(digest)} since {_day(state.changed_at)} (by {state.source})")
    if not words or len(words) < len(digests):
        state_name = known.state if known.state is not _State.ACTIVE else _State.UNSUBSCRIBED
        since = known.opted_out_at if known.opted_out_at is not None else known.state_at
        words.append(f"{state_name.for_digest('everything')} since {_day(since)}")
    return ", ".join(words)


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
