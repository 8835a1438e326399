"""Review doubtful suppressions, and states that an upgrade had to guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.delivery import bounces_store as bounces
from publisher.mail.bounces import judge_failure
from publisher.mail.replies import Reason
from publisher.model.result import Result
from publisher.model.subscriptions import ChangeSource
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.store import Subscriber
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import convert_unsubscribed, suppression_hash
from publisher.subscribers.suppression_store import Suppression

if TYPE_CHECKING:
    from publisher.signing.keyring import Keyring

_BOUNCE_DAYS: Final = 30
#: A reply code or an enhanced status code: only replies of servers are reviewed.
_SERVER_WORDS: Final = re.compile(r"(?<![\w.-])[45][0-9]{2}\b|(?<![0-9.])[45]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9]|\.[0-9])")
#: The note of a suppression after several soft bounces, now and in older versions.
_SOFT_NOTE: Final = re.compile(r"(?:copies of )?([0-9]{1,4}) issues (?:came back|bounced) within [0-9]{1,4} days; ")
_STATUS_FIRST: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:$| )")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtfulSuppression(Result):
    """A suppression that today's rules would not make."""

    address: str
    #: The form in which two spellings of the address are equal.
    key: str = field(metadata={"json": None})
    #: The reply of the server, as stored with the suppression.
    words: str
    #: The meaning of the reply by today's rules.
    reason: Reason
    suppressed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnclearState(Result):
    """A person who counts as unsubscribed because an older version did not store their state."""

    address: str
    #: The digest; None for everything.
    digest: str | None
    reason: str
    since: datetime


def unclear_states(context: Context) -> list[UnclearState]:
    """Return states that an upgrade had to guess, and that were not changed since."""
    with context.db.write() as connection:
        convert_unsubscribed(connection, keyring(context.site, connection))
        return [
            UnclearState(
                address=address,
                digest=event.digest or None,
                reason=event.reason,
                since=datetime.fromtimestamp(event.at, UTC).astimezone(context.site.tz),
            )
            for address, event in subscriptions.load_unclear_events(connection)
        ]


def stored_reason(note: str) -> Reason | None:
    """Return the meaning of a suppression's note today; None if it holds no reply of a server."""
    if not _SERVER_WORDS.search(note):
        return None
    match = _STATUS_FIRST.match(note)
    return judge_failure(note[match.end() :], match[1]) if match else judge_failure(note, "")


def doubtful_suppressions(context: Context) -> list[DoubtfulSuppression]:
    """Return the suppressions that today's rules would not make, by order of subscription."""
    with context.db.read() as connection:
        return list(_doubtful(connection, context.site, keyring(context.site, connection)))


def lift_suppressions(context: Context, doubtful: Sequence[DoubtfulSuppression]) -> list[str]:
    """Lift suppressions in one transaction; return the addresses.

    They are from `doubtful_suppressions`. Each subscriber has the state from before the suppression again. A suppression
    that has another reason by now, such as a complaint, is kept.
    """
    change = StateChange(ChangeSource.OPERATOR, context.seconds, "the server's words were not about the address")
    keys = {entry.key for entry in doubtful}
    with context.db.write() as connection:
        subscribers.lock_subscribers(connection)
        ring = keyring(context.site, connection)
        lifted = [entry for entry in _doubtful(connection, context.site, ring) if entry.key in keys]
        for entry in lifted:
            suppression.lift_suppression(connection, suppression_hash(ring, entry.key), entry.key, change)
    return [entry.address for entry in lifted]


def _doubtful(connection: Connection, site: Site, ring: Keyring) -> Iterator[DoubtfulSuppression]:
    for page in subscribers.subscriber_pages(connection):
        hashes = {suppression_hash(ring, person.key): person for person in page}
        suppressions = suppression.load_suppressions(connection, hashes)
        for hashed, subscriber in hashes.items():
            if (why := suppressions.get(hashed)) and (reason := _doubt(connection, subscriber, why)) is not None:
                yield DoubtfulSuppression(
                    address=subscriber.address,
                    key=subscriber.key,
                    words=why.note,
                    reason=reason,
                    suppressed_at=datetime.fromtimestamp(why.at, UTC).astimezone(site.tz),
                )


def _doubt(connection: Connection, subscriber: Subscriber, why: Suppression) -> Reason | None:
    """Return the meaning of a suppression's words; None if it is justified or unclear."""
    if why.reason != "bounced" or bounces.has_complained(connection, subscriber.id):
        return None
    match = _SOFT_NOTE.match(why.note)
    if match is None:
        reason = stored_reason(why.note)
        return None if reason is Reason.ADDRESS else reason
    since = why.at - _BOUNCE_DAYS * 86_400
    soft = bounces.soft_bounces(connection, subscriber.id, since, why.at)
    judged = [(bounce.issue_id, judge_failure(bounce.answer, bounce.status)) for bounce in soft]
    counted = {issue_id for issue_id, reason in judged if not reason.is_about_sender}
    if len(counted) >= int(match[1]):
        return None
    return next((reason for _, reason in judged if reason.is_about_sender), Reason.UNKNOWN)
