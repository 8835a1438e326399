"""Choosing the next delivery, with a ledger in memory and a clock that stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from publisher.delivery.claims_store import Claim, ClaimedBatch
from publisher.delivery.dispatch import Dispatcher
from publisher.delivery.throttle import Throttle
from publisher.mail.outcome import Outcome
from publisher.mail.transport import OutgoingMessage
from publisher.model.delivery import DeliveryState as State
from publisher.settings.delivery import DomainSettings


def outcome(state: State, *, slow: bool = False) -> Outcome:
    return Outcome(state=state, answer="a reply", slow=slow)


class MemoryLedger:
    """A ledger whose queue is a list. Claims are answered at once, or when the test says so."""

    def __init__(self, *domains: str) -> None:
        self.queue = [Claim(1, number, 1, 1, f"{number}@{domain}", domain) for number, domain in enumerate(domains, 1)]
        self.is_answering = True
        self.waiting: list[Callable[[], None]] = []
        self.withdrawn: set[tuple[int, int]] = set()
        self.error: BaseException | None = None
        self.is_handed_over = True
        self.claims = 0

    def claim(self, after: int, limit: int, without: frozenset[str]) -> Future[ClaimedBatch]:
        self.claims += 1
        result: Future[ClaimedBatch] = Future()
        found = [one for one in self.queue if one.subscriber_id > after and one.domain not in without][:limit]
        self.queue = [one for one in self.queue if one not in found]
        last = found[-1].subscriber_id if len(found) == limit else 0
        self.waiting.append(lambda: result.set_result(ClaimedBatch(found, last, 0)))
        if self.is_answering:
            self.answer()
        return result

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            answer()

    def date_of(self, claim: Claim) -> int:
        return 100

    def hand_over(self, claim: Claim) -> Future[int | None]:
        result: Future[int | None] = Future()
        result.set_result(100 if self.is_handed_over else None)
        return result

    def record_outcome(self, claim: Claim, outcome: Outcome) -> None:
        if outcome.state is State.QUEUED:
            self.queue.append(claim)


class Sender:
    """A dispatcher that is used from one thread."""

    def __init__(self, ledger: MemoryLedger, *, limit: int | None = None, rate: DomainSettings | None = None) -> None:
        self.ledger, self.now = ledger, 0.0
        self.dispatcher = Dispatcher(
            ledger,  # type: ignore[arg-type]
            Throttle(lambda domain: rate or DomainSettings()),
            self._build,
            limit=limit,
            clock=lambda: self.now,
        )

    @staticmethod
    def _build(claim: Claim, date: int) -> OutgoingMessage:
        if claim.domain == "unusable":
            raise ValueError("the address cannot be used")
        return OutgoingMessage(
            recipient=claim.address, return_path="", data=b"", name="", needs_utf8=False, date=date, reference=claim
        )

    def take(self) -> OutgoingMessage | None:
        """Return the next message that is ready now, also if it has to be claimed first."""
        self.now += 1
        return self.dispatcher.take(wait=False) or self.dispatcher.take(wait=False)

    def send(self, state: State, *, slow: bool = False) -> str | None:
        """Send the next message with an outcome; return its recipient."""
        message = self.take()
        if message is not None:
            self.dispatcher.record_outcome(message, outcome(state, slow=slow))
        return message.recipient if message is not None else None

    def is_over(self) -> bool:
        """Return whether a connection ends because nothing is left."""

        class Transport:
            def run(self, source: Dispatcher, number: int) -> None:
                raise AssertionError("something is left")

        self.now += 1
        self.dispatcher.run_connection(Transport(), 1)  # type: ignore[arg-type]
        error, self.dispatcher.error = self.dispatcher.error, None
        return error is None


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200])
def test_each_delivery_is_sent_once_and_then_the_run_is_over(count: int) -> None:
    """A run that ends too early leaves people without an issue; one that never ends blocks the next."""
    sender = Sender(MemoryLedger(*["a.example"] * count))
    sent = list(iter(lambda: sender.send(State.ACCEPTED), None))
    assert sent == [f"{number}@a.example" for number in range(1, count + 1)]
    assert sender.is_over() and sender.dispatcher.counts.accepted == count


@pytest.mark.parametrize("state", [State.QUEUED, State.UNCERTAIN])
def test_a_delivery_that_is_queued_again_is_claimed_again(state: State) -> None:
    """Also if the queue was found empty while the message was in progress."""
    ledger = MemoryLedger("a.example")
    sender = Sender(ledger)
    message = sender.take()
    assert message is not None
    while ledger.claims < 5:
        assert sender.take() is None
    ledger.queue.append(message.reference)
    sender.dispatcher.record_outcome(message, outcome(state))
    ledger.queue = ledger.queue[:1]
    assert sender.send(State.ACCEPTED) == "1@a.example"
    assert sender.is_over()


def test_an_answer_of_the_time_before_a_delivery_was_queued_again_does_not_end_the_run() -> None:
    """The claim was made while the message was in progress, so its answer says nothing about the message."""
    ledger = MemoryLedger("a.example")
    sender = Sender(ledger)
    message = sender.take()
    assert message is not None
    ledger.is_answering = False
    sender.now += 1
    assert sender.dispatcher.take(wait=False) is None
    sender.dispatcher.record_outcome(message, outcome(State.QUEUED))
    ledger.answer()
    ledger.is_answering = True
    assert sender.send(State.ACCEPTED) == "1@a.example"
    assert sender.is_over()


@pytest.mark.parametrize(
    ("state", "counted"),
    [
        (State.ACCEPTED, (1, 0, 0, 0)),
        (State.DEFERRED, (0, 1, 0, 0)),
        (State.FAILED, (0, 0, 1, 0)),
        (State.UNCERTAIN, (0, 0, 0, 1)),
    ],
)
def test_outcomes_are_counted(state: State, counted: tuple[int, ...]) -> None:
    """The counts are the report of ``publish send``."""
    sender = Sender(MemoryLedger("a.example"))
    sender.send(state)
    counts = sender.dispatcher.counts
    assert (counts.accepted, counts.deferred, counts.failed, counts.uncertain) == counted


def test_the_limit_counts_messages_that_were_sent() -> None:
    """A message that was not sent, because its subscriber unsubscribed or a connection ended, uses none of it."""
    ledger = MemoryLedger(*["a.example"] * 5)
    sender = Sender(ledger, limit=2)
    ledger.withdrawn.add((1, 1))
    sender.dispatcher.record_outcome(sender.take(), Outcome(state=State.SUPPRESSED, answer=""))  # type: ignore[arg-type]
    sent = list(iter(lambda: sender.send(State.ACCEPTED), None))
    assert len(sent) == 2 and sender.is_over()
    assert (sender.dispatcher.counts.accepted, sender.dispatcher.counts.suppressed) == (2, 1)


def test_a_domain_that_asks_to_slow_down_delays_no_other_domain() -> None:
    """Its deliveries wait until the pause is over, and are not lost."""
    sender = Sender(MemoryLedger("slow.example", "slow.example", "b.example", "b.example"))
    assert sender.send(State.DEFERRED, slow=True) == "1@slow.example"
    assert [sender.send(State.ACCEPTED) for _ in range(3)] == ["3@b.example", "4@b.example", None]
    assert sender.dispatcher.paused_domains() == ["slow.example"]
    sender.now += 20
    assert sender.send(State.ACCEPTED) == "2@slow.example"
    assert sender.is_over()


def test_a_run_does_not_wait_for_a_paused_domain_that_has_no_delivery_left() -> None:
    """Each issue with a refusal took the time of a pause longer."""
    sender = Sender(MemoryLedger("slow.example"))
    assert sender.send(State.DEFERRED, slow=True) == "1@slow.example"
    assert sender.take() is None
    assert sender.is_over() and sender.dispatcher.paused_domains() == ["slow.example"]


def test_a_run_does_not_wait_for_a_domain_that_is_paused_for_long() -> None:
    """Its deliveries stay queued for the next run."""
    sender = Sender(MemoryLedger(*["slow.example"] * 9))
    for pause in (15, 30, 60):
        assert sender.send(State.DEFERRED, slow=True) is not None
        sender.now += pause
    sender.send(State.DEFERRED, slow=True)
    assert sender.take() is None and sender.is_over()


def test_a_stopped_domain_gets_no_further_message() -> None:
    """The circuit breaker of a domain leaves the others."""
    sender = Sender(MemoryLedger("bad.example", "b.example"))
    sender.dispatcher.stop_domain("bad.example")
    assert [sender.send(State.ACCEPTED) for _ in range(2)] == ["2@b.example", None]


def test_messages_in_progress_are_limited() -> None:
    """A domain with a limit of one gets its second message after the first."""
    sender = Sender(MemoryLedger("a.example", "a.example"), rate=DomainSettings(at_once=1))
    first = sender.take()
    assert first is not None and sender.take() is None
    sender.dispatcher.record_outcome(first, outcome(State.ACCEPTED))
    assert sender.send(State.ACCEPTED) == "2@a.example"


def test_an_address_that_cannot_be_used_fails_alone() -> None:
    """The others are sent."""
    sender = Sender(MemoryLedger("unusable", "b.example"))
    assert sender.send(State.ACCEPTED) == "2@b.example"
    assert (sender.dispatcher.counts.failed, sender.dispatcher.counts.accepted) == (1, 1)


def test_a_delivery_that_another_sender_has_is_not_sent() -> None:
    """The ledger refuses the hand-over."""
    ledger = MemoryLedger("a.example")
    sender = Sender(ledger)
    message = sender.take()
    assert message is not None
    assert sender.dispatcher.hand_over(message)() is message
    ledger.is_handed_over = False
    assert sender.dispatcher.hand_over(message)() is None


@pytest.mark.parametrize("cause", ["stop", "ledger"])
def test_a_stopped_run_takes_no_further_message(cause: str) -> None:
    """After a signal, and after an error of the ledger, nothing more is sent."""
    sender = Sender(MemoryLedger("a.example", "a.example"))
    assert sender.take() is not None
    if cause == "stop":
        sender.dispatcher.stop("it was stopped")
    else:
        sender.ledger.error = OSError("the disk is gone")
    assert sender.take() is None and sender.is_over()


def test_a_connection_that_waits_gets_a_message_when_it_is_claimed() -> None:
    """Waiting connections are notified when the claim is answered."""
    ledger = MemoryLedger("a.example")
    ledger.is_answering = False
    sender = Sender(ledger)
    taken: list[OutgoingMessage | None] = []
    thread = threading.Thread(target=lambda: taken.append(sender.dispatcher.take(wait=True)))
    thread.start()
    while not ledger.waiting:
        thread.join(0.001)
    ledger.answer()
    thread.join(30)
    assert taken[0] is not None and taken[0].recipient == "1@a.example"
