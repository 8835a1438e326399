"""The delivery ledger: the state of each delivery. Each step is stored before it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from publisher.delivery.claims_store import Claim
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.storage.bulk import execute_rows, select_mapping
from publisher.storage.tables.delivery import attempt, delivery, sent_day
from publisher.storage.tables.subscribers import subscriber

_State: Final = DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUpdate:
    """The new state of a claimed delivery."""

    claim: Claim
    state: DeliveryState
    answer: str
    #: Time of the next attempt, in seconds since 1970; 0 for at once.
    due_at: int = 0
    #: Text for the delivery history; empty to store no attempt.
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as it is stored."""

    subscriber_id: int
    variant: int
    state: DeliveryState
    attempts: int
    due_at: int
    handed_at: int | None
    changed_at: int | None
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt after which the delivery was not finished."""

    number: int
    attempted_at: int
    outcome: str
    answer: str


# -- state changes ---------------------------------------------------------------------------------

_IS_CLAIM = and_(delivery.c.issue_id == bindparam("issue"), delivery.c.subscriber_id == bindparam("subscriber"))
#: A reply also replaces the state "uncertain" that another process set meanwhile, but not for a later attempt.
_SETTLE = (
    update(delivery)
    .where(
        _IS_CLAIM,
        delivery.c.attempts == bindparam("attempt"),
        or_(
            delivery.c.sender_id == bindparam("sender"),
            and_(delivery.c.state == _State.UNCERTAIN.value, bindparam("known") == 1),
        ),
    )
    .values(
        state=bindparam("new_state"),
        answer=bindparam("answer"),
        due_at=bindparam("due"),
        changed_at=bindparam("now"),
        sender_id=None,
    )
)
_ADD_ATTEMPT = insert(attempt).values(
    issue_id=bindparam("issue"),
    subscriber_id=bindparam("subscriber"),
    number=bindparam("attempt"),
    attempted_at=bindparam("now"),
    outcome=bindparam("new_state"),
    answer=bindparam("answer"),
)


def record_outcomes(connection: Connection, updates: Sequence[DeliveryUpdate], sender: int, now: int) -> None:
    """Store the new states of deliveries that this sender claimed."""
    names = ("issue", "subscriber", "attempt", "sender", "known", "new_state", "answer", "due", "now")
    known = (_State.ACCEPTED, _State.FAILED, _State.DEFERRED)
    rows = [
        (
            change.claim.issue_id,
            change.claim.subscriber_id,
            change.claim.attempts,
            sender,
            int(change.state in known),
            change.state.value,
            change.answer,
            change.due_at,
            now,
        )
        for change in updates
    ]
    execute_rows(connection, _SETTLE, names, rows)
    attempts = [
        (change.claim.issue_id, change.claim.subscriber_id, change.claim.attempts, now, change.state.value, change.note)
        for change in updates
        if change.note
    ]
    execute_rows(connection, _ADD_ATTEMPT, ("issue", "subscriber", "attempt", "now", "new_state", "answer"), attempts)


def recover_deliveries(
    connection: Connection, sender: int, now: int, *, policy: UncertainPolicy, is_idempotent: bool
) -> None:
    """Recover the deliveries of a sender that has ended.

    Those that it claimed and did not hand over are queued again, which does not count as an attempt. POLICY decides about
    those that were handed over and have no outcome; they are queued again too if sending is idempotent.
    """
    requeue = update(delivery).values(state=_State.QUEUED.value, sender_id=None)
    claimed = and_(delivery.c.sender_id == sender, delivery.c.state == _State.SENDING.value)
    connection.execute(requeue.where(claimed).values(attempts=delivery.c.attempts - 1))
    handed = and_(delivery.c.sender_id == sender, delivery.c.state == _State.HANDED_OVER.value)
    if is_idempotent:
        connection.execute(requeue.where(handed))
        return
    words = "the sender ended while the message was sent, before the reply was stored"
    for issue_id, number in connection.execute(
        select(delivery.c.issue_id, delivery.c.subscriber_id).where(handed)
    ).all():
        _mark_uncertain(connection, issue_id, number, now, policy, words)


def _mark_uncertain(
    connection: Connection, issue_id: int, number: int, now: int, policy: UncertainPolicy, words: str
) -> None:
    is_delivery = and_(delivery.c.issue_id == issue_id, delivery.c.subscriber_id == number)
    state, answer = {
        UncertainPolicy.HOLD: (_State.UNCERTAIN, words),
        UncertainPolicy.RESEND: (_State.QUEUED, words),
        UncertainPolicy.SKIP: (_State.ACCEPTED, f"counted as delivered: {words}"),
    }[policy]
    attempts = connection.execute(select(delivery.c.attempts).where(is_delivery)).scalar_one()
    known = select(attempt.c.number).where(
        attempt.c.issue_id == issue_id, attempt.c.subscriber_id == number, attempt.c.number == attempts
    )
    if connection.execute(known).first() is None:
        row = (issue_id, number, attempts, now, _State.UNCERTAIN.value, words)
        execute_rows(connection, _ADD_ATTEMPT, ("issue", "subscriber", "attempt", "now", "new_state", "answer"), [row])
    connection.execute(
        update(delivery)
        .where(is_delivery)
        .values(state=state.value, answer=answer, sender_id=None, changed_at=now, due_at=0)
    )


def resolve_uncertain(connection: Connection, issue_id: int, now: int, policy: UncertainPolicy) -> None:
    """Apply a policy to the uncertain deliveries of an issue."""
    for row in deliveries_in_state(connection, issue_id, _State.UNCERTAIN):
        _mark_uncertain(connection, issue_id, row.subscriber_id, now, policy, row.answer or "")


# -- queries ---------------------------------------------------------------------------------------


_COLUMNS: Final = tuple(delivery.c[field.name] for field in fields(Delivery))


def _deliveries(connection: Connection, *conditions: ColumnElement[bool]) -> list[Delivery]:
    query = select(*_COLUMNS).where(*conditions).order_by(delivery.c.subscriber_id)
    rows = connection.execute(query).mappings()
    return [Delivery(**{**row, "state": DeliveryState(row["state"])}) for row in rows]


def delivery_of(connection: Connection, issue_id: int, subscriber_id: int) -> Delivery | None:
    """Return the delivery of an issue to a subscriber; None if there is none."""
    found = _deliveries(connection, delivery.c.issue_id == issue_id, delivery.c.subscriber_id == subscriber_id)
    return found[0] if found else None


def deliveries_in_state(connection: Connection, issue_id: int, state: DeliveryState) -> list[Delivery]:
    """Return the deliveries of an issue in a state, by subscriber."""
    is_in_state = delivery.c.state == literal_column(f"'{state.value}'")
    return _deliveries(connection, delivery.c.issue_id == issue_id, is_in_state)


def uncertain_addresses(connection: Connection, issue_id: int) -> tuple[str, ...]:
    """Return the addresses of the uncertain deliveries of an issue, by subscriber."""
    uncertain = deliveries_in_state(connection, issue_id, _State.UNCERTAIN)
    addresses = select_mapping(
        connection, subscriber.c.id, subscriber.c.address, [delivery.subscriber_id for delivery in uncertain]
    )
    return tuple(addresses.get(one.subscriber_id, f"subscriber {one.subscriber_id}, erased") for one in uncertain)


def attempts_of(connection: Connection, issue_id: int, subscriber_id: int) -> list[Attempt]:
    """Return the attempts after which a delivery was not finished, oldest first."""
    columns = [attempt.c[field.name] for field in fields(Attempt)]
    query = select(*columns).where(attempt.c.issue_id == issue_id, attempt.c.subscriber_id == subscriber_id)
    return [Attempt(**row) for row in connection.execute(query.order_by(attempt.c.number)).mappings()]


def first_attempt(connection: Connection, issue_id: int, subscriber_id: int) -> int | None:
    """Return when the first stored attempt was made, in seconds since 1970; or None."""
    is_attempt = and_(attempt.c.issue_id == issue_id, attempt.c.subscriber_id == subscriber_id)
    return connection.execute(select(func.min(attempt.c.attempted_at)).where(is_attempt)).scalar()


def state_counts(connection: Connection, issue_id: int | None = None) -> dict[int, dict[DeliveryState, int]]:
    """Return issue → state → number of deliveries."""
    query = select(delivery.c.issue_id, delivery.c.state, func.count()).group_by(delivery.c.issue_id, delivery.c.state)
    if issue_id is not None:
        query = query.where(delivery.c.issue_id == issue_id)
    counts: dict[int, dict[DeliveryState, int]] = {}
    for number, state, count in connection.execute(query):
        counts.setdefault(number, {})[DeliveryState(state)] = count
    return counts


_WAITING: Final[Any] = literal_column("'queued'"), literal_column("'deferred'")


def next_due(connection: Connection, issue_id: int) -> int | None:
    """Return when the next queued delivery is due, 0 for at once; None if none is queued."""
    query = select(func.min(delivery.c.due_at)).where(delivery.c.issue_id == issue_id, delivery.c.state.in_(_WAITING))
    return connection.execute(query).scalar()


def count_due(connection: Connection, issue_id: int, now: int) -> int:
    """Return the number of deliveries of an issue that are due."""
    query = select(func.count()).where(
        delivery.c.issue_id == issue_id, delivery.c.state.in_(_WAITING), delivery.c.due_at <= now
    )
    return int(connection.execute(query).scalar_one())


def reschedule_delivery(connection: Connection, issue_id: int, subscriber_id: int, due: int, now: int) -> None:
    """Change when a delivery is due, if it is queued for a later time and was not attempted."""
    is_delivery = and_(delivery.c.issue_id == issue_id, delivery.c.subscriber_id == subscriber_id)
    waits = and_(delivery.c.state == literal_column("'queued'"), delivery.c.due_at > now)
    connection.execute(update(delivery).where(is_delivery, waits).values(due_at=due))


def count_sent_on(connection: Connection, day: str) -> int:
    """Return the number of messages sent on a day (``2026-11-23``) in the site's time zone."""
    return int(connection.execute(select(sent_day.c.messages).where(sent_day.c.day == day)).scalar() or 0)


def add_sent(connection: Connection, day: str, messages: int) -> None:
    """Add to the number of messages sent on a day."""
    # An upsert, because two senders may be the first of a day. SQLite and PostgreSQL share this syntax.
    statement = (
        "INSERT INTO sent_day VALUES (:day, :n) ON CONFLICT (day) DO UPDATE SET messages = sent_day.messages + :n"
    )
    connection.execute(text(statement), {"day": day, "n": messages})
