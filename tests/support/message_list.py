"""Messages for a transport, without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from publisher.mail.outcome import Outcome
from publisher.mail.transport import OutgoingMessage


def outgoing_message(
    name: str, data: bytes = b"Subject: x\r\n\r\nText\r\n", *, needs_utf8: bool = False
) -> OutgoingMessage:
    return OutgoingMessage(
        reference=name,
        recipient=f"{name}@mail.example",
        return_path="bounces@review.example",
        data=data,
        name=name,
        needs_utf8=needs_utf8,
    )


@dataclass
class MessageList:
    """A source of messages. Those in ``lost`` belong to another sender by the time they are handed over."""

    messages: list[OutgoingMessage]
    lost: tuple[str, ...] = ()
    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        return self.messages.pop(0) if self.messages else None

    def hand_over(self, message: OutgoingMessage) -> Callable[[], OutgoingMessage | None]:
        return lambda: None if message.name in self.lost else message

    def record_outcome(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.outcomes.append((message.name, outcome))

    @property
    def states(self) -> list[tuple[str, str]]:
        """Name and state of each outcome, in their order."""
        return [(name, outcome.state.value) for name, outcome in self.outcomes]
