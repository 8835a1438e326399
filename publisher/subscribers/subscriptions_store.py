"""Subscription states: who subscribes to which digest, since when, by whose act; and the history."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import batches, execute_rows, insert_rows
from publisher.storage.tables.subscribers import subscriber, subscription, subscription_event

__all__ = [
    "SUBSCRIBER_SOURCES",
    "ChangeSource",
    "StateChange",
    "Subscription",
    "SubscriptionEvent",
    "can_undo",
    "has_changed_address_since",
    "insert_subscriptions",
    "load_history",
    "load_subscriptions",
    "load_unclear_events",
    "mark_opted_out",
    "opt_out",
    "overall_state",
    "record_address_change",
    "record_event",
    "restore_subscriptions",
    "set_states",
    "subscribe",
    "unsubscribe",
]

_State: Final = SubscriptionState


class ChangeSource(StrEnum):
    """Whose act changed a subscription state."""

    #: The link in a delivery, or a mail program's button (RFC 8058).
    LINK = "link"
    #: A confirmed sign-up form.
    FORM = "form"
    PREFERENCES = "preferences"
    #: A request to unsubscribe by mail.
    MAIL = "mail"
    IMPORT = "import"
    OPERATOR = "operator"
    COMPLAINT = "complaint"
    ERASURE = "erasure"
    BOUNCE = "bounce"
    #: Derived from what an older version had stored.
    MIGRATION = "migration"


#: Acts of the subscribers themselves.
SUBSCRIBER_SOURCES: Final = frozenset(
    [ChangeSource.LINK, ChangeSource.FORM, ChangeSource.PREFERENCES, ChangeSource.MAIL]
)


@dataclass(frozen=True, slots=True)
class StateChange:
    """Why a state changes."""

    source: ChangeSource
    #: Seconds since 1970.
    at: int
    #: In the words of an operator or a mail server; empty for none.
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber's state for one digest."""

    state: SubscriptionState
    #: Seconds since 1970.
    changed_at: int
    source: ChangeSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEvent:
    """A change of state."""

    #: None for everything.
    digest: str | None
    #: None where there was no state before.
    old_state: str | None
    new_state: str
    source: str
    #: Seconds since 1970.
    at: int
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return the event for JSON output."""
        values = {
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(),
            "digest": self.digest or "everything",
            "from": self.old_state,
            "to": self.new_state,
            "source": self.source,
            "reason": self.reason,
        }
        return {name: value for name, value in values.items() if value}

    def as_words(self) -> str:
        """Return the event for a line of text."""
        before = f"{self.old_state} → " if self.old_state else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.digest or 'everything'}: {before}{self.new_state} (by {self.source}){reason}"


_CHANGE: Final = (
    update(subscription)
    .where(subscription.c.digest == bindparam("d"), subscription.c.subscriber_id == bindparam("s"))
    .values(state=bindparam("new_state"), changed_at=bindparam("at"), source=bindparam("by"))
)


def load_subscriptions(connection: Connection, subscriber_ids: Iterable[int]) -> dict[int, dict[str, Subscription]]:
    """Return subscriber → digest → state, by the digest's name."""
    states: dict[int, dict[str, Subscription]] = {}
    for page in batches(subscriber_ids):
        query = select(subscription).where(subscription.c.subscriber_id.in_(page)).order_by(subscription.c.digest)
        for row in connection.execute(query):
            states.setdefault(row.subscriber_id, {})[row.digest] = Subscription(
                _State(row.state), row.changed_at, ChangeSource(row.source)
            )
    return states


def insert_subscriptions(
    connection: Connection, rows: Iterable[tuple[str, int]], state: SubscriptionState, act: StateChange
) -> None:
    """Store the first state of new subscribers: (digest, subscriber) each."""
    unique = list(dict.fromkeys(rows))
    values = {"state": state.value, "changed_at": act.at, "source": act.source.value}
    insert_rows(
        connection, subscription, [{"digest": digest, "subscriber_id": who, **values} for digest, who in unique]
    )
    _record(connection, [(who, digest, None) for digest, who in unique], state, act)


def set_states(
    connection: Connection, rows: Iterable[tuple[str, int]], state: SubscriptionState, act: StateChange
) -> list[tuple[str, int]]:
    """Set the state of (digest, subscriber) pairs; return those that had another one or none.

    The state of the subscribers themselves follows: see :func:`_update_people`.
    """
    wanted = list(dict.fromkeys(rows))
    known = load_subscriptions(connection, {who for _, who in wanted})
    changed: list[tuple[str, int]] = []
    fresh: list[tuple[str, int]] = []
    for digest, who in wanted:
        before = known.get(who, {}).get(digest)
        if before is None:
            fresh.append((digest, who))
        elif before.state is not state:
            changed.append((digest, who))
    execute_rows(
        connection,
        _CHANGE,
        ("d", "s", "new_state", "at", "by"),
        [(digest, who, state.value, act.at, act.source.value) for digest, who in changed],
    )
    _record(connection, [(who, digest, known[who][digest].state.value) for digest, who in changed], state, act)
    insert_subscriptions(connection, fresh, state, act)
    _update_people(connection, {who for _, who in (*changed, *fresh)}, act)
    return changed + fresh


def subscribe(connection: Connection, rows: Iterable[tuple[str, int]], act: StateChange) -> int:
    """Make (digest, subscriber) pairs active; return how many were not. The caller has checked consent."""
    return len(set_states(connection, rows, _State.ACTIVE, act))


def unsubscribe(
    connection: Connection, subscriber_id: int, act: StateChange, digests: Collection[str] | None = None
) -> list[str]:
    """Unsubscribe a person from these digests, or from everything; return the digests that were active.

    Without an active subscription left, or with ``digests`` None, the person has left everything.
    """
    known = load_subscriptions(connection, [subscriber_id]).get(subscriber_id, {})
    named = list(known) if digests is None else list(digests)
    was_active = [name for name in named if name in known and known[name].state is _State.ACTIVE]
    set_states(connection, [(name, subscriber_id) for name in named], _State.UNSUBSCRIBED, act)
    if digests is None:
        opt_out(connection, [subscriber_id], act)
    return was_active


def restore_subscriptions(
    connection: Connection, subscriber_id: int, digest: str, act: StateChange, *, since: int
) -> list[str]:
    """Undo the act by which a person unsubscribed from a digest by the link; return the digests that are active again.

    Args:
        connection: to the store, in a transaction.
        subscriber_id, digest: who unsubscribed from what.
        act: the undoing.
        since: an act before this instant (seconds since 1970) stands.
    """
    known = load_subscriptions(connection, [subscriber_id]).get(subscriber_id, {})
    left = known.get(digest)
    if left is None or not can_undo(left, since, act.at):
        return []
    # One act may have ended several subscriptions.
    undone = [name for name, one in known.items() if one == left]
    mine = subscriber.c.id == subscriber_id
    connection.execute(
        update(subscriber).where(mine, subscriber.c.opted_out_at == left.changed_at).values(opted_out_at=None)
    )
    return [name for name, _ in set_states(connection, [(name, subscriber_id) for name in undone], _State.ACTIVE, act)]


def can_undo(subscribed: Subscription, since: int, now: int) -> bool:
    """Tell whether a person unsubscribed by the link between these instants.

    An act in the future was stored by a clock that was ahead: it does not stay undoable until then.
    """
    by_link = subscribed.source is ChangeSource.LINK
    return subscribed.state is _State.UNSUBSCRIBED and by_link and since <= subscribed.changed_at <= now


def _update_people(connection: Connection, subscriber_ids: Collection[int], act: StateChange) -> None:
    """Derive subscribers' own states from their subscriptions.

    Active with an active subscription; unsubscribed where they unsubscribed from all they had; otherwise unconfirmed.
    """
    before: dict[int, str] = {}
    for page in batches(subscriber_ids):
        query = select(subscriber.c.id, subscriber.c.state).where(subscriber.c.id.in_(page))
        before.update(iter(connection.execute(query)))
    new: dict[SubscriptionState, list[int]] = {}
    for who, subscriptions in load_subscriptions(connection, before).items():
        state = overall_state(one.state for one in subscriptions.values())
        if before[who] != state.value:
            new.setdefault(state, []).append(who)
    for state, people in new.items():
        if state is _State.UNSUBSCRIBED:
            opt_out(connection, people, act)
        else:
            _set_people(connection, people, state, act)


def overall_state(states: Iterable[SubscriptionState]) -> SubscriptionState:
    """Return the state of a person with subscriptions in these states, at least one."""
    known = set(states)
    for state in (_State.ACTIVE, _State.UNSUBSCRIBED):
        if state in known:
            return state
    return _State.UNCONFIRMED


def _set_people(connection: Connection, people: Iterable[int], state: SubscriptionState, act: StateChange) -> None:
    for page in batches(people):
        connection.execute(
            update(subscriber)
            .where(subscriber.c.id.in_(page))
            .values(state=state.value, state_at=act.at, state_source=act.source.value)
        )


def opt_out(connection: Connection, people: Collection[int], act: StateChange) -> None:
    """Store that people have left everything, also digests that begin later."""
    for page in batches(people):
        query = select(subscriber.c.id, subscriber.c.state).where(
            subscriber.c.id.in_(page),
            (subscriber.c.state != _State.UNSUBSCRIBED.value) | subscriber.c.opted_out_at.is_(None),
        )
        changed = [(who, None, state) for who, state in connection.execute(query)]
        _record(connection, changed, _State.UNSUBSCRIBED, act)
        ids = [who for who, _, _ in changed]
        _set_people(connection, ids, _State.UNSUBSCRIBED, act)
        is_first = and_(subscriber.c.id.in_(ids), subscriber.c.opted_out_at.is_(None))
        connection.execute(update(subscriber).where(is_first).values(opted_out_at=act.at))


def mark_opted_out(connection: Connection, subscriber_id: int, act: StateChange) -> None:
    """Store that a person with active subscriptions has left all other digests, also those that begin later."""
    connection.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(opted_out_at=act.at))


# -- history ---------------------------------------------------------------------------------------


def _record(
    connection: Connection,
    changes: Iterable[tuple[int, str | None, str | None]],
    state: SubscriptionState,
    act: StateChange,
) -> None:
    """Add (subscriber, digest, old state) changes to the history."""
    rows = [
        {
            "subscriber_id": who,
            "digest": digest,
            "old_state": old,
            "new_state": state.value,
            "source": act.source.value,
            "changed_at": act.at,
            "reason": act.reason,
        }
        for who, digest, old in changes
    ]
    insert_rows(connection, subscription_event, rows)


def record_event(
    connection: Connection, subscriber_id: int, old: SubscriptionState, new: SubscriptionState, act: StateChange
) -> None:
    """Add a change of everything, such as a suppression, to a subscriber's history."""
    _record(connection, [(subscriber_id, None, old.value)], new, act)


_ADDRESS_CHANGED: Final = "another address"


def record_address_change(connection: Connection, subscriber_id: int, state: SubscriptionState, at: int) -> None:
    """Add a change of address, which changes no state, to a subscriber's history; AT in seconds since 1970."""
    record_event(connection, subscriber_id, state, state, StateChange(ChangeSource.PREFERENCES, at, _ADDRESS_CHANGED))


def has_changed_address_since(connection: Connection, subscriber_id: int, at: int) -> bool:
    """Return whether a subscriber has changed their address at AT (seconds since 1970) or later."""
    query = select(subscription_event.c.id).where(
        subscription_event.c.subscriber_id == subscriber_id,
        subscription_event.c.source == ChangeSource.PREFERENCES.value,
        subscription_event.c.reason == _ADDRESS_CHANGED,
        subscription_event.c.changed_at >= at,
    )
    return connection.execute(query.limit(1)).first() is not None


def load_history(connection: Connection, subscriber_id: int) -> list[SubscriptionEvent]:
    """Return a subscriber's changes of state, oldest first."""
    query = select(subscription_event).where(subscription_event.c.subscriber_id == subscriber_id)
    return [_event(row) for row in connection.execute(query.order_by(subscription_event.c.id))]


def load_unclear_events(connection: Connection) -> list[tuple[str, SubscriptionEvent]]:
    """Return (address, event) of people whose state could not be derived with certainty, and stands as it was derived."""
    theirs = and_(
        subscription.c.subscriber_id == subscription_event.c.subscriber_id,
        subscription.c.digest == subscription_event.c.digest,
    )
    gone, derived = _State.UNSUBSCRIBED.value, ChangeSource.MIGRATION.value
    query = (
        select(subscription_event, subscriber.c.address)
        .join(subscriber, subscriber.c.id == subscription_event.c.subscriber_id)
        .outerjoin(subscription, theirs)
        .where(
            subscription_event.c.source == derived,
            subscription_event.c.reason != "",
            subscriber.c.is_suppressed.is_(False),
            or_(
                and_(subscription.c.state == gone, subscription.c.source == derived),
                and_(
                    subscription_event.c.digest.is_(None),
                    subscriber.c.state == gone,
                    subscriber.c.state_source == derived,
                ),
            ),
        )
        .order_by(subscription_event.c.id)
    )
    return [(row.address, _event(row)) for row in connection.execute(query)]


def _event(row: Any) -> SubscriptionEvent:
    return SubscriptionEvent(
        digest=row.digest,
        old_state=row.old_state,
        new_state=row.new_state,
        source=row.source,
        at=row.changed_at,
        reason=row.reason,
    )
