"""States and policies of deliveries."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class DeliveryState(StrEnum):
    """State of a delivery. Each state is committed before the next step begins."""

    QUEUED = "queued"
    #: Claimed by a sender; no part of the message has been sent.
    SENDING = "sending"
    #: The message is being sent, and the server has not answered yet.
    HANDED_OVER = "handed over"
    #: A mail server accepted the message.
    ACCEPTED = "accepted"
    #: Rejected temporarily; it will be retried.
    DEFERRED = "deferred"
    #: Rejected permanently.
    FAILED = "failed"
    #: The connection was lost after the message and before the answer (RFC 1047).
    UNCERTAIN = "uncertain"
    #: The subscriber unsubscribed or was suppressed before it was sent.
    SUPPRESSED = "suppressed"
    #: The issue was cancelled before it was sent.
    CANCELLED = "cancelled"


#: States before a message is handed over, and those of all deliveries that are still to be made.
NOT_HANDED_OVER: Final = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)
OPEN_STATES: Final = (*NOT_HANDED_OVER, DeliveryState.HANDED_OVER)
#: States in which nothing is left to be sent or to be decided, as they are stored.
FINAL_STATES: Final = (
    DeliveryState.ACCEPTED.value,
    DeliveryState.FAILED.value,
    DeliveryState.SUPPRESSED.value,
    DeliveryState.CANCELLED.value,
)


class UncertainPolicy(StrEnum):
    """How uncertain deliveries are treated."""

    #: They are listed and wait for a decision.
    HOLD = "hold"
    #: They are sent again with the same Message-ID.
    RESEND = "resend"
    #: They count as delivered.
    SKIP = "skip"
