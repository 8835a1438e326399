"""Outcomes of deliveries by the replies of mail servers (RFC 5321, RFC 3463). Pure.

A refusal suppresses a subscriber only if its words, or an enhanced status code that the words do not contradict, are about
that address. Replies about the sender, the message or the server suppress nobody: see `publisher.mail.replies`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from publisher.mail.replies import Reason, classify
from publisher.model.delivery import DeliveryState

_ENHANCED: Final = re.compile(r"#?([245])\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9]|\.[0-9])")
#: Reply codes that end the use of a relay: authentication is missing, or the protocol is not followed.
_RELAY_CODES: Final = frozenset([503, 530, 535, 538])
#: Reasons for which a delivery is retried, although the refusal is permanent.
_WAITING: Final = frozenset([Reason.FULL, Reason.TEMPORARY, Reason.RATE, Reason.POLICY])
#: Of these, reasons for which the whole domain waits.
_SLOWING: Final = frozenset([Reason.RATE, Reason.POLICY])
#: Seconds before the next attempt after a permanent refusal that may pass.
_REFUSAL_WAIT_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply of a mail server."""

    code: int
    #: The lines of text, without the code.
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the reply in one line of at most 400 characters, as it is stored."""
        return f"{self.code} {' '.join(self.lines)}".strip()[:400]

    @property
    def enhanced(self) -> str:
        """Return subject and detail of the enhanced status code, as in ``1.1``; or empty."""
        match = _ENHANCED.match(self.lines[0]) if self.lines else None
        return f"{match[2]}.{match[3]}" if match and match[1] == str(self.code)[0] else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The new state of a delivery."""

    #: Accepted, deferred, failed or uncertain; queued if nothing was sent.
    state: DeliveryState
    #: The server's reply, or a description of the event.
    answer: str
    #: True if the address is added to the suppression list.
    suppress: bool = False
    #: True if other deliveries to this domain wait too.
    slow: bool = False
    #: Least number of seconds before the next attempt; 0 for the usual backoff.
    wait: int = 0
    #: The relay that answered, as ``HOST:PORT``; empty for a transport without relays.
    relay: str = ""


class RelayFault(Exception):
    """A relay cannot be used, for now or until an operator changes something."""

    def __init__(self, words: str, *, is_final: bool = False) -> None:
        super().__init__(words)
        self.words = words
        #: True if another attempt cannot succeed.
        self.is_final = is_final


def _deferred(reply: Reply) -> Outcome:
    # 421 and 4.7.x mean that the sender is too fast or unknown; they are not about one message.
    slow = reply.code == 421 or reply.enhanced.startswith(("7.", "4.5", "3.2"))
    return Outcome(state=DeliveryState.DEFERRED, answer=reply.text, slow=slow)


def _refused(reply: Reply, reason: Reason) -> Outcome:
    """Return the outcome of a permanent refusal for a known reason."""
    if reason is Reason.ADDRESS:
        return Outcome(state=DeliveryState.FAILED, answer=reply.text, suppress=True)
    if reason in _WAITING:
        return Outcome(
            state=DeliveryState.DEFERRED, answer=reply.text, slow=reason in _SLOWING, wait=_REFUSAL_WAIT_SECONDS
        )
    return Outcome(state=DeliveryState.FAILED, answer=reply.text)


def _is_relay_fault(reply: Reply, reason: Reason) -> bool:
    if reply.code in _RELAY_CODES:
        return True
    # Outlook.com and Orange use 5.5.0 with words of every kind; 5.5.3 means too many recipients.
    return reason is Reason.UNKNOWN and reply.enhanced in ("5.1", "5.2", "5.4", "5.5")


def recipient_outcome(reply: Reply) -> Outcome | None:
    """Return the outcome by the reply to RCPT; None if the recipient is accepted.

    Raises:
        RelayFault: the relay requires authentication, or does not follow the protocol.
    """
    if 200 <= reply.code < 300:
        return None
    if reply.code < 500:
        return _deferred(reply)
    reason = classify(" ".join(reply.lines), reply.enhanced)
    if _is_relay_fault(reply, reason):
        raise RelayFault(f"rejected a recipient: {reply.text}", is_final=True)
    if reason is Reason.UNKNOWN and (not reply.enhanced or reply.enhanced == "0.0"):
        # RFC 5321 §4.5.3.1.10: 552 is a full mailbox. Any other code without words may be about the reputation of the sender.
        reason = Reason.TEMPORARY if reply.code == 552 else Reason.POLICY
    if reason is Reason.SPAM:
        # The server has not received the message: this is about the reputation of the sender, which can change.
        reason = Reason.POLICY
    return _refused(reply, reason)


def message_outcome(reply: Reply) -> Outcome:
    """Return the outcome of a delivery by the reply to DATA or to the end of the message."""
    if 200 <= reply.code < 300:
        return Outcome(state=DeliveryState.ACCEPTED, answer=reply.text)
    if 300 <= reply.code < 400:
        # Such a reply neither accepts nor rejects the message (RFC 5321 §4.2.1).
        return Outcome(state=DeliveryState.UNCERTAIN, answer=f"unexpected reply: {reply.text}")
    if reply.code < 500:
        return _deferred(reply)
    return _refused(reply, classify(" ".join(reply.lines), reply.enhanced))


def lost_outcome(reason: str, *, all_sent: bool) -> Outcome:
    """Return the outcome of the delivery that was in progress when a connection was lost for a REASON.

    ALL_SENT is True if the end of the message (the final dot) was sent.
    """
    if all_sent:
        return Outcome(
            state=DeliveryState.UNCERTAIN, answer=f"{reason} after the message was sent and before the reply"
        )
    return Outcome(state=DeliveryState.QUEUED, answer=f"{reason} before the whole message was sent")
