"""Whether a relay may be used: failures, refusals, and messages that it has lost. Pure; the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.mail.outcome import RelayFault

__all__ = ["MAX_LOSSES", "RelayState"]

#: Seconds that a relay which failed is not used: twice as long each time, up to the last.
_PAUSE_SECONDS: Final = (1, 300)
#: Messages in a row that a relay may lose between DATA and its answer before it is stopped.
MAX_LOSSES: Final = 3


@dataclass(slots=True)
class RelayState:
    """The state of one relay in one run."""

    #: Connections that use it.
    connections: int = 0
    failures: int = 0
    #: No use before this time, by the transport's clock.
    not_before: float = 0.0
    #: Why it is not used until a person changes something, or the next run; empty where it is used.
    refused: str = ""
    #: The last fault, for reports.
    words: str = ""
    #: Messages in a row whose answer never came.
    losses: int = 0
    #: True after a run that the relay stopped by losing messages, until it accepts one: it gets one
    #: connection, and the first loss stops it again.
    is_on_probation: bool = False
    has_accepted: bool = False
    has_lost: bool = False
    #: True where an operator has to decide about its refusals.
    is_stopped: bool = False

    def is_usable(self, now: float) -> bool:
        """Tell whether one more connection may use the relay."""
        return not self.refused and self.not_before <= now and not (self.is_on_probation and self.connections)

    def record_success(self) -> None:
        """Note that the relay has accepted a message."""
        self.failures = self.losses = 0
        self.is_on_probation = False
        self.has_accepted = True

    def record_loss(self, words: str) -> None:
        """Note that the connection ended, or made no sense, after DATA and before the answer."""
        self.losses += 1
        if self.losses >= (1 if self.is_on_probation else MAX_LOSSES) and not self.refused:
            self.has_lost = True
            count = "1 message" if self.losses == 1 else f"{self.losses} messages in a row"
            self.refused = self.words = f"lost {count} before it answered ({words}) and is not used for a while"

    def stop(self, words: str) -> None:
        """Note that the relay is not used until an operator decides."""
        self.is_stopped = True
        self.refused = self.words = words

    def record_fault(self, error: RelayFault, began: float, now: float) -> None:
        """Note a fault of a connection that began at ``began``."""
        if self.has_lost or self.is_stopped:
            return
        self.words = error.words
        if error.is_final:
            self.refused = error.words
            return
        if began < self.not_before:
            # Ten connections that end at once are one failure.
            return
        self.failures += 1
        first, longest = _PAUSE_SECONDS
        self.not_before = now + min(first << min(self.failures - 1, 12), longest)
