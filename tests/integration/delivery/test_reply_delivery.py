"""Refusals over a real SMTP connection: suppressed subscribers, deferred and failed deliveries."""

from __future__ import annotations

from typing import Final

import pytest

from publisher.delivery import store as deliveries
from publisher.model.delivery import DeliveryState
from tests.conftest import MailKit
from tests.support.smtp import Script, Server
from tests.support.use_cases import deliver, list_subscribers

SUPPRESS, WAIT, FAIL = ("failed", True), ("deferred", False), ("failed", False)
#: Reply → state of the delivery, and whether the address is suppressed.
REPLIES: Final = {
    "550 The mailbox is full: quota exceeded": WAIT,
    "550 Frequency of connections limited": WAIT,
    "550 Administratively prohibited": WAIT,
    "550 There is no rDNS entry for 192.0.2.8": WAIT,
    "550 Reverse DNS lookup failed": WAIT,
    "550 A virus is in this message": FAIL,
    "550 Message size exceeds the fixed maximum": FAIL,
    "550 This account is temporarily suspended; come back tomorrow": WAIT,
    "550 5.2.1 This user receives mail at a rate that prevents more messages": WAIT,
    "550 5.1.0 Sender is denied": FAIL,
    "550 No such user at incorporated.example": SUPPRESS,
    "550 User unknown in the relay recipient table": SUPPRESS,
    "550 5.1.1 There is no such user": SUPPRESS,
    "550 Usuario desconocido": SUPPRESS,
    "550 5.5.0 Adresse destinataire invalide": SUPPRESS,
}


@pytest.mark.parametrize("step", ["rcpt", "dot"])
@pytest.mark.parametrize("reply", REPLIES)
def test_a_refusal_has_its_outcome(mail_kit: MailKit, reply: str, step: str) -> None:
    """The same words have the same outcome at RCPT and at the end of the message."""
    mail_kit.add_subscribers(1)
    mail_kit.issue("one")
    with Server(Script(at=lambda at, argument, number: reply if at == step else None)) as server:
        mail_kit.mail(server.port)
        deliver(mail_kit.site, "daily")
    state, is_suppressed = REPLIES[reply]
    with mail_kit.open() as db, db.read() as connection:
        assert deliveries.state_counts(connection) == {1: {DeliveryState(state): 1}}
    assert [one.as_dict()["status"] for one in list_subscribers(mail_kit.site)] == [
        "suppressed" if is_suppressed else "active"
    ]


def test_a_relay_without_reverse_dns_suppresses_nobody(any_mail_kit: MailKit) -> None:
    """A relay that refuses everybody for our DNS defers the issue and keeps the list as it is."""
    kit = any_mail_kit
    for number in range(40):
        kit.add_subscribers(1, domain=f"mail{number}.example.org")
    kit.issue("one")
    refusal = "550 Reverse DNS lookup failed"
    with Server(Script(at=lambda at, argument, number: refusal if at == "rcpt" else None)) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    assert {one.as_dict()["status"] for one in list_subscribers(kit.site)} == {"active"}
    with kit.open() as db, db.read() as connection:
        assert DeliveryState.FAILED not in deliveries.state_counts(connection)[1]
