"""Queries for the audience of an issue: subscribers and their queued deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from publisher.delivery.claims_store import Claim
from publisher.model.delivery import DeliveryState
from publisher.storage.bulk import batches, execute_rows
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.subscribers import subscriber, subscription
from publisher.subscribers.recipients_store import IS_ACTIVE, SUBSCRIBERS

_State: Final = DeliveryState
_STREAMED: Final = {"stream_results": True, "yield_per": 5000}
#: States of deliveries whose articles count as received.
_RECEIVED_STATES: Final = (
    _State.QUEUED,
    _State.SENDING,
    _State.HANDED_OVER,
    _State.ACCEPTED,
    _State.DEFERRED,
    _State.UNCERTAIN,
)


def lock_audience(connection: Connection) -> None:
    """Let no other transaction change subscribers or subscriptions until this one ends.

    A transaction of SQLite excludes other writers anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE subscriber, subscription IN SHARE MODE"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The active subscribers of a digest, some of whom have deliveries of earlier issues."""

    digest: str
    #: Earlier issues with articles of this one.
    overlapping_issues: frozenset[int]
    #: The current time, in seconds since 1970. Subscribers who pause beyond it are left out.
    now: int

    @property
    def are_active(self) -> ColumnElement[bool]:
        """The condition for all members."""
        gets_mail = func.coalesce(subscriber.c.paused_until, 0) <= self.now
        return and_(subscription.c.digest == self.digest, IS_ACTIVE, gets_mail)

    @property
    def have_received(self) -> ColumnElement[bool]:
        """The condition for their deliveries of the overlapping issues that count as received."""
        return and_(
            delivery.c.subscriber_id == subscription.c.subscriber_id,
            delivery.c.issue_id.in_(sorted(self.overlapping_issues)),
            delivery.c.state.in_(_RECEIVED_STATES),
        )

    @property
    def are_new(self) -> ColumnElement[bool]:
        """The condition for members without such deliveries."""
        if not self.overlapping_issues:
            return self.are_active
        return and_(self.are_active, ~exists().where(self.have_received).correlate(subscription))


def new_member_groups(connection: Connection, members: Members) -> list[tuple[int, str | None]]:
    """Return the distinct (interests, zone) of the members without earlier deliveries."""
    # SQLite would sort all subscribers in memory to count them by group.
    query = select(subscriber.c.interests_id, subscriber.c.zone).distinct().select_from(SUBSCRIBERS)
    rows = connection.execute(query.where(members.are_new))
    return sorted(((row[0], row[1]) for row in rows), key=lambda group: (group[0], group[1] or ""))


def count_new_members(connection: Connection, members: Members, interests: Collection[int]) -> int:
    """Return the number of the members without earlier deliveries who have some interests."""
    query = select(func.count()).select_from(SUBSCRIBERS).where(members.are_new)
    return sum(
        int(connection.execute(query.where(subscriber.c.interests_id.in_(page))).scalar_one())
        for page in batches(interests)
    )


def count_deliveries_in_zone(connection: Connection, issue_id: int, zone: str) -> int:
    """Return the number of deliveries of an issue to subscribers in a time zone."""
    query = select(func.count()).select_from(delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
    is_wanted = (delivery.c.issue_id == issue_id) & (subscriber.c.zone == zone)
    return int(connection.execute(query.where(is_wanted)).scalar_one())


def members_with_deliveries(
    connection: Connection, members: Members
) -> Iterator[tuple[int, int, str | None, tuple[tuple[int, int], ...]]]:
    """Yield (subscriber, interests, zone, deliveries) of the other members; a delivery is (issue, variant)."""
    if not members.overlapping_issues:
        return
    query = (
        select(subscriber.c.id, subscriber.c.interests_id, subscriber.c.zone, delivery.c.issue_id, delivery.c.variant)
        .select_from(SUBSCRIBERS.join(delivery, members.have_received))
        .where(members.are_active)
        .order_by(subscription.c.subscriber_id)
    )
    rows = connection.execute(query, execution_options=_STREAMED)
    for (number, interests_id, zone), group in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        yield number, interests_id, zone, tuple(sorted((row[3], row[4]) for row in group))


#: Origin of a delivery to a subscriber who subscribed after the audience was fixed.
_WELCOME: Final = "welcome"

_NEW = insert(delivery).values(
    issue_id=bindparam("issue_id"),
    subscriber_id=bindparam("subscriber_id"),
    variant=bindparam("variant"),
    state=literal_column("'queued'"),
    due_at=bindparam("due_at"),
)


def add_deliveries(connection: Connection, issue_id: int, rows: Iterable[tuple[int, int, int]]) -> int:
    """Queue deliveries of an issue, (subscriber, variant, due) each; return their number.

    Due is in seconds since 1970, 0 for at once.
    """
    total = 0
    with_issue = ((issue_id, *row) for row in rows)
    while page := list(islice(with_issue, 20_000)):
        execute_rows(connection, _NEW, ("issue_id", "subscriber_id", "variant", "due_at"), page)
        total += len(page)
    return total


def add_new_members(
    connection: Connection,
    issue_id: int,
    members: Members,
    *,
    variants: Mapping[int, int],
    due: Mapping[str | None, int],
) -> int:
    """Queue deliveries of an issue to the members without earlier deliveries; return their number.

    Args:
        variants: interests → variant. Subscribers with other interests get nothing.
        due: time zone → when its deliveries are due, in seconds since 1970; 0 for at once.
    """
    if not variants:
        return 0
    zone = func.coalesce(subscriber.c.zone, "")
    due_at = _choice(zone, {name or "": at for name, at in due.items()}, BigInteger())
    total = 0
    for page in batches(sorted(variants)):
        chosen = {interests_id: variants[interests_id] for interests_id in page}
        query = (
            select(
                literal(issue_id, Integer()),
                subscription.c.subscriber_id,
                _choice(subscriber.c.interests_id, chosen, Integer()),
                literal(_State.QUEUED.value, Text()),
                due_at,
            )
            .select_from(SUBSCRIBERS)
            .where(members.are_new, subscriber.c.interests_id.in_(page))
            .order_by(subscription.c.subscriber_id)
        )
        names = ["issue_id", "subscriber_id", "variant", "state", "due_at"]
        queued = connection.execute(
            insert(delivery).from_select(names, query), execution_options={"preserve_rowcount": True}
        )
        total += queued.rowcount
    return total


def _choice(column: ColumnElement[Any], values: Mapping[Any, int], kind: TypeEngine[int]) -> ColumnElement[int]:
    """Return an expression with the value of a column in a mapping; the most frequent value is the last one tried."""
    keys: dict[int, list[Any]] = {}
    for key, value in values.items():
        keys.setdefault(value, []).append(key)
    *others, last = sorted(keys, key=lambda value: len(keys[value]))
    if not others:
        return literal(last, kind)
    return case(*((column.in_(keys[value]), literal(value, kind)) for value in others), else_=literal(last, kind))


def record_welcome_delivery(connection: Connection, claim: Claim, now: int, answer: str) -> None:
    """Store the delivery of an issue to a person who subscribed after it was made, unless the person was erased since."""
    query = select(subscriber.c.id).where(subscriber.c.id == claim.subscriber_id).with_for_update(read=True)
    if connection.execute(query).first() is None:
        return
    connection.execute(
        insert(delivery).values(
            issue_id=claim.issue_id,
            subscriber_id=claim.subscriber_id,
            variant=claim.variant,
            state=_State.ACCEPTED.value,
            attempts=claim.attempts,
            origin=_WELCOME,
            first_handed_at=claim.first_handed_at,
            handed_at=now,
            changed_at=now,
            answer=answer,
        )
    )
