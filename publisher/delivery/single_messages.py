"""Send messages that are not deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from publisher.delivery.messages import read_signers
from publisher.mail import Envelope
from publisher.mail.message_template import MessageTemplate
from publisher.mail.outcome import Outcome, RelayFault
from publisher.mail.placeholders import Placeholders
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState
from publisher.settings import Site
from publisher.subscribers.addresses import Address

#: Attempts to find a usable relay.
_MAX_ATTEMPTS: Final = 5


@dataclass(slots=True)
class _MessageQueue:
    """A message source with a few messages, which keeps their outcomes by recipient."""

    messages: list[OutgoingMessage]
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        return self.messages.pop(0) if self.messages else None

    def hand_over(self, message: OutgoingMessage) -> Callable[[], OutgoingMessage | None]:
        return lambda: message

    def record_outcome(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.outcomes[message.recipient] = outcome


def try_messages(transport: Transport, messages: Sequence[OutgoingMessage]) -> tuple[dict[str, Outcome], str]:
    """Send messages, each at most once.

    Returns:
        The outcomes by recipient, and why messages without an outcome were not sent; empty if each has one.
    """
    queue = _MessageQueue(list(messages))
    fault = ""
    for attempt in range(_MAX_ATTEMPTS):
        if not queue.messages:
            break
        try:
            transport.run(queue, 0)
        except RelayFault as error:
            if error.is_final or attempt == _MAX_ATTEMPTS - 1:
                fault = f"no mail server takes the message: {error.words}"
                break
            time.sleep(0.5)
    queued = [outcome.answer for outcome in queue.outcomes.values() if outcome.state is DeliveryState.QUEUED]
    outcomes = {name: outcome for name, outcome in queue.outcomes.items() if outcome.state is not DeliveryState.QUEUED}
    if all(message.recipient in outcomes for message in messages):
        return outcomes, ""
    words = next(iter(queued), "the connection ended")
    return outcomes, fault or f"the mail server did not take the message: {words}"


def single_message(
    site: Site,
    envelope: Envelope,
    address: Address,
    *,
    text: str,
    html: str,
    key: str,
    token: str,
    placeholders: Placeholders,
    values: dict[str, str],
) -> OutgoingMessage:
    """Return a message to one address that is not a delivery.

    KEY is the start of its file name in a Maildir. Its TOKEN belongs to no subscriber.
    """
    assert site.mail is not None
    template = MessageTemplate(
        envelope, text=text, html=html, placeholders=placeholders, values=values, signers=read_signers(site)
    )
    return OutgoingMessage(
        reference=None,
        recipient=address.recipient,
        return_path=site.mail.sender_address,
        data=template.merge(address=address.text, recipient=address.recipient, token=token),
        name=f"{key}.{address.domain}",
        needs_utf8=not address.recipient.isascii(),
    )
