"""The Date header of a delivery is the time of its first hand-over, through retries and crashes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime

import dkim
import pytest
from sqlalchemy import select

from publisher.backoff import Backoff
from publisher.mail.dkim import Signer, dns_record, new_key
from publisher.mail.maildir import MaildirTransport
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.pipeline.draft_mail import send_draft_test
from publisher.storage.tables.delivery import delivery
from tests.conftest import NOW, MailKit
from tests.support.clocks import ManualClock
from tests.support.deliveries import transport as quick_transport
from tests.support.smtp import Script, Server
from tests.support.use_cases import deliver, open_context

START = datetime(2026, 11, 23, 9, tzinfo=UTC)


@dataclass
class StepTransport:
    """A transport that gives each message the same outcome, and advances the clock before each hand-over."""

    clock: ManualClock
    outcome: Outcome | None = field(default_factory=lambda: Outcome(state=DeliveryState.ACCEPTED, answer="250 taken"))
    #: Seconds between the building of a message and its hand-over.
    delay: float = 0
    taken: list[OutgoingMessage] = field(default_factory=list)
    sent: list[OutgoingMessage] = field(default_factory=list)
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        while (message := source.take(wait=True)) is not None:
            self.taken.append(message)
            self.clock.advance(seconds=self.delay)
            final = source.hand_over(message)()
            assert final is not None
            self.sent.append(final)
            if self.outcome is None:
                raise RuntimeError("the process is killed")
            source.record_outcome(final, self.outcome)


def date_of(data: bytes) -> datetime:
    return parsedate_to_datetime(str(message_from_bytes(data)["Date"]))


def hand_overs(kit: MailKit) -> list[tuple[datetime, datetime]]:
    """Return the first and the last hand-over of each delivery, by subscriber."""
    query = select(delivery.c.first_handed_at, delivery.c.handed_at).order_by(delivery.c.subscriber_id)
    with kit.open() as db, db.read() as connection:
        return [
            (datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC))
            for first, last in connection.execute(query)
        ]


def make_issue(kit: MailKit, subscribers: int = 1) -> None:
    kit.add_settings('\n[delivery]\ntransport = "maildir"\nconnections = 1\n')
    kit.add_subscribers(subscribers)
    kit.issue("one")


@pytest.mark.parametrize("delay", [0, 1, 3_600])
def test_the_date_is_the_second_of_the_hand_over_and_not_the_slot(any_mail_kit: MailKit, delay: float) -> None:
    """A message that is built long before its turn has the time of its hand-over, and the same size."""
    make_issue(any_mail_kit, 2)
    clock = ManualClock(START)
    step = StepTransport(clock, delay=delay)
    deliver(any_mail_kit.site, "daily", transport=step, clock=clock.now)
    expected = [START + timedelta(seconds=delay * number) for number in (1, 2)]
    assert [date_of(message.data) for message in step.sent] == expected
    assert hand_overs(any_mail_kit) == [(at, at) for at in expected]
    assert [len(message.data) for message in step.sent] == [len(message.data) for message in step.taken]
    assert [message.name for message in step.sent] == [message.name for message in step.taken]


@pytest.mark.parametrize(
    "first",
    [
        Outcome(state=DeliveryState.DEFERRED, answer="451 later", wait=3_600),
        Outcome(state=DeliveryState.QUEUED, answer="the connection ended"),
    ],
)
def test_a_retry_days_later_has_the_date_of_the_first_attempt(any_mail_kit: MailKit, first: Outcome) -> None:
    """The last hand-over is stored beside the first."""
    make_issue(any_mail_kit)
    clock = ManualClock(START)
    step = StepTransport(clock, first)
    deliver(any_mail_kit.site, "daily", transport=step, clock=clock.now, limit=1)
    clock.advance(days=2)
    step.outcome = Outcome(state=DeliveryState.ACCEPTED, answer="250 taken")
    deliver(any_mail_kit.site, "daily", transport=step, clock=clock.now)
    assert len(step.sent) >= 2
    assert {message.data for message in step.sent} == {step.sent[0].data}
    assert date_of(step.sent[-1].data) == START
    assert hand_overs(any_mail_kit) == [(START, START + timedelta(days=2))]


def test_an_uncertain_delivery_that_is_sent_again_after_a_crash_has_the_same_date(any_mail_kit: MailKit) -> None:
    """The process ends between the hand-over and the reply; an operator has it sent again a day later."""
    make_issue(any_mail_kit)
    clock = ManualClock(START)
    step = StepTransport(clock, None)
    with pytest.raises(Exception, match="killed"):
        deliver(any_mail_kit.site, "daily", transport=step, clock=clock.now)
    assert hand_overs(any_mail_kit) == [(START, START)]
    clock.advance(days=1)
    step.outcome = Outcome(state=DeliveryState.ACCEPTED, answer="250 taken")
    deliver(any_mail_kit.site, "daily", transport=step, clock=clock.now, uncertain=UncertainPolicy.RESEND)
    assert [date_of(message.data) for message in step.sent] == [START, START]
    assert step.sent[0].data == step.sent[1].data
    assert hand_overs(any_mail_kit) == [(START, START + timedelta(days=1))]


def test_a_message_that_was_built_and_not_handed_over_has_no_date_yet(mail_kit: MailKit) -> None:
    """A run that ends before the hand-over does not fix the date."""
    make_issue(mail_kit)
    clock = ManualClock(START)

    class Unreachable(StepTransport):
        def run(self, source: MessageSource, connection_number: int) -> None:
            message = source.take(wait=True)
            assert message is not None
            raise RuntimeError("the process is killed")

    with pytest.raises(Exception, match="killed"):
        deliver(mail_kit.site, "daily", transport=Unreachable(clock), clock=clock.now)
    clock.advance(hours=3)
    step = StepTransport(clock)
    deliver(mail_kit.site, "daily", transport=step, clock=clock.now)
    assert [date_of(message.data) for message in step.sent] == [START + timedelta(hours=3)]


@pytest.mark.parametrize("extensions", [("PIPELINING", "SIZE 10000000"), ()])
@pytest.mark.parametrize(("refused_step", "expected"), [("dot", START), ("rcpt", START + timedelta(days=3))])
def test_a_retry_over_smtp_has_a_signed_date(
    any_mail_kit: MailKit,
    monkeypatch: pytest.MonkeyPatch,
    refused_step: str,
    expected: datetime,
    extensions: tuple[str, ...],
) -> None:
    """A message that was handed over keeps its date; a recipient that was refused before that fixes none."""
    # No pauses of domains that ask to slow down.
    monkeypatch.setattr("publisher.delivery.throttle.PAUSES", Backoff(0, 0))
    kit = any_mail_kit
    (kit.root / "dkim.pem").write_text(new_key("rsa"))
    kit.add_settings('\n[[dkim]]\nselector = "s"\nkey = { file = "dkim.pem" }\n')
    kit.add_subscribers(3)
    kit.issue("one")
    clock, refusing = ManualClock(START), [True]

    def refuse(step: str, argument: str, number: int) -> str | None:
        return "451 4.7.1 greylisted" if step == refused_step and refusing[0] else None

    with Server(Script(at=refuse, extensions=extensions)) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=quick_transport(kit), clock=clock.now)
        assert server.accepted == []
        refusing[0] = False
        clock.advance(days=3)
        deliver(kit.site, "daily", transport=quick_transport(kit), clock=clock.now)
        seen = [one.data for one in server.accepted]
    assert [date_of(data) for data in seen] == [expected] * 3
    _where, record = dns_record(Signer.read((kit.root / "dkim.pem").read_text(), domain="review.example", selector="s"))
    for data in seen:
        assert b"h=from:to:subject:date:" in data.replace(b" ", b"")
        assert dkim.DKIM(data).verify(dnsfunc=lambda name, timeout=5: record.encode())


def test_the_staged_message_shows_the_slot(mail_kit: MailKit) -> None:
    """The file in the outbox stays as it was approved."""
    make_issue(mail_kit)
    before = mail_kit.issue_file("message.eml").read_bytes()
    clock = ManualClock(START)
    deliver(mail_kit.site, "daily", transport=StepTransport(clock), clock=clock.now)
    assert date_of(mail_kit.issue_file("message.eml").read_bytes()) == mail_kit.newest_issue().slot != START
    assert mail_kit.issue_file("message.eml").read_bytes() == before


def test_a_maildir_keeps_the_date_of_the_first_hand_over_after_a_crash(
    mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written once; its date is that of the hand-over before the crash."""
    make_issue(mail_kit)
    clock = ManualClock(START)
    folder = mail_kit.site.maildir

    def crash(*_: object) -> int:
        raise RuntimeError("the process is killed")

    with monkeypatch.context() as patch:
        patch.setattr("publisher.mail.maildir.private_opener", crash)
        with pytest.raises(Exception, match="killed"):
            deliver(mail_kit.site, "daily", transport=MaildirTransport(folder=folder), clock=clock.now)
    clock.advance(hours=30)
    deliver(mail_kit.site, "daily", transport=MaildirTransport(folder=folder), clock=clock.now)
    (path,) = (folder / "new").iterdir()
    assert date_of(path.read_bytes()) == START


def test_a_test_mail_has_the_time_at_which_it_is_sent(mail_kit: MailKit) -> None:
    """The slot of a draft is in the future, and mail from the future is filtered."""
    mail_kit.add_settings('\n[delivery]\ntransport = "maildir"\n')
    mail_kit.draft("one")
    sent: list[OutgoingMessage] = []

    class Recorder(StepTransport):
        def run(self, source: MessageSource, connection_number: int) -> None:
            while (message := source.take(wait=False)) is not None:
                sent.append(message)
                source.record_outcome(message, Outcome(state=DeliveryState.ACCEPTED, answer="250 taken"))

    at = NOW + timedelta(minutes=7)
    with open_context(mail_kit.site, at, transport=Recorder(ManualClock(at))) as context:
        send_draft_test(context, "daily", "ann@mail.example")
    assert [date_of(message.data) for message in sent] == [at.replace(microsecond=0)]
