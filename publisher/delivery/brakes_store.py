"""Stored provisional suppressions, counts of attempts, and stopped relays and domains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from publisher.delivery.brake_rules import RefusalGroup
from publisher.model.delivery import OPEN_STATES, DeliveryState
from publisher.model.result import Result
from publisher.storage.tables.delivery import delivery, provisional_suppression, refusal_window, suppression_brake

RELAY: Final = "relay"
DOMAIN: Final = "domain"


class Scope(NamedTuple):
    """A relay or a recipient domain."""

    #: ``relay`` or ``domain``.
    kind: str
    #: ``HOST:PORT`` of a relay, or the domain in ASCII.
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionalSuppression:
    """A refusal that suppresses its address unless too many are refused with the same words."""

    issue_id: int
    subscriber_id: int
    #: The address's keyed hash at the time of the refusal.
    hash: str
    relay: str
    domain: str
    #: The normalised words of the refusal; see `publisher.mail.refusals.refusal_key`.
    words: str
    names_address: bool
    #: The server's reply.
    note: str
    #: Seconds since 1970.
    refused_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake(Result):
    """A relay or a domain that an issue is not sent to until an operator decides."""

    issue_id: int = field(metadata={"json": None})
    #: ``relay`` or ``domain``.
    scope: str
    #: The relay as ``HOST:PORT``, or the domain.
    name: str
    words: str = field(metadata={"json": None})
    refused: int
    attempts: int
    #: One of the replies.
    note: str = field(metadata={"json": "reply"})
    #: Seconds since 1970.
    stopped_at: int = field(metadata={"json": None})

    @property
    def target(self) -> Scope:
        """The relay or the domain."""
        return Scope(self.scope, self.name)

    def describe(self) -> str:
        """Return the brake for a line of text."""
        where = f"relay {self.name}" if self.scope == RELAY else self.name
        return f"{where} refused {self.refused:,} of {self.attempts:,} deliveries with the same words: {self.note!r}"


def resume_advice(issue: str) -> str:
    """Return what an operator can do about the brakes of an issue (``DIGEST/NAME``)."""
    return (
        f"Nobody is suppressed for it. If these addresses are gone, 'publish resume {issue} --accept' suppresses them; "
        f"if the server was wrong, 'publish resume {issue} --retry' sends to them again"
    )


_ADD_ATTEMPTS: Final = (
    "INSERT INTO refusal_window (issue_id, scope, name, attempts) VALUES (:issue, :kind, :name, :count) "
    "ON CONFLICT (issue_id, scope, name) DO UPDATE SET attempts = refusal_window.attempts + :count"
)


def add_attempts(connection: Connection, issue_id: int, counts: Mapping[Scope, int]) -> None:
    """Add to the answered attempts of scopes since their refusals were last judged."""
    # Always in the same order: two senders must not wait for each other's rows.
    for scope, count in sorted(counts.items()):
        connection.execute(
            text(_ADD_ATTEMPTS), {"issue": issue_id, "kind": scope.kind, "name": scope.name, "count": count}
        )


def _at_scope(table: Table, issue_id: int, scope: Scope) -> ColumnElement[bool]:
    return and_(table.c.issue_id == issue_id, table.c.scope == scope.kind, table.c.name == scope.name)


def count_attempts(connection: Connection, issue_id: int, scope: Scope) -> int:
    """Return the number of answered attempts of a scope since its refusals were last judged."""
    query = select(refusal_window.c.attempts).where(_at_scope(refusal_window, issue_id, scope))
    return int(connection.execute(query).scalar() or 0)


def close_window(connection: Connection, issue_id: int, scope: Scope) -> None:
    """Delete the count of a scope's attempts."""
    connection.execute(delete(refusal_window).where(_at_scope(refusal_window, issue_id, scope)))


def add_provisional_suppressions(connection: Connection, refused: Iterable[ProvisionalSuppression]) -> None:
    """Store provisional suppressions, one for each subscriber of an issue."""
    for row in refused:
        same = _of_issue(row.issue_id, provisional_suppression.c.subscriber_id == row.subscriber_id)
        connection.execute(delete(provisional_suppression).where(same))
        connection.execute(insert(provisional_suppression).values(asdict(row)))


def _of_issue(issue_id: int, *conditions: Any) -> Any:
    return and_(provisional_suppression.c.issue_id == issue_id, *conditions)


#: Kind of a scope → the column with its name, and the one that marks its refusals as judged.
_SCOPES: Final = {
    RELAY: (provisional_suppression.c.relay, provisional_suppression.c.is_relay_judged),
    DOMAIN: (provisional_suppression.c.domain, provisional_suppression.c.is_domain_judged),
}


def _in_scope(scope: Scope) -> ColumnElement[bool]:
    return _SCOPES[scope.kind][0] == scope.name


def unsettled_scopes(connection: Connection, issue_id: int) -> set[Scope]:
    """Return the scopes of an issue with refusals that are not judged yet."""
    return {
        Scope(kind, name)
        for kind, (column, judged) in _SCOPES.items()
        for name in connection.execute(
            select(column).where(_of_issue(issue_id, judged.is_(False))).distinct()
        ).scalars()
    }


def refusal_groups(connection: Connection, issue_id: int, scope: Scope) -> list[RefusalGroup]:
    """Return the refusals of a scope that are not judged yet, grouped by their words."""
    table, (_, judged) = provisional_suppression.c, _SCOPES[scope.kind]
    query = (
        select(table.words, table.names_address, func.count())
        .where(_of_issue(issue_id, _in_scope(scope), judged.is_(False)))
        .group_by(table.words, table.names_address)
    )
    return [RefusalGroup(words=row[0], names_address=row[1], count=row[2]) for row in connection.execute(query)]


def settle_scope(connection: Connection, issue_id: int, scope: Scope) -> None:
    """Record that a scope's refusals may suppress."""
    _, judged = _SCOPES[scope.kind]
    is_theirs = _of_issue(issue_id, _in_scope(scope))
    connection.execute(update(provisional_suppression).where(is_theirs).values({judged.name: True}))


def take_settled(connection: Connection, issue_id: int) -> list[ProvisionalSuppression]:
    """Delete and return the refusals that are judged for their relay and for their domain."""
    table = provisional_suppression.c
    is_judged = _of_issue(issue_id, table.is_relay_judged.is_(True), table.is_domain_judged.is_(True))
    settled = _select(connection, is_judged)
    if settled:
        connection.execute(delete(provisional_suppression).where(is_judged))
    return settled


def provisional_suppressions(connection: Connection, issue_id: int) -> list[ProvisionalSuppression]:
    """Return an issue's provisional suppressions, by subscriber."""
    return _select(connection, _of_issue(issue_id))


def _select(connection: Connection, condition: Any) -> list[ProvisionalSuppression]:
    columns = [provisional_suppression.c[field.name] for field in fields(ProvisionalSuppression)]
    query = select(*columns).where(condition).order_by(provisional_suppression.c.subscriber_id)
    return [ProvisionalSuppression(**row) for row in connection.execute(query).mappings()]


def is_provisionally_suppressed(connection: Connection, hashed: str) -> bool:
    """Return whether an address, by its keyed hash, is suppressed provisionally."""
    query = select(provisional_suppression.c.hash).where(provisional_suppression.c.hash == hashed)
    return connection.execute(query.limit(1)).first() is not None


def is_provisional_subscriber(subscriber_id: Any) -> Any:
    """Return an SQL condition for a provisionally suppressed subscriber (number or column)."""
    return exists(
        select(provisional_suppression.c.issue_id).where(provisional_suppression.c.subscriber_id == subscriber_id)
    )


def issues_to_settle(connection: Connection) -> list[int]:
    """Return the issues with provisional suppressions and without open deliveries."""
    ids = connection.execute(select(provisional_suppression.c.issue_id).distinct()).scalars().all()
    return [number for number in sorted(ids) if not has_open_deliveries(connection, number)]


def has_open_deliveries(connection: Connection, issue_id: int) -> bool:
    """Return whether an issue has open deliveries, without provisionally suppressed people."""
    query = select(delivery.c.subscriber_id).where(
        delivery.c.issue_id == issue_id,
        delivery.c.state.in_(OPEN_STATES),
        # Otherwise two issues could wait for each other's end.
        ~is_provisional_subscriber(delivery.c.subscriber_id),
    )
    return connection.execute(query.limit(1)).first() is not None


# -- brakes ----------------------------------------------------------------------------------------


def add_brake(connection: Connection, brake: Brake) -> None:
    """Store a brake. A scope has at most one that is not accepted."""
    connection.execute(insert(suppression_brake).values(asdict(brake)))


def open_brakes(connection: Connection, issue_id: int | None = None) -> list[Brake]:
    """Return the brakes that no operator has decided about, of one issue or of all."""
    table = suppression_brake.c
    query = select(*(table[field.name] for field in fields(Brake))).where(table.accepted_at.is_(None))
    if issue_id is not None:
        query = query.where(table.issue_id == issue_id)
    query = query.order_by(table.issue_id, table.stopped_at, table.scope, table.name)
    return [Brake(**row) for row in connection.execute(query).mappings()]


def accepted_words(connection: Connection, issue_id: int) -> set[str]:
    """Return the words of an issue's refusals that an operator accepted."""
    table = suppression_brake.c
    query = select(table.words).where(table.issue_id == issue_id, table.accepted_at.is_not(None))
    return set(connection.execute(query).scalars())


def accept_brakes(connection: Connection, accepted: Sequence[Brake], now: int) -> None:
    """Record that an operator accepted brakes: their scopes and words may suppress."""
    table = provisional_suppression.c
    for brake in accepted:
        rows = _of_issue(brake.issue_id, or_(_in_scope(brake.target), table.words == brake.words))
        connection.execute(
            update(provisional_suppression).where(rows).values(is_relay_judged=True, is_domain_judged=True)
        )
        connection.execute(update(suppression_brake).where(_is_brake(brake)).values(accepted_at=now))
        close_window(connection, brake.issue_id, brake.target)


def _is_brake(brake: Brake) -> ColumnElement[bool]:
    is_at_scope = _at_scope(suppression_brake, brake.issue_id, brake.target)
    return and_(is_at_scope, suppression_brake.c.words == brake.words)


def discard_brakes(connection: Connection, discarded: Collection[Brake]) -> int:
    """Delete brakes with their refusals, and requeue the deliveries; return their number."""
    queued = 0
    for brake in discarded:
        rows = _of_issue(brake.issue_id, _in_scope(brake.target))
        people = select(provisional_suppression.c.subscriber_id).where(rows)
        refused = and_(
            delivery.c.issue_id == brake.issue_id,
            delivery.c.subscriber_id.in_(people),
            delivery.c.state == DeliveryState.FAILED.value,
        )
        queued += connection.execute(
            update(delivery).where(refused).values(state=DeliveryState.QUEUED.value, due_at=0, sender_id=None)
        ).rowcount
        connection.execute(delete(provisional_suppression).where(rows))
        connection.execute(delete(suppression_brake).where(_is_brake(brake)))
        close_window(connection, brake.issue_id, brake.target)
    return queued
