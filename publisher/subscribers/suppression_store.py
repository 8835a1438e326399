"""Queries of the suppression list: addresses that get no mail, with reason and channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.storage.bulk import batches
from publisher.storage.tables.subscribers import subscriber, suppression
from publisher.subscribers.subscriptions_store import StateChange, record_event, unsubscribe


class SuppressionChannel(StrEnum):
    """How it became known that an address must not be mailed."""

    #: A mail server's reply during delivery.
    SMTP = "smtp"
    #: A bounce message.
    BOUNCE = "bounce"
    #: A complaint message; older versions suppressed the address.
    COMPLAINT = "complaint"
    #: A complaint by a mail provider's authenticated channel.
    PROVIDER = "provider"
    IMPORT = "import"
    OPERATOR = "operator"
    ERASURE = "erasure"
    #: The subscriber's own change of address.
    PREFERENCES = "preferences"

    @property
    def is_mail(self) -> bool:
        """Whether the channel is a mailbox, to which anybody can write."""
        return self in _MAIL


_MAIL: Final = frozenset([SuppressionChannel.BOUNCE, SuppressionChannel.COMPLAINT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why an address is suppressed."""

    #: ``unsubscribed``, ``bounced``, ``complained``, ``forgotten``, ``asked``, or ``moved`` for an address that its
    #: subscriber has exchanged for another one.
    reason: str
    channel: SuppressionChannel
    note: str
    #: Seconds since 1970.
    at: int

    @property
    def words(self) -> str:
        """The reason in words, such as ``suppressed after a bounce``."""
        return SUPPRESSION_WORDS[self.reason]

    @property
    def is_undoable(self) -> bool:
        """Whether the owner of the address can lift it by the subscribe form and a confirmation."""
        return self.reason in _UNDOABLE or self.channel.is_mail


#: Reasons that the person's own confirmation lifts, whatever the channel.
_UNDOABLE: Final = ("unsubscribed", "forgotten", "moved")
#: Reason of a suppression → its words for a person.
SUPPRESSION_WORDS: Final = {
    "asked": "suppressed on request",
    "bounced": "suppressed after a bounce",
    "complained": "suppressed after a complaint",
    "forgotten": "erased",
    "moved": "replaced by another address of the subscriber",
    "unsubscribed": "unsubscribed",
}
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
_UNSUBSCRIBING_REASONS: Final = ("unsubscribed", "complained")


def load_suppressions(connection: Connection, hashes: Iterable[str]) -> dict[str, Suppression]:
    """Return hash → suppression, of the addresses among these that are suppressed."""
    suppressed: dict[str, Suppression] = {}
    for page in batches(hashes):
        for row in connection.execute(select(suppression).where(suppression.c.hash.in_(page))):
            suppressed[row.hash] = Suppression(
                reason=row.reason, channel=SuppressionChannel(row.channel), note=row.note, at=row.suppressed_at
            )
    return suppressed


def add_suppression(
    connection: Connection, hashed: str, key: str | None, reason: str, channel: SuppressionChannel, note: str, now: int
) -> bool:
    """Put an address on the suppression list; return False if it was already there.

    It is given by its keyed hash; its normalised KEY is None if it is not known. The subscriber's own state is kept. A
    complaint or an erasure replaces another reason, every reason replaces a change of address, a request replaces a bounce,
    and any other channel replaces a mailbox: the request of an operator or a list cannot be undone as a bounce can.
    """
    before = load_suppressions(connection, [hashed]).get(hashed)
    if key is not None:
        row = connection.execute(
            select(subscriber.c.id, subscriber.c.state, subscriber.c.is_suppressed).where(subscriber.c.key == key)
        ).first()
        if row is not None and not row.is_suppressed:
            connection.execute(update(subscriber).where(subscriber.c.id == row.id).values(is_suppressed=True))
            change = StateChange(_SUPPRESSED_BY[reason], now, note)
            record_event(connection, row.id, SubscriptionState(row.state), SubscriptionState.SUPPRESSED, change)
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


def lift_suppression(connection: Connection, hashed: str, key: str, change: StateChange) -> None:
    """Remove an address from the suppression list: its subscriber has the state from before.

    People whom an older version suppressed as unsubscribed, or after a complaint, are then unsubscribed from
    everything.
    """
    before = load_suppressions(connection, [hashed]).get(hashed)
    connection.execute(delete(suppression).where(suppression.c.hash == hashed))
    subscriber_id = connection.execute(select(subscriber.c.id).where(subscriber.c.key == key)).scalar()
    if subscriber_id is None:
        return
    if before is not None and before.reason in _UNSUBSCRIBING_REASONS:
        unsubscribe(connection, subscriber_id, StateChange(_SUPPRESSED_BY[before.reason], before.at, before.note))
    row = connection.execute(
        select(subscriber.c.state, subscriber.c.is_suppressed).where(subscriber.c.id == subscriber_id)
    ).one()
    if row.is_suppressed:
        connection.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(is_suppressed=False))
        record_event(connection, subscriber_id, SubscriptionState.SUPPRESSED, SubscriptionState(row.state), change)
