"""Decide whether a relay may be used, by its failures and lost messages. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.backoff import Backoff
from publisher.mail.outcome import RelayFault

#: Pauses after failures.
PAUSES: Final = Backoff(1, 300)
#: Messages in a row that a relay may lose between DATA and its reply before it is stopped.
MAX_LOSSES: Final = 3


@dataclass(slots=True)
class RelayState:
    """The state of one relay in one run."""

    #: Number of connections in use.
    connections: int = 0
    failures: int = 0
    #: The relay is paused until this time of the transport's clock.
    not_before: float = 0.0
    #: Why the relay is not used again in this run; empty if it may be used.
    refused: str = ""
    #: The last fault, for reports.
    words: str = ""
    #: Messages in a row that got no reply.
    losses: int = 0
    #: True after a run in which the relay lost too many messages, until it accepts one. It gets one connection, and the
    #: first loss stops it again.
    is_on_probation: bool = False
    has_accepted: bool = False
    has_lost: bool = False
    #: True if an operator has to decide about its refusals.
    is_stopped: bool = False

    def is_usable(self, now: float) -> bool:
        """Return whether one more connection may use the relay."""
        return not self.refused and self.not_before <= now and not (self.is_on_probation and self.connections)

    def record_success(self) -> None:
        """Record that the relay accepted a message."""
        self.failures = self.losses = 0
        self.is_on_probation = False
        self.has_accepted = True

    def record_loss(self, words: str) -> None:
        """Record that a connection ended between DATA and the reply to the message."""
        self.losses += 1
        if self.losses >= (1 if self.is_on_probation else MAX_LOSSES) and not self.refused:
            self.has_lost = True
            count = "1 message" if self.losses == 1 else f"{self.losses} messages in a row"
            self.refused = self.words = f"lost {count} before its reply ({words}) and is paused"

    def stop(self, words: str) -> None:
        """Stop the use of the relay until an operator decides."""
        self.is_stopped = True
        self.refused = self.words = words

    def record_fault(self, error: RelayFault, began: float, now: float) -> None:
        """Record a fault of a connection that was opened when it BEGAN, and pause or stop the relay."""
        if self.has_lost or self.is_stopped:
            return
        self.words = error.words
        if error.is_final:
            self.refused = error.words
            return
        if began < self.not_before:
            # Connections that fail at the same time count as one failure.
            return
        self.failures += 1
        self.not_before = now + PAUSES.pause(self.failures)
