"""Send messages that are not deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.delivery.messages import DeliveryMessages, read_signers
from publisher.digests.readiness import require_reserved, sample_blockers, setting_blockers
from publisher.errors import RemoteError
from publisher.mail.outcome import Outcome, RelayFault
from publisher.mail.site_transport import make_transport
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState
from publisher.signing.site_key import keyring
from publisher.subscribers.addresses import parse_named_address, require_address

if TYPE_CHECKING:
    from publisher.digests.compose import ComposedIssue

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


def send_messages(transport: Transport, messages: Sequence[OutgoingMessage]) -> dict[str, Outcome]:
    """Send messages, and return their outcomes by recipient.

    Raises:
        RemoteError: a message was not sent.
    """
    outcomes, fault = try_messages(transport, messages)
    if fault:
        raise RemoteError(fault)
    return outcomes


def send_test(context: Context, connection: Connection, composed: ComposedIssue, address: str) -> Outcome:
    """Send a composed issue to one address, marked as a test. Nothing is stored.

    Raises:
        SettingsError: there is no mail server, or the address is invalid.
        SendingBlocked: the message has placeholder values and the address may be a real person's.
        RemoteError: no relay accepts the message.
    """
    site = context.site
    transport = context.transport or make_transport(site)
    recipient = require_address(address, parse_named_address)
    issue = composed.issue
    name = f"{issue.digest}/next"
    blockers = (
        () if transport.is_local else (*setting_blockers(site), *sample_blockers(name, issue.variants[0].text.decode()))
    )
    require_reserved(name, {recipient.domain: 1}, blockers)
    ring = keyring(site, connection)
    builder = DeliveryMessages(site, issue, lambda number: issue.variants[number - 1], ring, read_signers(site))
    message = builder.build_test(recipient.text, recipient.domain, prefix="[Test] ", when=context.now)
    return send_messages(transport, [message])[message.recipient]
