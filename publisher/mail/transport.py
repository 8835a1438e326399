"""Interface between the delivery engine and transports: SMTP, Maildir, or a test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from publisher.mail.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A finished message to one recipient."""

    #: An object of the source that identifies the message. Transports do not read it.
    reference: Any
    #: Address for RCPT; non-ASCII only if ``needs_utf8``.
    recipient: str
    #: Address for MAIL FROM, to which bounces return.
    return_path: str
    #: Headers, empty line and body, with CRLF line ends and no line that begins with a dot.
    data: bytes
    #: A name that is the same at each attempt; the file name in a Maildir.
    name: str
    #: True if a header or the envelope is not ASCII (RFC 6531).
    needs_utf8: bool = False
    #: The time in the Date header, in seconds since 1970; None if the source does not choose it.
    date: int | None = None


class MessageSource(Protocol):
    """Supplies messages to a transport, and stores their outcomes."""

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        """Return the next message; None if there is none now.

        With ``wait``, wait a few seconds for one.
        """

    def hand_over(self, message: OutgoingMessage) -> Callable[[], OutgoingMessage | None]:
        """Record that a message is sent now; return a function that waits until it is durable.

        The function returns the message to send: the same one, or one of the same size with the stored time in its Date
        header. It returns None if the message must not be sent: another sender has it, or the subscriber unsubscribed.
        The transport then records the outcome "queued".
        """

    def record_outcome(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """Record an outcome. It is durable, at the latest, when the next message is handed over."""


class Transport(Protocol):
    """A way to send messages."""

    @property
    def is_idempotent(self) -> bool:
        """True if sending a message twice has the effect of sending it once."""

    @property
    def is_local(self) -> bool:
        """True if messages stay on this machine and reach no subscriber."""

    def run(self, source: MessageSource, connection_number: int) -> None:
        """Send the messages of a source until it has none for now.

        CONNECTION_NUMBER is the number of this connection among those in use, from 0.

        Raises:
            RelayFault: no relay can be used.
        """
