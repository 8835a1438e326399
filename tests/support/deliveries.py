"""Helpers for tests of delivery: states, tokens, and a transport with short timeouts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, text

from publisher.mail.site_transport import make_transport
from publisher.mail.smtp_connection import Timeouts
from publisher.mail.smtp_transport import SmtpTransport
from publisher.model.subscriptions import SubscriptionState
from tests.conftest import NOW, MailKit
from tests.support.smtp import Script

#: Short enough for a test; the real ones are minutes.
QUICK = Timeouts(connect=2, greeting=0.6, command=0.6, data=0.6, block=0.6, final=0.6)


def transport(kit: MailKit, *, max_pause_seconds: float = 3) -> SmtpTransport:
    made = make_transport(kit.site)
    assert isinstance(made, SmtpTransport)
    # With this clock, pauses of a relay are twenty times shorter.
    return SmtpTransport(
        relays=made.relays, timeouts=QUICK, max_pause_seconds=max_pause_seconds, clock=lambda: time.monotonic() * 20
    )


def states(kit: MailKit) -> Counter[str]:
    from publisher.delivery import store as deliveries

    with kit.open() as db, db.read() as connection:
        return Counter(
            {state.value: n for counts in deliveries.state_counts(connection).values() for state, n in counts.items()}
        )


def accept_all(kit: MailKit, now: datetime = NOW) -> None:
    """Store every queued delivery as sent and accepted."""
    from sqlalchemy import update

    from publisher.storage.tables.delivery import delivery

    at = int(now.timestamp())
    with kit.open() as db, db.write() as connection:
        waiting = update(delivery).where(delivery.c.state == "queued")
        connection.execute(waiting.values(state="accepted", attempts=1, handed_at=at, changed_at=at))


def return_path(kit: MailKit, address: str, digest: str = "daily") -> str:
    """Return the return path of a subscriber's delivery of the newest issue of a digest."""
    from publisher.digests.lookup import find_issue
    from publisher.signing.site_key import keyring
    from publisher.subscribers import store as subscribers

    with kit.open() as db, db.write() as connection:
        subscriber = subscribers.find_by_key(connection, address)
        assert subscriber is not None
        issue = find_issue(connection, digest)
        return f"bounces+{keyring(kit.site, connection).return_path_token(issue.id, subscriber.id)}@review.example"


def suppressed(kit: MailKit) -> list[str]:
    from tests.support.use_cases import list_subscribers

    return [subscriber.address for subscriber in list_subscribers(kit.site, status=SubscriptionState.SUPPRESSED)]


def at(step: str, reply: str | type[Exception], *, times: int = 1, recipient: str = "") -> Script:
    """Return a script that sends a reply, or raises an exception, at a step for a number of times."""
    left = [times]
    lock = threading.Lock()

    def respond(current: str, argument: str, number: int) -> str | None:
        with lock:
            if current != step or not left[0] or (recipient and argument != recipient):
                return None
            left[0] -= 1
        if isinstance(reply, str):
            return reply
        raise reply

    return Script(at=respond)


def audience_of(connection: Connection, issue_id: int) -> list[tuple[int, int]]:
    """Return (subscriber, variant) of the audience of an issue, by subscriber, without welcome issues."""
    query = (
        "SELECT subscriber_id, variant FROM delivery WHERE issue_id = :issue AND origin <> 'welcome' "
        "ORDER BY subscriber_id"
    )
    return [(row[0], row[1]) for row in connection.execute(text(query), {"issue": issue_id})]
