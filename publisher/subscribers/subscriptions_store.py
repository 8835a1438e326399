"""Queries of subscription states per subscriber and digest, with their history."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from publisher.model.result import Result, iso_time
from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.storage.bulk import batches, execute_rows, insert_rows, select_mapping
from publisher.storage.tables.subscribers import subscriber, subscription, subscription_event

_State: Final = SubscriptionState


@dataclass(frozen=True, slots=True)
class StateChange:
    """The source, time and reason of a change of state."""

    source: ChangeSource
    #: Seconds since 1970.
    at: int
    #: In the words of an operator or a mail server; empty for no reason.
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber's state for one digest."""

    state: SubscriptionState
    #: Seconds since 1970.
    changed_at: int
    source: ChangeSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEvent(Result):
    """A change of state in a subscriber's history."""

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
            "at": iso_time(self.at),
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
    """Return subscriber ID → digest → state, by the digest's name."""
    states: dict[int, dict[str, Subscription]] = {}
    for page in batches(subscriber_ids):
        query = select(subscription).where(subscription.c.subscriber_id.in_(page)).order_by(subscription.c.digest)
        for row in connection.execute(query):
            states.setdefault(row.subscriber_id, {})[row.digest] = Subscription(
                _State(row.state), row.changed_at, ChangeSource(row.source)
            )
    return states


def insert_subscriptions(
    connection: Connection, rows: Iterable[tuple[str, int]], state: SubscriptionState, change: StateChange
) -> None:
    """Store the first state of new subscribers: (digest, subscriber ID) each."""
    unique = list(dict.fromkeys(rows))
    values = {"state": state.value, "changed_at": change.at, "source": change.source.value}
    insert_rows(
        connection,
        subscription,
        [{"digest": digest, "subscriber_id": subscriber_id, **values} for digest, subscriber_id in unique],
    )
    _record(connection, [(subscriber_id, digest, None) for digest, subscriber_id in unique], state, change)


def set_states(
    connection: Connection, rows: Iterable[tuple[str, int]], state: SubscriptionState, change: StateChange
) -> list[tuple[str, int]]:
    """Set the state of (digest, subscriber ID) pairs; return those that were changed.

    The state of the subscribers themselves follows: see :func:`_update_people`.
    """
    pairs = list(dict.fromkeys(rows))
    known = load_subscriptions(connection, {subscriber_id for _, subscriber_id in pairs})
    changed: list[tuple[str, int]] = []
    new: list[tuple[str, int]] = []
    for digest, subscriber_id in pairs:
        before = known.get(subscriber_id, {}).get(digest)
        if before is None:
            new.append((digest, subscriber_id))
        elif before.state is not state:
            changed.append((digest, subscriber_id))
    execute_rows(
        connection,
        _CHANGE,
        ("d", "s", "new_state", "at", "by"),
        [(digest, subscriber_id, state.value, change.at, change.source.value) for digest, subscriber_id in changed],
    )
    _record(
        connection,
        [(subscriber_id, digest, known[subscriber_id][digest].state.value) for digest, subscriber_id in changed],
        state,
        change,
    )
    insert_subscriptions(connection, new, state, change)
    _update_people(connection, {subscriber_id for _, subscriber_id in (*changed, *new)}, change)
    return changed + new


def unsubscribe(
    connection: Connection, subscriber_id: int, change: StateChange, digests: Collection[str] | None = None
) -> list[str]:
    """Unsubscribe a person from these digests, or from everything if None.

    Return the digests that were active. A person without an active subscription left has unsubscribed from
    everything, later digests included.
    """
    known = load_subscriptions(connection, [subscriber_id]).get(subscriber_id, {})
    named = list(known) if digests is None else list(digests)
    was_active = [name for name in named if name in known and known[name].state is _State.ACTIVE]
    set_states(connection, [(name, subscriber_id) for name in named], _State.UNSUBSCRIBED, change)
    if digests is None:
        opt_out(connection, [subscriber_id], change)
    return was_active


def restore_subscriptions(
    connection: Connection, subscriber_id: int, digest: str, change: StateChange, *, since: int
) -> list[str]:
    """Undo an unsubscription by the link; return the digests that are active again.

    One that was earlier than SINCE (seconds since 1970) is not undone.
    """
    known = load_subscriptions(connection, [subscriber_id]).get(subscriber_id, {})
    current = known.get(digest)
    if current is None or not can_undo(current, since, change.at):
        return []
    # One request may have ended several subscriptions.
    ended = [(name, subscriber_id) for name, one in known.items() if one == current]
    is_theirs = subscriber.c.id == subscriber_id
    connection.execute(
        update(subscriber).where(is_theirs, subscriber.c.opted_out_at == current.changed_at).values(opted_out_at=None)
    )
    return [name for name, _ in set_states(connection, ended, _State.ACTIVE, change)]


def can_undo(subscribed: Subscription, since: int, now: int) -> bool:
    """Return whether a person unsubscribed by the link between SINCE and NOW.

    A time in the future was stored by a clock that was ahead: it does not extend the period.
    """
    by_link = subscribed.source is ChangeSource.LINK
    return subscribed.state is _State.UNSUBSCRIBED and by_link and since <= subscribed.changed_at <= now


def _update_people(connection: Connection, subscriber_ids: Collection[int], change: StateChange) -> None:
    """Derive subscribers' own states from their subscriptions.

    Active with an active subscription; unsubscribed if all are unsubscribed; otherwise unconfirmed.
    """
    before = select_mapping(connection, subscriber.c.id, subscriber.c.state, subscriber_ids)
    new: dict[SubscriptionState, list[int]] = {}
    for subscriber_id, subscriptions in load_subscriptions(connection, before).items():
        state = overall_state(subscription.state for subscription in subscriptions.values())
        if before[subscriber_id] != state.value:
            new.setdefault(state, []).append(subscriber_id)
    for state, people in new.items():
        if state is _State.UNSUBSCRIBED:
            opt_out(connection, people, change)
        else:
            _set_people(connection, people, state, change)


def overall_state(states: Iterable[SubscriptionState]) -> SubscriptionState:
    """Return the state of a person with subscriptions in these states, at least one."""
    known = set(states)
    for state in (_State.ACTIVE, _State.UNSUBSCRIBED):
        if state in known:
            return state
    return _State.UNCONFIRMED


def _set_people(connection: Connection, people: Iterable[int], state: SubscriptionState, change: StateChange) -> None:
    for page in batches(people):
        connection.execute(
            update(subscriber)
            .where(subscriber.c.id.in_(page))
            .values(state=state.value, state_at=change.at, state_source=change.source.value)
        )


def opt_out(connection: Connection, people: Collection[int], change: StateChange) -> None:
    """Store that people have unsubscribed from everything, later digests included."""
    for page in batches(people):
        query = select(subscriber.c.id, subscriber.c.state).where(
            subscriber.c.id.in_(page),
            (subscriber.c.state != _State.UNSUBSCRIBED.value) | subscriber.c.opted_out_at.is_(None),
        )
        changed = [(subscriber_id, None, state) for subscriber_id, state in connection.execute(query)]
        _record(connection, changed, _State.UNSUBSCRIBED, change)
        ids = [subscriber_id for subscriber_id, _, _ in changed]
        _set_people(connection, ids, _State.UNSUBSCRIBED, change)
        is_first = and_(subscriber.c.id.in_(ids), subscriber.c.opted_out_at.is_(None))
        connection.execute(update(subscriber).where(is_first).values(opted_out_at=change.at))


def mark_opted_out(connection: Connection, subscriber_id: int, change: StateChange) -> None:
    """Store that a person with active subscriptions has unsubscribed from all others."""
    connection.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(opted_out_at=change.at))


# -- history ---------------------------------------------------------------------------------------


def _record(
    connection: Connection,
    changes: Iterable[tuple[int, str | None, str | None]],
    state: SubscriptionState,
    change: StateChange,
) -> None:
    """Add (subscriber ID, digest, old state) changes to the history."""
    rows = [
        {
            "subscriber_id": subscriber_id,
            "digest": digest,
            "old_state": old,
            "new_state": state.value,
            "source": change.source.value,
            "changed_at": change.at,
            "reason": change.reason,
        }
        for subscriber_id, digest, old in changes
    ]
    insert_rows(connection, subscription_event, rows)


def record_event(
    connection: Connection, subscriber_id: int, old: SubscriptionState, new: SubscriptionState, change: StateChange
) -> None:
    """Add a change of everything, such as a suppression, to a subscriber's history."""
    _record(connection, [(subscriber_id, None, old.value)], new, change)


_ADDRESS_CHANGED: Final = "another address"


def record_address_change(connection: Connection, subscriber_id: int, state: SubscriptionState, at: int) -> None:
    """Add a change of address, at AT (seconds since 1970), to a subscriber's history."""
    record_event(connection, subscriber_id, state, state, StateChange(ChangeSource.PREFERENCES, at, _ADDRESS_CHANGED))


def has_changed_address_since(connection: Connection, subscriber_id: int, at: int) -> bool:
    """Return whether a subscriber changed their address at AT (seconds since 1970) or later."""
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
    """Return (address, event) of states that an upgrade guessed and that have not changed."""
    same_subscription = and_(
        subscription.c.subscriber_id == subscription_event.c.subscriber_id,
        subscription.c.digest == subscription_event.c.digest,
    )
    unsubscribed, derived = _State.UNSUBSCRIBED.value, ChangeSource.MIGRATION.value
    query = (
        select(subscription_event, subscriber.c.address)
        .join(subscriber, subscriber.c.id == subscription_event.c.subscriber_id)
        .outerjoin(subscription, same_subscription)
        .where(
            subscription_event.c.source == derived,
            subscription_event.c.reason != "",
            subscriber.c.is_suppressed.is_(False),
            or_(
                and_(subscription.c.state == unsubscribed, subscription.c.source == derived),
                and_(
                    subscription_event.c.digest.is_(None),
                    subscriber.c.state == unsubscribed,
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
