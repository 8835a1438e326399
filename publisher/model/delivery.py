"""States and policies of deliveries."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["DeliveryState", "UncertainPolicy"]


class DeliveryState(StrEnum):
    """Where a reader's copy of an issue is. Each is written down before the next step is taken."""

    #: Waits for its turn.
    QUEUED = "queued"
    #: A sender has taken it; nothing of the message has left.
    SENDING = "sending"
    #: The message is leaving, and no answer is known.
    HANDED_OVER = "handed over"
    #: A server has taken it, and answers for it.
    ACCEPTED = "accepted"
    #: Refused for now; it is tried again.
    DEFERRED = "deferred"
    #: Refused for good.
    FAILED = "failed"
    #: The connection ended between the message and the answer: nobody knows (RFC 1047).
    UNCERTAIN = "uncertain"
    #: The reader left, or was taken off the list, before her turn came.
    SUPPRESSED = "suppressed"


class UncertainPolicy(StrEnum):
    """What becomes of a copy of which nobody knows whether it was taken."""

    #: It is listed by name and waits for a person.
    HOLD = "hold"
    #: It is sent again, under the same Message-ID.
    RESEND = "resend"
    #: It counts as delivered.
    SKIP = "skip"
