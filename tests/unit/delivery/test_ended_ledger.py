"""Deliveries after the thread that records them has ended with an error: nothing is sent unrecorded."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any

import pytest

from publisher.delivery.claims_store import Claim
from publisher.delivery.dispatch import DeliveryCounts
from publisher.delivery.ledger import Ledger
from publisher.delivery.single_messages import try_messages
from publisher.errors import SettingsError
from publisher.mail.outcome import Outcome, RelayFault
from publisher.mail.site_transport import make_transport
from publisher.model.delivery import DeliveryState
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.message_list import outgoing_message
from tests.support.use_cases import send_draft_test

CLAIM = Claim(1, 1, 1, 1, "ann@mail.example", "mail.example")


class Failing:
    """A database whose connection fails once the test allows it."""

    def __init__(self) -> None:
        self.may_fail = threading.Event()

    @contextmanager
    def durable(self) -> Any:
        self.may_fail.wait(30)
        raise OSError("the disk is gone")
        yield  # pragma: no cover


def ledger(db: Failing) -> Ledger:
    made = Ledger(db, 1, 1, None, clock=lambda: NOW, brake=None, on_stop=print)  # type: ignore[arg-type]
    made.start()
    return made


def test_requests_that_wait_when_the_ledger_fails_get_no_delivery() -> None:
    """A message that is not recorded is not sent, and no thread waits for ever."""
    db = Failing()
    failing = ledger(db)
    claimed = failing.claim(0, 10, frozenset())
    first_handed_at = failing.hand_over(CLAIM)
    refusal = Outcome(state=DeliveryState.FAILED, answer="550 no such user", suppress=True)
    waiting = threading.Thread(target=failing.record_outcome, args=(CLAIM, refusal))
    waiting.start()
    while not failing._batch.refused:
        waiting.join(0.001)
    db.may_fail.set()
    waiting.join(30)
    assert not waiting.is_alive()
    assert first_handed_at.result(30) is None and claimed.result(30).claims == []
    failing.close()
    assert str(failing.error) == "the disk is gone"


def test_requests_after_the_end_of_the_ledger_get_no_delivery() -> None:
    """At once."""
    db = Failing()
    db.may_fail.set()
    failing = ledger(db)
    failing.close()
    claimed = failing.claim(0, 10, frozenset())
    failing.record_outcome(CLAIM, Outcome(state=DeliveryState.FAILED, answer="550", suppress=True))
    assert failing.hand_over(CLAIM).result(30) is None and claimed.result(30).claims == []
    assert DeliveryCounts(accepted=1, suppressed=2).done == 3


class Transport:
    """Raises a fault of the relay, or leaves messages, in turn."""

    def __init__(self, *steps: Exception | str) -> None:
        self.steps = list(steps)
        self.attempts = 0

    def run(self, source: Any, number: int) -> None:
        self.attempts += 1
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        message = source.take(wait=False)
        if step == "queued":
            source.record_outcome(message, Outcome(state=DeliveryState.QUEUED, answer="421 closing"))
        elif step == "accepted":
            source.record_outcome(message, Outcome(state=DeliveryState.ACCEPTED, answer="250 ok"))


def test_a_single_message_is_tried_again_after_a_fault_of_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A final fault, or a message that no server takes, is an error."""
    monkeypatch.setattr("publisher.delivery.single_messages.time.sleep", lambda seconds: None)
    message = outgoing_message("ann")
    transport: Any = Transport(RelayFault("timeout"), "accepted")
    outcomes, fault = try_messages(transport, [message])
    assert outcomes[message.recipient].state is DeliveryState.ACCEPTED and not fault
    final: Any = Transport(RelayFault("rejected the login", is_final=True))
    assert try_messages(final, [message]) == ({}, "no mail server takes the message: rejected the login")
    assert final.attempts == 1
    gone: Any = Transport(*["nothing"] * 9)
    assert try_messages(gone, [message]) == ({}, "the mail server did not take the message: the connection ended")
    queued: Any = Transport(*["queued"] * 9)
    assert try_messages(queued, [message]) == ({}, "the mail server did not take the message: 421 closing")


def test_a_site_without_a_mail_server_has_no_transport(kit: SiteKit) -> None:
    """The error names both ways."""
    with pytest.raises(SettingsError, match=r"no mail server is configured: name one under .smtp., or write messages"):
        make_transport(kit.site)


def test_a_test_message_needs_an_address(mail_kit: MailKit) -> None:
    """A name in front of it is allowed."""
    mail_kit.draft("one")
    mail_kit.mail(1)
    with pytest.raises(SettingsError, match="'nobody' is not an email address: "):
        send_draft_test(mail_kit.site, "daily", "nobody", NOW)
