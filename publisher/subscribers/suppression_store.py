"""The suppression list: addresses that get no mail, why, and by which channel that became known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from publisher.model.subscriptions import SubscriptionState
from publisher.storage.bulk import batches
from publisher.storage.tables.subscribers import subscriber, suppression
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange, record_event, unsubscribe

__all__ = [
    "Suppression",
    "SuppressionChannel",
    "add_suppression",
    "lift_suppression",
    "load_suppressions",
    "replace_bounce_suppression",
]


class SuppressionChannel(StrEnum):
    """How it became known that an address may not be mailed."""

    #: A mail server's reply during delivery.
    SMTP = "smtp"
    #: A bounce message.
    BOUNCE = "bounce"
    #: A complaint message, in versions in which it suppressed the address.
    COMPLAINT = "complaint"
    #: A mail provider's own, authenticated channel.
    PROVIDER = "provider"
    IMPORT = "import"
    OPERATOR = "operator"
    ERASURE = "erasure"
    #: The subscriber's own change of address.
    PREFERENCES = "preferences"

    @property
    def is_mail(self) -> bool:
        """Whether it is a mailbox, to which anybody can write."""
        return self in _MAIL


_MAIL: Final = frozenset([SuppressionChannel.BOUNCE, SuppressionChannel.COMPLAINT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why an address gets no mail."""

    #: ``unsubscribed``, ``bounced``, ``complained``, ``forgotten``, ``asked``, or ``moved`` for an address that its
    #: subscriber has exchanged for another one.
    reason: str
    channel: SuppressionChannel
    note: str
    #: Seconds since 1970.
    at: int

    @property
    def is_undoable(self) -> bool:
        """Whether the owner of the address can undo it by the subscribe form and a confirmation email."""
        return self.reason in _UNDOABLE or self.channel.is_mail


#: Reasons that the person's own confirmation ends, whatever the channel.
_UNDOABLE: Final = ("unsubscribed", "forgotten", "moved")
#: Reason of a suppression → the source of the change in the subscriber's history.
_SUPPRESSED_BY: Final = {
    "unsubscribed": ChangeSource.IMPORT,
    "bounced": ChangeSource.BOUNCE,
    "complained": ChangeSource.COMPLAINT,
    "forgotten": ChangeSource.ERASURE,
    "asked": ChangeSource.OPERATOR,
    "moved": ChangeSource.PREFERENCES,
}
#: Reasons that replace the others.
_FINAL: Final = ("complained", "forgotten")
#: Reasons that mean that the person left every digest.
_DEPARTURES: Final = {"unsubscribed": ChangeSource.IMPORT, "complained": ChangeSource.COMPLAINT}


def load_suppressions(connection: Connection, hashes: Iterable[str]) -> dict[str, Suppression]:
    """Return hash → why, of the addresses among these that are on the suppression list."""
    found: dict[str, Suppression] = {}
    for page in batches(hashes):
        for row in connection.execute(select(suppression).where(suppression.c.hash.in_(page))):
            found[row.hash] = Suppression(
                reason=row.reason, channel=SuppressionChannel(row.channel), note=row.note, at=row.suppressed_at
            )
    return found


def add_suppression(
    connection: Connection, hashed: str, key: str | None, reason: str, channel: SuppressionChannel, note: str, now: int
) -> bool:
    """Put an address on the suppression list; return False if it was there already.

    The subscriber's own state is kept beneath. A complaint or an erasure replaces another reason, every reason replaces
    a change of address, and any other channel replaces a mailbox: what an operator or a list asked for cannot be undone
    as a bounce can.

    Args:
        connection: to the store, in a transaction.
        hashed: the address's keyed hash.
        key: the address, in the form in which two spellings are equal; None if it is not known.
        reason: one of those that ``suppression.reason`` names.
        channel: how it became known.
        note: the words of a server or an operator.
        now: seconds since 1970.
    """
    before = load_suppressions(connection, [hashed]).get(hashed)
    if key is not None:
        row = connection.execute(
            select(subscriber.c.id, subscriber.c.state, subscriber.c.is_suppressed).where(subscriber.c.key == key)
        ).first()
        if row is not None and not row.is_suppressed:
            connection.execute(update(subscriber).where(subscriber.c.id == row.id).values(is_suppressed=True))
            act = StateChange(_SUPPRESSED_BY.get(reason, ChangeSource.OPERATOR), now, note)
            record_event(connection, row.id, SubscriptionState(row.state), SubscriptionState.SUPPRESSED, act)
    values: dict[str, Any] = {"reason": reason, "channel": channel.value, "note": note, "suppressed_at": now}
    if before is None:
        connection.execute(insert(suppression).values(hash=hashed, **values))
        return True
    is_stronger = before.reason == "moved" or (before.reason, reason) == ("bounced", "asked")
    if not is_stronger and (reason not in _FINAL or before.reason in _FINAL):
        values = {"channel": channel.value} if before.channel.is_mail and not channel.is_mail else {}
    if values:
        connection.execute(update(suppression).where(suppression.c.hash == hashed).values(**values))
    return False


def replace_bounce_suppression(
    connection: Connection, hashed: str, reason: str, channel: SuppressionChannel, note: str, now: int
) -> None:
    """Give a suppression by a bounce another reason, such as a person's wish, which no review of bounces lifts."""
    is_bounce = (suppression.c.hash == hashed) & (suppression.c.reason == "bounced")
    values = {"reason": reason, "channel": channel.value, "note": note, "suppressed_at": now}
    connection.execute(update(suppression).where(is_bounce).values(**values))


def lift_suppression(connection: Connection, hashed: str, key: str, act: StateChange) -> None:
    """Take an address off the suppression list: its subscriber has the state from before again.

    Somebody whom an older version suppressed as unsubscribed, or after a complaint, is then unsubscribed from everything.
    """
    before = load_suppressions(connection, [hashed]).get(hashed)
    connection.execute(delete(suppression).where(suppression.c.hash == hashed))
    who = connection.execute(select(subscriber.c.id).where(subscriber.c.key == key)).scalar()
    if who is None:
        return
    if before is not None and before.reason in _DEPARTURES:
        unsubscribe(connection, who, StateChange(_DEPARTURES[before.reason], before.at, before.note))
    row = connection.execute(select(subscriber.c.state, subscriber.c.is_suppressed).where(subscriber.c.id == who)).one()
    if row.is_suppressed:
        connection.execute(update(subscriber).where(subscriber.c.id == who).values(is_suppressed=False))
        record_event(connection, who, SubscriptionState.SUPPRESSED, SubscriptionState(row.state), act)
