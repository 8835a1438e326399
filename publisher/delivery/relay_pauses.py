"""Pauses of relays that lost messages.

They are stored between runs, because each loss is an uncertain delivery.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.backoff import Backoff
from publisher.mail.smtp_transport import SmtpTransport
from publisher.mail.transport import Transport
from publisher.storage.engine import Database
from publisher.storage.facts import delete_fact, facts_with_prefix, set_fact
from publisher.storage.locks import advisory_lock

PAUSES: Final = Backoff(15 * 60, 4 * 3600)
#: Prefix of stored facts: ``relay HOST:PORT`` → number of pauses in a row, and the end (seconds since 1970).
_PREFIX: Final = "relay "


def load_pauses(connection: Connection, transport: Transport, now: datetime, *, is_attended: bool) -> datetime | None:
    """Stop the use of paused relays, and put relays on probation whose pause is over.

    If a person waits for the run (IS_ATTENDED), pauses end now. Returns when the first pause ends if every relay is paused;
    otherwise None.
    """
    if not isinstance(transport, SmtpTransport):
        return None
    stored = facts_with_prefix(connection, _PREFIX)
    ends = []
    for relay, state in zip(transport.relays, transport.states, strict=True):
        text = stored.get(f"{_PREFIX}{relay.name}")
        if text is None:
            continue
        until = _parse_pause(text)[1]
        state.is_on_probation = True
        # A longer pause than the longest was set by a clock that was ahead.
        if now < until <= now + timedelta(seconds=PAUSES.longest) and not is_attended:
            state.refused = f"lost messages and is paused until {until:%Y-%m-%d %H:%M} UTC"
            state.words = state.refused
            ends.append(until)
    return min(ends) if len(ends) == len(transport.relays) else None


def save_pauses(db: Database, transport: Transport, now: datetime) -> None:
    """Store pauses of relays that lost messages, and delete those of relays that accepted one."""
    if not isinstance(transport, SmtpTransport):
        return
    states = zip((relay.name for relay in transport.relays), transport.states, strict=True)
    changed = [(name, state) for name, state in states if state.has_lost or state.has_accepted]
    with db.read() as connection:
        stored = facts_with_prefix(connection, _PREFIX)
    if not any(state.has_lost or f"{_PREFIX}{name}" in stored for name, state in changed):
        return
    with db.write() as connection:
        advisory_lock(connection, _PREFIX)
        stored = facts_with_prefix(connection, _PREFIX)
        for name, state in changed:
            key = f"{_PREFIX}{name}"
            if not state.has_lost:
                delete_fact(connection, key)
                continue
            count = _parse_pause(stored[key])[0] + 1 if key in stored else 1
            set_fact(connection, key, f"{count} {int(now.timestamp()) + PAUSES.pause(count)}")


def _parse_pause(text: str) -> tuple[int, datetime]:
    count, _, until = text.partition(" ")
    return int(count), datetime.fromtimestamp(int(until), UTC)
