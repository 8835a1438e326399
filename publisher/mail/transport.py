"""The seam between those who have copies to send and those who know how: SMTP, a Maildir, a test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from publisher.mail.outcome import Outcome

__all__ = ["MessageSource", "OutgoingMessage", "Transport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message to one reader, ready to leave."""

    #: Whose it is, for the one who gave it.
    reference: Any
    #: Where it goes, as the envelope says it; not ASCII only where ``needs_utf8``.
    recipient: str
    #: Where it comes back to.
    return_path: str
    #: The message: headers, empty line, body; CRLF, no line that begins with a dot.
    data: bytes
    #: A name for it that is the same each time: a file transport's file.
    name: str
    #: True where a header or the envelope is not ASCII (RFC 6531).
    needs_utf8: bool = False


class MessageSource(Protocol):
    """Gives copies, and writes down what becomes of them."""

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        """Return the next copy; None where there is none now (``wait`` waits a little for one)."""

    def hand_over(self, copy: OutgoingMessage) -> Callable[[], bool]:
        """Begin to write down that the copy leaves now; the function returned waits until that is durable.

        It returns False where the copy must not leave: another sender has it, or its subscriber has unsubscribed. Settle
        it as queued then.
        """

    def record_outcome(self, copy: OutgoingMessage, outcome: Outcome) -> None:
        """Note what became of a copy: durable at the latest when the next one is handed over."""


class Transport(Protocol):
    """A way for copies to leave."""

    @property
    def is_idempotent(self) -> bool:
        """True where to do it twice is to do it once: what was handed over may simply be done again."""

    @property
    def is_local(self) -> bool:
        """True if messages stay on this machine, so that they reach nobody."""

    def run(self, feed: MessageSource, lane: int) -> None:
        """Send what the feed gives, until it gives nothing for now.

        Args:
            feed: the copies.
            lane: which of the connections this is, from 0.

        Raises:
            RelayFault: there is nobody to take copies.
        """
