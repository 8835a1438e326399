"""A mail server that records each message, and defers those to some people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from publisher.delivery.claims_store import Claim
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState
from tests.support.issue_life.processes import Process, SenderStep


def address_of(name: str) -> str:
    """Return the address of a person."""
    return f"{name}@mail.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A delivery that a sender has claimed or hands over."""

    name: str
    issue: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMail:
    """A message that the mail server took."""

    attempt: Attempt
    variant: int
    data: bytes


class MailObserver(Protocol):
    """Gets each step of a delivery, in the thread that sends."""

    def note_claim(self, attempt: Attempt) -> None:
        """Note that a sender has claimed a delivery."""

    def note_hand_over(self, attempt: Attempt) -> None:
        """Note that the hand-over of a delivery is committed."""

    def note_mail(self, mail: RecordedMail) -> None:
        """Note that the mail server took a message."""


@dataclass
class RecordingTransport:
    """Accepts or defers each message."""

    observer: MailObserver
    process: Callable[[], Process]
    now: Callable[[], datetime]
    defers: Callable[[str], bool]
    #: Returns whether the outcome of a delivery is committed.
    is_recorded: Callable[[Claim], bool]
    after_message: Callable[[RecordedMail], None]
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        """Send the messages of a run."""
        while (taken := source.take(wait=True)) is not None:
            self._send(source, taken)

    def _send(self, source: MessageSource, taken: OutgoingMessage) -> None:
        process, claim = self.process(), taken.reference
        last = process.next_sender_step()
        attempt = Attempt(name=taken.recipient.partition("@")[0], issue=claim.issue_id, at=self.now())
        self.observer.note_claim(attempt)
        process.is_dead = process.is_dead or last is SenderStep.CLAIMED
        final = source.hand_over(taken)()
        if last is SenderStep.CLAIMED:
            process.kill()
        if final is None:
            source.record_outcome(taken, Outcome(state=DeliveryState.QUEUED, answer=""))
            return
        self.observer.note_hand_over(attempt)
        if last is SenderStep.HANDED_OVER:
            process.kill()
        outcome = self._outcome(attempt, claim, final)
        if last is SenderStep.TAKEN:
            process.kill()
        source.record_outcome(taken, outcome)
        process.wait_for_commit(lambda: self.is_recorded(claim))
        if last is SenderStep.RECORDED:
            process.kill()

    def _outcome(self, attempt: Attempt, claim: Claim, final: OutgoingMessage) -> Outcome:
        if self.defers(attempt.name):
            return Outcome(state=DeliveryState.DEFERRED, answer="451 later", wait=3_600)
        mail = RecordedMail(attempt=attempt, variant=claim.variant, data=final.data)
        self.observer.note_mail(mail)
        self.after_message(mail)
        return Outcome(state=DeliveryState.ACCEPTED, answer="250 taken")
