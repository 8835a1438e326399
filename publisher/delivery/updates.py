"""The new state of a delivery after an attempt. Pure; the time is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from publisher.backoff import Backoff
from publisher.delivery.claims_store import Claim
from publisher.delivery.store import DeliveryUpdate
from publisher.mail.outcome import Outcome
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.settings.delivery import DeliverySettings

#: Pauses between attempts, until the days of retries are over (RFC 5321 §4.5.4.1: four or five).
RETRIES: Final = Backoff(300, 4 * 3600)


def delivery_update(
    claim: Claim, outcome: Outcome, settings: DeliverySettings, first_attempt: Callable[[Claim], int | None], now: int
) -> DeliveryUpdate:
    """Return the new state of a claimed delivery, by the outcome of an attempt and the settings.

    FIRST_ATTEMPT returns the time of the first stored attempt of a delivery, if there is one.
    """
    state, answer = outcome.state, outcome.answer
    if state is DeliveryState.ACCEPTED:
        return DeliveryUpdate(claim=claim, state=state, answer=answer)
    if state is DeliveryState.UNCERTAIN and settings.uncertain is UncertainPolicy.RESEND:
        return DeliveryUpdate(claim=claim, state=DeliveryState.QUEUED, answer=answer, note=answer)
    if state is DeliveryState.UNCERTAIN and settings.uncertain is UncertainPolicy.SKIP:
        counted = f"counted as delivered: {answer}"
        return DeliveryUpdate(claim=claim, state=DeliveryState.ACCEPTED, answer=counted, note=answer)
    # A message on which connections end repeatedly is deferred, so that it does not block the others.
    if state is DeliveryState.DEFERRED or (state is DeliveryState.QUEUED and answer and claim.attempts % 3 == 0):
        due = now + max(RETRIES.pause(claim.attempts), outcome.wait)
        if due <= (first_attempt(claim) or now) + settings.retry_days * 86_400:
            return DeliveryUpdate(claim=claim, state=DeliveryState.DEFERRED, answer=answer, due_at=due, note=answer)
        state, answer = DeliveryState.FAILED, f"given up after {settings.retry_days} days: {answer}"
    return DeliveryUpdate(claim=claim, state=state, answer=answer, note=answer)
