"""Send deliveries over SMTP, with several relays and one connection a lane."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

from publisher.mail.outcome import Outcome, RelayFault, Reply, lost_outcome, message_outcome, recipient_outcome
from publisher.mail.relay_state import RelayState
from publisher.mail.smtp_connection import Connection, ConnectionLost, Relay, Timeouts
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState

__all__ = ["SmtpTransport"]

_DOT: Final = b".\r\n"


@dataclass(slots=True, kw_only=True)
class SmtpTransport:
    """Several relays, used by their weights; one that fails is not used for a while."""

    relays: Sequence[Relay]
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: Seconds after which a run gives up on relays that are all paused.
    max_pause_seconds: float = 60.0
    clock: Callable[[], float] = monotonic
    is_idempotent: bool = False
    is_local: bool = False
    _states: dict[int, RelayState] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin with every relay usable."""
        self._states = {number: RelayState() for number in range(len(self.relays))}

    def state_of(self, number: int) -> RelayState:
        """Return the state of a relay, by its position."""
        return self._states[number]

    def stop_relay(self, name: str, words: str) -> bool:
        """Stop the use of a relay in this run; return whether there is such a relay."""
        numbers = [number for number, relay in enumerate(self.relays) if relay.name == name]
        with self._lock:
            for number in numbers:
                self._states[number].stop(words)
        return bool(numbers)

    def run(self, feed: MessageSource, lane: int) -> None:
        """Send what the feed gives, over the relay that has most room."""
        number = self._choose()
        began = self.clock()
        relay, state = self.relays[number], self._states[number]
        try:
            connection = Connection.open(relay, self.timeouts)
            try:
                _Session(connection, relay, feed, self.timeouts, state, self._lock).run()
            finally:
                connection.close()
        except RelayFault as error:
            with self._lock:
                state.record_fault(error, began, self.clock())
        finally:
            with self._lock:
                state.connections -= 1

    def _choose(self) -> int:
        """Return the relay for a connection that needs one.

        Raises:
            RelayFault: no relay can be used; final where none will be usable soon.
        """
        with self._lock:
            now = self.clock()
            usable = [number for number, state in self._states.items() if state.is_usable(now)]
            if usable:
                best = min(
                    usable, key=lambda number: (self._states[number].connections + 1) / self.relays[number].weight
                )
                self._states[best].connections += 1
                return best
            pauses = [state.not_before - now for state in self._states.values() if not state.refused]
            said = "; ".join(f"{relay.name} {self._states[number].words}" for number, relay in enumerate(self.relays))
            raise RelayFault(said, is_final=not pauses or min(pauses) > self.max_pause_seconds)


class _ConnectionClosed(Exception):
    """The server takes leave; there is nothing wrong with it."""


class _Session:
    """The dialogue on one connection."""

    def __init__(
        self,
        connection: Connection,
        relay: Relay,
        feed: MessageSource,
        timeouts: Timeouts,
        state: RelayState,
        lock: threading.Lock,
    ) -> None:
        self._connection = connection
        self._relay = relay
        self._feed = feed
        self._timeouts = timeouts
        self._state = state
        self._lock = lock
        extensions = connection.extensions
        self._pipelines = "PIPELINING" in extensions
        self._takes_utf8 = "SMTPUTF8" in extensions
        self._takes_8bit = "8BITMIME" in extensions
        self._names_size = "SIZE" in extensions

    def run(self) -> None:
        """Send until the feed gives nothing, or the connection ends.

        Raises:
            RelayFault: the relay is of no use for now, or at all.
        """
        try:
            while not self._state.refused and (copy := self._next(wait=True)) is not None:
                ready = self._envelope(copy)
                while ready:
                    copy, ready = self._message(copy)
        except _ConnectionClosed:
            return
        self._connection.quit()

    def _next(self, *, wait: bool) -> OutgoingMessage | None:
        """Return the next copy that this server can take at all."""
        while (copy := self._feed.take(wait=wait)) is not None:
            limit = self._connection.size_limit
            if limit is not None and len(copy.data) > limit:
                self._settle(copy, Outcome(state=DeliveryState.QUEUED, answer=""))
                raise RelayFault(
                    f"takes no more than {limit:,} bytes, this message has {len(copy.data):,}", is_final=True
                )
            if not copy.needs_utf8 or self._takes_utf8:
                return copy
            words = "the server takes no addresses with letters beyond ASCII (SMTPUTF8, RFC 6531)"
            self._settle(copy, Outcome(state=DeliveryState.FAILED, answer=words))
        return None

    def _commands(self, copy: OutgoingMessage) -> tuple[str, str, str]:
        options = f" SIZE={len(copy.data)}" if self._names_size else ""
        if copy.needs_utf8:
            options += (" BODY=8BITMIME" if self._takes_8bit else "") + " SMTPUTF8"
        return f"MAIL FROM:<{copy.return_path}>{options}\r\n", f"RCPT TO:<{copy.recipient}>\r\n", "DATA\r\n"

    def _envelope(self, copy: OutgoingMessage) -> bool:
        try:
            if self._pipelines:
                self._connection.write("".join(self._commands(copy)).encode())
            return self._read_envelope(copy)
        except ConnectionLost as error:
            raise self._given_back(copy, error) from error

    def _read_envelope(self, copy: OutgoingMessage) -> bool:
        """Return whether the server waits for the message; if not, what became of the copy is settled."""
        if not self._pipelines:
            return self._ask_envelope(copy)
        seconds = self._timeouts.command
        mail = self._connection.read(seconds)
        recipient = mail if mail.code == 421 else self._connection.read(seconds)
        # After 421 nothing more is said.
        data = recipient if recipient.code == 421 else self._connection.read(max(seconds, self._timeouts.data))
        if data.code == 354 and not (200 <= mail.code < 300 and 200 <= recipient.code < 300):
            # It waits for a message to nobody (RFC 2920 §3.1): it gets an empty one, which it has to refuse.
            self._connection.write(_DOT)
            self._connection.read(self._timeouts.final)
        return self._judge(copy, mail, recipient, data)

    def _ask_envelope(self, copy: OutgoingMessage) -> bool:
        commands = self._commands(copy)
        replies: list[Reply] = []
        for command in commands:
            self._connection.write(command.encode())
            replies.append(self._connection.read(self._timeouts.command))
            if replies[-1].code >= 400:
                break
        if len(replies) < 3:
            # What was not asked was not refused.
            if replies[-1].code != 421:
                self._connection.ask("RSET")
            replies += [Reply(code=250, lines=())] * (3 - len(replies))
        return self._judge(copy, *replies)

    def _judge(self, copy: OutgoingMessage, mail: Reply, recipient: Reply, data: Reply) -> bool:
        """Return whether the message may follow; settle the copy and tell the relay's fault if not."""
        if mail.code >= 400:
            # Of us, not of the reader: everybody would be refused.
            self._settle(copy, Outcome(state=DeliveryState.QUEUED, answer=self._said(mail.text)))
            raise RelayFault(f"answers {mail.text} to our sender address", is_final=mail.code >= 500)
        try:
            refused = recipient_outcome(recipient)
        except RelayFault as error:
            self._settle(copy, Outcome(state=DeliveryState.QUEUED, answer=self._said(recipient.text)))
            raise error from None
        if refused is not None:
            self._settle(copy, refused)
            if recipient.code == 421:
                raise _ConnectionClosed
            return False
        if data.code != 354:
            self._settle(
                copy, message_outcome(data) if data.code >= 400 else lost_outcome("no 354 to DATA", all_sent=False)
            )
            if data.code == 421:
                raise _ConnectionClosed
            if data.code < 400:
                raise RelayFault(f"answers {data.text} to DATA")
            return False
        return True

    def _message(self, copy: OutgoingMessage) -> tuple[OutgoingMessage, bool]:
        """Send a message that the server waits for, and the next one's envelope behind it.

        Returns:
            The next copy and whether the server waits for its message; the same copy and False
            where there is none.
        """
        if self._state.refused:
            # Other connections have lost messages meanwhile. The server has none of this one yet.
            self._settle(copy, Outcome(state=DeliveryState.QUEUED, answer=""))
            raise RelayFault(self._state.words)
        is_ours = self._feed.hand_over(copy)
        following = self._next_while_waiting(copy, is_ours) if self._pipelines else None
        if not is_ours():
            for one in (copy, following):
                if one is not None:
                    self._settle(one, Outcome(state=DeliveryState.QUEUED, answer=""))
            # The server waits for a message that may not leave any more: only closing the connection helps.
            raise _ConnectionClosed
        envelope = "".join(self._commands(following)).encode() if following else b""
        self._send(copy, following, envelope)
        if following is None:
            return copy, False
        try:
            return following, self._read_envelope(following)
        except ConnectionLost as error:
            raise self._given_back(following, error) from error

    def _next_while_waiting(self, copy: OutgoingMessage, is_ours: Callable[[], bool]) -> OutgoingMessage | None:
        """Return the next copy, made while the hand-over is written down."""
        try:
            return self._next(wait=False)
        except RelayFault:
            # The server is left with the message that it waits for not begun.
            is_ours()
            self._settle(copy, Outcome(state=DeliveryState.QUEUED, answer=""))
            raise

    def _send(self, copy: OutgoingMessage, following: OutgoingMessage | None, envelope: bytes) -> None:
        end = len(copy.data) + len(_DOT)
        left: ConnectionLost | None = None
        try:
            self._connection.write(b"".join((copy.data, _DOT, envelope)))
        except ConnectionLost as error:
            left = error
        try:
            if left is not None and left.sent < end:
                raise left
            reply = self._connection.read(self._timeouts.final)
        except ConnectionLost as error:
            all_sent = left is None or left.sent >= end
            outcome = lost_outcome(error.reason, all_sent=all_sent)
            with self._lock:
                self._state.record_loss(error.reason)
            self._settle(copy, replace(outcome, answer=self._said(outcome.answer)))
            if following is not None:
                self._settle(following, Outcome(state=DeliveryState.QUEUED, answer=""))
            raise RelayFault(error.reason) from error
        outcome = message_outcome(reply)
        with self._lock:
            if outcome.state is DeliveryState.ACCEPTED:
                self._state.record_success()
            elif outcome.state is DeliveryState.UNCERTAIN:
                self._state.record_loss(outcome.answer)
        self._settle(copy, outcome)
        if reply.code == 421 or left is not None or outcome.state is DeliveryState.UNCERTAIN:
            if following is not None:
                self._settle(following, Outcome(state=DeliveryState.QUEUED, answer=""))
            raise _ConnectionClosed

    def _given_back(self, copy: OutgoingMessage, error: ConnectionLost) -> RelayFault:
        """Give back a copy of which nothing has left, and return the relay's fault."""
        self._settle(copy, Outcome(state=DeliveryState.QUEUED, answer=self._said(error.reason)))
        return RelayFault(error.reason)

    def _settle(self, copy: OutgoingMessage, outcome: Outcome) -> None:
        if outcome.state is not DeliveryState.QUEUED:
            is_named = outcome.answer.startswith(self._relay.host)
            answer = outcome.answer if is_named else self._said(outcome.answer)
            outcome = replace(outcome, answer=answer, relay=self._relay.name)
        self._feed.record_outcome(copy, outcome)

    def _said(self, words: str) -> str:
        return f"{self._relay.host}: {words}"
