"""The delivery ledger: the state of each delivery of each issue. Each step is stored before it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, func, insert, literal_column, or_, select, text, update

from publisher.delivery.claims_store import Claim, claim, hand_over
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.storage.bulk import execute_rows
from publisher.storage.tables.delivery import attempt, delivery, sent_day

__all__ = [
    "Attempt",
    "Claim",
    "Delivery",
    "DeliveryUpdate",
    "add_sent",
    "attempts_of",
    "claim",
    "count_due",
    "count_sent_on",
    "deliveries_in_state",
    "delivery_of",
    "first_attempt",
    "hand_over",
    "next_due",
    "record_outcomes",
    "recover_deliveries",
    "release_claims",
    "reschedule_delivery",
    "resolve_uncertain",
    "state_counts",
]

_S: Final = DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUpdate:
    """What became of a copy that was taken."""

    claim: Claim
    state: DeliveryState
    answer: str
    #: When it is tried again, seconds since 1970; 0 for at once.
    due_at: int = 0
    #: What to write into the story of its attempts; empty for nothing.
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A copy, as the ledger has it."""

    issue_id: int
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
    """An attempt at a copy that did not end the matter."""

    number: int
    at: int
    outcome: str
    answer: str


# -- the steps of a copy ---------------------------------------------------------------------------

_MINE = and_(delivery.c.issue_id == bindparam("i"), delivery.c.subscriber_id == bindparam("s"))
#: An answer also settles what somebody else took for uncertain meanwhile, but no later attempt.
_SETTLE = (
    update(delivery)
    .where(
        _MINE,
        delivery.c.attempts == bindparam("attempt"),
        or_(
            delivery.c.sender_id == bindparam("sender"),
            and_(delivery.c.state == _S.UNCERTAIN.value, bindparam("known") == 1),
        ),
    )
    .values(
        state=bindparam("new_state"),
        answer=bindparam("said"),
        due_at=bindparam("due"),
        changed_at=bindparam("now"),
        sender_id=None,
    )
)
_TELL = insert(attempt).values(
    issue_id=bindparam("i"),
    subscriber_id=bindparam("s"),
    number=bindparam("attempt"),
    attempted_at=bindparam("now"),
    outcome=bindparam("new_state"),
    answer=bindparam("said"),
)


def record_outcomes(connection: Connection, settlements: Sequence[DeliveryUpdate], sender: int, now: int) -> None:
    """Note what became of copies that this sender has taken."""
    names = ("i", "s", "attempt", "sender", "known", "new_state", "said", "due", "now")
    known = (_S.ACCEPTED, _S.FAILED, _S.DEFERRED)
    rows = [
        (
            one.claim.issue_id,
            one.claim.subscriber_id,
            one.claim.attempts,
            sender,
            int(one.state in known),
            one.state.value,
            one.answer,
            one.due_at,
            now,
        )
        for one in settlements
    ]
    execute_rows(connection, _SETTLE, names, rows)
    told = [
        (one.claim.issue_id, one.claim.subscriber_id, one.claim.attempts, now, one.state.value, one.note)
        for one in settlements
        if one.note
    ]
    execute_rows(connection, _TELL, ("i", "s", "attempt", "now", "new_state", "said"), told)


def release_claims(connection: Connection, sender: int) -> None:
    """Put back what a sender has taken and not begun; it does not count as an attempt."""
    mine = and_(delivery.c.sender_id == sender, delivery.c.state == _S.SENDING.value)
    connection.execute(
        update(delivery).where(mine).values(state=_S.QUEUED.value, sender_id=None, attempts=delivery.c.attempts - 1)
    )


def recover_deliveries(
    connection: Connection, sender: int, now: int, *, policy: UncertainPolicy, is_idempotent: bool
) -> int:
    """Take over from a sender that is dead; return of how many copies nobody knows what became of them.

    Args:
        connection: to the store.
        sender: its number.
        now: what time it is.
        policy: what becomes of what it had handed over.
        is_idempotent: whether that may simply be done again.
    """
    release_claims(connection, sender)
    handed = and_(delivery.c.sender_id == sender, delivery.c.state == _S.HANDED_OVER.value)
    if is_idempotent:
        connection.execute(update(delivery).where(handed).values(state=_S.QUEUED.value, sender_id=None))
        return 0
    words = "the sender ended after the message had left, or was about to, and before the answer was written down"
    rows = connection.execute(select(delivery.c.issue_id, delivery.c.subscriber_id).where(handed)).all()
    for issue_id, number in rows:
        _mark_uncertain(connection, issue_id, number, now, policy, words)
    return len(rows)


def _mark_uncertain(
    connection: Connection, issue_id: int, number: int, now: int, policy: UncertainPolicy, words: str
) -> None:
    mine = and_(delivery.c.issue_id == issue_id, delivery.c.subscriber_id == number)
    state, said = {
        UncertainPolicy.HOLD: (_S.UNCERTAIN, words),
        UncertainPolicy.RESEND: (_S.QUEUED, words),
        UncertainPolicy.SKIP: (_S.ACCEPTED, f"counted as delivered: {words}"),
    }[policy]
    tried = connection.execute(select(delivery.c.attempts).where(mine)).scalar_one()
    known = select(attempt.c.number).where(
        attempt.c.issue_id == issue_id, attempt.c.subscriber_id == number, attempt.c.number == tried
    )
    if connection.execute(known).first() is None:
        row = (issue_id, number, tried, now, _S.UNCERTAIN.value, words)
        execute_rows(connection, _TELL, ("i", "s", "attempt", "now", "new_state", "said"), [row])
    connection.execute(
        update(delivery).where(mine).values(state=state.value, answer=said, sender_id=None, changed_at=now, due_at=0)
    )


def resolve_uncertain(connection: Connection, issue_id: int, now: int, policy: UncertainPolicy) -> int:
    """Decide what becomes of an issue's uncertain copies; return how many there were."""
    rows = deliveries_in_state(connection, issue_id, _S.UNCERTAIN)
    for one in rows:
        _mark_uncertain(connection, issue_id, one.subscriber_id, now, policy, one.answer or "")
    return len(rows)


# -- questions -------------------------------------------------------------------------------------


def _delivery(row: Any) -> Delivery:
    return Delivery(
        issue_id=row.issue_id,
        subscriber_id=row.subscriber_id,
        variant=row.variant,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        handed_at=row.handed_at,
        changed_at=row.changed_at,
        answer=row.answer,
    )


def delivery_of(connection: Connection, issue_id: int, subscriber_id: int) -> Delivery | None:
    """Return the delivery of an issue to a subscriber; None where there is none."""
    query = select(delivery).where(delivery.c.issue_id == issue_id, delivery.c.subscriber_id == subscriber_id)
    row = connection.execute(query).first()
    return _delivery(row) if row else None


def deliveries_in_state(connection: Connection, issue_id: int, state: DeliveryState) -> list[Delivery]:
    """Return an issue's copies in a state, by reader."""
    query = select(delivery).where(
        delivery.c.issue_id == issue_id, delivery.c.state == literal_column(f"'{state.value}'")
    )
    return [_delivery(row) for row in connection.execute(query.order_by(delivery.c.subscriber_id))]


def attempts_of(connection: Connection, issue_id: int, subscriber_id: int) -> list[Attempt]:
    """Return the attempts at a copy that did not end the matter, oldest first."""
    mine = and_(attempt.c.issue_id == issue_id, attempt.c.subscriber_id == subscriber_id)
    return [
        Attempt(number=row.number, at=row.attempted_at, outcome=row.outcome, answer=row.answer)
        for row in connection.execute(select(attempt).where(mine).order_by(attempt.c.number))
    ]


def first_attempt(connection: Connection, issue_id: int, subscriber_id: int) -> int | None:
    """Return when a copy was tried first, as far as its story goes back."""
    mine = and_(attempt.c.issue_id == issue_id, attempt.c.subscriber_id == subscriber_id)
    return connection.execute(select(func.min(attempt.c.attempted_at)).where(mine)).scalar()


def state_counts(connection: Connection, issue_id: int | None = None) -> dict[int, dict[DeliveryState, int]]:
    """Return issue → state → how many copies."""
    query = select(delivery.c.issue_id, delivery.c.state, func.count()).group_by(delivery.c.issue_id, delivery.c.state)
    if issue_id is not None:
        query = query.where(delivery.c.issue_id == issue_id)
    found: dict[int, dict[DeliveryState, int]] = {}
    for number, state, count in connection.execute(query):
        found.setdefault(number, {})[DeliveryState(state)] = count
    return found


_WAITING: Final[Any] = literal_column("'queued'"), literal_column("'deferred'")


def next_due(connection: Connection, issue_id: int) -> int | None:
    """Return when the next of an issue's copies is due, 0 for at once; None where none waits."""
    query = select(func.min(delivery.c.due_at)).where(delivery.c.issue_id == issue_id, delivery.c.state.in_(_WAITING))
    return connection.execute(query).scalar()


def count_due(connection: Connection, issue_id: int, now: int) -> int:
    """Return how many of an issue's copies are to leave now."""
    query = select(func.count()).where(
        delivery.c.issue_id == issue_id, delivery.c.state.in_(_WAITING), delivery.c.due_at <= now
    )
    return int(connection.execute(query).scalar_one())


def reschedule_delivery(connection: Connection, issue_id: int, subscriber_id: int, due: int, now: int) -> None:
    """Let a copy that has a time of its own, and has not been tried, be due at another one."""
    mine = and_(delivery.c.issue_id == issue_id, delivery.c.subscriber_id == subscriber_id)
    waits = and_(delivery.c.state == literal_column("'queued'"), delivery.c.due_at > now)
    connection.execute(update(delivery).where(mine, waits).values(due_at=due))


def count_sent_on(connection: Connection, day: str) -> int:
    """Return how many copies left on a day of the newsroom's clock."""
    return int(connection.execute(select(sent_day.c.messages).where(sent_day.c.day == day)).scalar() or 0)


def add_sent(connection: Connection, day: str, copies: int) -> None:
    """Add to the copies that left on a day."""
    # Both databases know this form, and two senders may be the first of a day.
    statement = (
        "INSERT INTO sent_day VALUES (:day, :n) ON CONFLICT (day) DO UPDATE SET messages = sent_day.messages + :n"
    )
    connection.execute(text(statement), {"day": day, "n": copies})
