"""Send messages over SMTP, through several relays, with pipelining."""

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

_DOT: Final = b".\r\n"
_NOT_SENT: Final = Outcome(state=DeliveryState.QUEUED, answer="")


@dataclass(slots=True, kw_only=True)
class SmtpTransport:
    """Share connections between relays by their weights. A relay that fails is paused."""

    relays: Sequence[Relay]
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: A run ends if all relays are paused for longer than this.
    max_pause_seconds: float = 60.0
    clock: Callable[[], float] = monotonic
    is_idempotent: bool = False
    is_local: bool = False
    #: The state of each relay in this run.
    states: list[RelayState] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Start with every relay usable."""
        self.states = [RelayState() for _ in self.relays]

    def stop_relay(self, name: str, words: str) -> None:
        """Stop the use of a relay in this run."""
        with self._lock:
            for relay, state in zip(self.relays, self.states, strict=True):
                if relay.name == name:
                    state.stop(words)

    def run(self, source: MessageSource, connection_number: int) -> None:
        """Send the messages of a source over one connection to the least used relay."""
        number = self._choose()
        began = self.clock()
        relay, state = self.relays[number], self.states[number]
        try:
            connection = Connection.open(relay, self.timeouts)
            try:
                _Session(
                    connection=connection,
                    relay=relay,
                    source=source,
                    timeouts=self.timeouts,
                    state=state,
                    lock=self._lock,
                ).run()
            finally:
                connection.close()
        except RelayFault as error:
            with self._lock:
                state.record_fault(error, began, self.clock())
        finally:
            with self._lock:
                state.connections -= 1

    def _choose(self) -> int:
        """Return the number of the relay for a new connection.

        Raises:
            RelayFault: no relay can be used; final if none will be usable soon.
        """
        with self._lock:
            now = self.clock()
            usable = [number for number, state in enumerate(self.states) if state.is_usable(now)]
            if usable:
                best = min(
                    usable, key=lambda number: (self.states[number].connections + 1) / self.relays[number].weight
                )
                self.states[best].connections += 1
                return best
            pauses = [state.not_before - now for state in self.states if not state.refused]
            pairs = zip(self.relays, self.states, strict=True)
            words = "; ".join(f"{relay.name} {state.words}" for relay, state in pairs)
            raise RelayFault(words, is_final=not pauses or min(pauses) > self.max_pause_seconds)


class _ConnectionClosed(Exception):
    """The connection must not be used again, without a fault of the relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """The exchange of commands, messages and replies on one connection."""

    connection: Connection
    relay: Relay
    source: MessageSource
    timeouts: Timeouts
    state: RelayState
    #: Of the state.
    lock: threading.Lock

    def _has(self, extension: str) -> bool:
        return extension in self.connection.extensions

    def run(self) -> None:
        """Send messages until the source has none, or the connection ends.

        Raises:
            RelayFault: the relay cannot be used, for now or in this run.
        """
        try:
            while not self.state.refused and (message := self._next(wait=True)) is not None:
                is_ready = self._envelope(message)
                while is_ready:
                    message, is_ready = self._message(message)
        except _ConnectionClosed:
            return
        self.connection.quit()

    def _next(self, *, wait: bool) -> OutgoingMessage | None:
        """Return the next message that this server can accept by its size and its address."""
        while (message := self.source.take(wait=wait)) is not None:
            limit = self.connection.size_limit
            if limit is not None and len(message.data) > limit:
                self._record(message, _NOT_SENT)
                raise RelayFault(
                    f"accepts messages of at most {limit:,} bytes; this one has {len(message.data):,}", is_final=True
                )
            if not message.needs_utf8 or self._has("SMTPUTF8"):
                return message
            words = "the server does not support non-ASCII addresses (SMTPUTF8, RFC 6531)"
            self._record(message, Outcome(state=DeliveryState.FAILED, answer=words))
        return None

    def _commands(self, message: OutgoingMessage) -> tuple[str, str, str]:
        options = f" SIZE={len(message.data)}" if self._has("SIZE") else ""
        if message.needs_utf8:
            options += (" BODY=8BITMIME" if self._has("8BITMIME") else "") + " SMTPUTF8"
        return f"MAIL FROM:<{message.return_path}>{options}\r\n", f"RCPT TO:<{message.recipient}>\r\n", "DATA\r\n"

    def _envelope(self, message: OutgoingMessage) -> bool:
        try:
            if self._has("PIPELINING"):
                self.connection.write("".join(self._commands(message)).encode())
            return self._read_envelope(message)
        except ConnectionLost as error:
            raise self._requeue(message, error) from error

    def _read_envelope(self, message: OutgoingMessage) -> bool:
        """Return whether the server waits for the message.

        If it does not, the outcome is recorded.
        """
        if not self._has("PIPELINING"):
            return self._ask_envelope(message)
        seconds = self.timeouts.command
        mail = self.connection.read(seconds)
        recipient = mail if mail.code == 421 else self.connection.read(seconds)
        # No reply follows a 421.
        data = recipient if recipient.code == 421 else self.connection.read(max(seconds, self.timeouts.data))
        if data.code == 354 and not (200 <= mail.code < 300 and 200 <= recipient.code < 300):
            # The server waits for a message without recipients (RFC 2920 §3.1). It has to refuse an empty one.
            self.connection.write(_DOT)
            self.connection.read(self.timeouts.final)
        return self._is_accepted(message, mail, recipient, data)

    def _ask_envelope(self, message: OutgoingMessage) -> bool:
        replies: list[Reply] = []
        for command in self._commands(message):
            self.connection.write(command.encode())
            replies.append(self.connection.read(self.timeouts.command))
            if replies[-1].code >= 400:
                break
        if len(replies) < 3:
            # Commands that were not sent count as accepted.
            if replies[-1].code != 421:
                self.connection.ask("RSET")
            replies += [Reply(code=250, lines=())] * (3 - len(replies))
        return self._is_accepted(message, *replies)

    def _is_accepted(self, message: OutgoingMessage, mail: Reply, recipient: Reply, data: Reply) -> bool:
        """Return whether the message may be sent. If it may not, record the outcome.

        Raises:
            RelayFault: the refusal concerns all messages.
        """
        if mail.code >= 400:
            # A refusal of the sender address says nothing about the subscriber.
            self._record(message, Outcome(state=DeliveryState.QUEUED, answer=self._with_host(mail.text)))
            raise RelayFault(f"rejected the sender address: {mail.text}", is_final=mail.code >= 500)
        try:
            refused = recipient_outcome(recipient)
        except RelayFault as error:
            self._record(message, Outcome(state=DeliveryState.QUEUED, answer=self._with_host(recipient.text)))
            raise error from None
        if refused is not None:
            self._record(message, refused)
            if recipient.code == 421:
                raise _ConnectionClosed
            return False
        if data.code != 354:
            self._record(
                message, message_outcome(data) if data.code >= 400 else lost_outcome("no 354 to DATA", all_sent=False)
            )
            if data.code == 421:
                raise _ConnectionClosed
            if data.code < 400:
                raise RelayFault(f"sent an unexpected reply to DATA: {data.text}")
            return False
        return True

    def _message(self, message: OutgoingMessage) -> tuple[OutgoingMessage, bool]:
        """Send a message that the server waits for, and the envelope of the next one after it.

        Returns:
            The next message and whether the server waits for it; the same message and False if there is no next one.
        """
        if self.state.refused:
            # Other connections lost messages meanwhile. The server has nothing of this one yet.
            self._record(message, _NOT_SENT)
            raise RelayFault(self.state.words)
        wait = self.source.hand_over(message)
        following = self._next_while_waiting(message, wait) if self._has("PIPELINING") else None
        final = wait()
        if final is None:
            for unsent in (message, following):
                if unsent is not None:
                    self._record(unsent, _NOT_SENT)
            # SMTP has no command to cancel a message after DATA; the connection has to be closed.
            raise _ConnectionClosed
        envelope = "".join(self._commands(following)).encode() if following else b""
        self._send(final, following, envelope)
        if following is None:
            return message, False
        try:
            return following, self._read_envelope(following)
        except ConnectionLost as error:
            raise self._requeue(following, error) from error

    def _next_while_waiting(self, message: OutgoingMessage, wait: Callable[[], object]) -> OutgoingMessage | None:
        """Return the next message, built while the hand-over of this one is stored."""
        try:
            return self._next(wait=False)
        except RelayFault:
            # Nothing of the message is sent: the connection is closed.
            wait()
            self._record(message, _NOT_SENT)
            raise

    def _send(self, message: OutgoingMessage, following: OutgoingMessage | None, envelope: bytes) -> None:
        end = len(message.data) + len(_DOT)
        write_error: ConnectionLost | None = None
        try:
            self.connection.write(b"".join((message.data, _DOT, envelope)))
        except ConnectionLost as error:
            write_error = error
        try:
            if write_error is not None and write_error.sent < end:
                raise write_error
            reply = self.connection.read(self.timeouts.final)
        except ConnectionLost as error:
            all_sent = write_error is None or write_error.sent >= end
            outcome = lost_outcome(error.reason, all_sent=all_sent)
            with self.lock:
                self.state.record_loss(error.reason)
            self._record(message, replace(outcome, answer=self._with_host(outcome.answer)))
            if following is not None:
                self._record(following, _NOT_SENT)
            raise RelayFault(error.reason) from error
        outcome = message_outcome(reply)
        with self.lock:
            if outcome.state is DeliveryState.ACCEPTED:
                self.state.record_success()
            elif outcome.state is DeliveryState.UNCERTAIN:
                self.state.record_loss(outcome.answer)
        self._record(message, outcome)
        if reply.code == 421 or write_error is not None or outcome.state is DeliveryState.UNCERTAIN:
            if following is not None:
                self._record(following, _NOT_SENT)
            raise _ConnectionClosed

    def _requeue(self, message: OutgoingMessage, error: ConnectionLost) -> RelayFault:
        """Requeue a message of which nothing was sent, and return the relay's fault."""
        self._record(message, Outcome(state=DeliveryState.QUEUED, answer=self._with_host(error.reason)))
        return RelayFault(error.reason)

    def _record(self, message: OutgoingMessage, outcome: Outcome) -> None:
        if outcome.state is not DeliveryState.QUEUED:
            has_host = outcome.answer.startswith(self.relay.host)
            answer = outcome.answer if has_host else self._with_host(outcome.answer)
            outcome = replace(outcome, answer=answer, relay=self.relay.name)
        self.source.record_outcome(message, outcome)

    def _with_host(self, words: str) -> str:
        return f"{self.relay.host}: {words}"
