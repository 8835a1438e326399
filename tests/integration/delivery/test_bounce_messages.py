"""Bounces, automatic replies and unsubscribe messages as mail programs write them."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from tests.conftest import NOW, MailKit
from tests.support.deliveries import accept_all, return_path
from tests.support.use_cases import delivery_history, list_subscribers, process_messages

EXIM: Final = """\
Return-path: <>
From: Mail Delivery System <Mailer-Daemon@gate.example.net>
To: {verp}
Auto-Submitted: auto-replied
X-Failed-Recipients: bert@pond.example
Subject: {subject}

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bert@pond.example
{words}

------ This is a copy of the message, including all the headers. ------

Subject: 550 5.1.1 no such user
"""
EXIM_DELAY: Final = """\
Return-path: <>
From: Mail Delivery System <Mailer-Daemon@gate.example.net>
To: {verp}
Auto-Submitted: auto-replied
Subject: Warning: message 2wxyz delayed 48 hours

A message that you sent has not yet been delivered to one or more of its
recipients after more than 48 hours: 550 is not what it says.
"""
AUTOMATIC: Final = """\
Return-path: {path}
From: {sender}
To: {verp}
Auto-Submitted: {automatic}
Subject: {subject}

550 5.1.1 is the extension of my colleague.
"""
QMAIL: Final = """\
From: MAILER-DAEMON@pond.example
To: {verp}
Subject: failure notice

Hi. This is the qmail-send program at pond.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<bert@pond.example>:
192.0.2.3 does not like recipient.
Remote host said: {words}
Giving up on 192.0.2.3.

--- Below this line is a copy of the message.
"""
REPORT: Final = """\
From: MAILER-DAEMON@gate.example.net
To: {verp}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="X"

--X
Content-Type: text/plain

It could not be delivered.
--X
Content-Type: message/delivery-status

Reporting-MTA: dns; gate.example.net

{fields}

--X--
"""


@pytest.fixture
def sent(mail_kit: MailKit) -> tuple[MailKit, str]:
    """A site with one subscriber, an issue that was sent to them, and the return path of the delivery."""
    (name,) = mail_kit.add_subscribers(1)
    mail_kit.issue("one")
    accept_all(mail_kit)
    return mail_kit, return_path(mail_kit, name)


def process(sent: tuple[MailKit, str], text: str) -> str:
    """Process a message; return the kind of report that was counted, or ``nothing``."""
    kit, path = sent
    token = delivery_history(kit.site, "daily", "reader0@mail.example.org").message_id.partition("@")[0].lstrip("<")
    data = text.replace("{verp}", path).replace("{token}", token).encode()
    found = process_messages(kit.site, [data.replace(b"\n", b"\r\n")], NOW)
    counts = {"hard": found.hard, "soft": found.soft, "complaint": found.complaints, "unsubscribed": found.unsubscribed}
    names = [name for name, count in counts.items() if count]
    assert len(names) <= 1
    assert found.left == (not names)
    return names[0] if names else "nothing"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("    host mx.pond.example [192.0.2.3]: 550 5.1.1 <bert@pond.example>: user unknown", "hard"),
        ("    SMTP error from remote mail server after RCPT TO:<bert@pond.example>:\n    550 No such user", "hard"),
        ("    host mx.pond.example [192.0.2.3]: 550 <bert@pond.example>:\n    User unknown", "hard"),
        ("    Unrouteable address", "hard"),
        ("    No such user here", "hard"),
        ("    host mx.pond.example [192.0.2.3]: 550 Mailbox quota exceeded", "soft"),
        ("    SMTP error from remote mail server after MAIL FROM:<x@y.example>:\n    550 No such user", "soft"),
        ("    retry timeout exceeded", "soft"),
    ],
)
def test_bounces_of_exim_are_recognised_although_marked_as_replies(
    sent: tuple[MailKit, str], words: str, kind: str
) -> None:
    """X-Failed-Recipients marks a bounce, and the words before the returned message decide its kind."""
    assert process(sent, EXIM.replace("{words}", words).replace("{subject}", "Ein Betreff")) == kind


def test_a_delay_warning_is_not_a_bounce(sent: tuple[MailKit, str]) -> None:
    """Delivery goes on, so nothing is recorded."""
    assert process(sent, EXIM_DELAY) == "nothing"


def test_automatic_replies_are_not_bounces(sent: tuple[MailKit, str]) -> None:
    """RFC 3834: an automatic message without a delivery status is not a bounce, whatever its subject and numbers."""
    automatic = ("auto-replied", "auto-generated", "auto-notified", "Auto-Replied (vacation)")
    subjects = ("Out of office: The Daily", "Automatic reply: Undelivered votes", "Undeliverable: I moved on")
    for value, subject, path in product(automatic, subjects, ("<ann@pond.example>", "<>")):
        text = AUTOMATIC.replace("{automatic}", value).replace("{subject}", subject)
        assert process(sent, text.replace("{path}", path).replace("{sender}", "ann@pond.example")) == "nothing"


def test_an_automatic_bounce_of_a_mail_server_is_one(sent: tuple[MailKit, str]) -> None:
    """A null return path and a mailer daemon make an automatic message a bounce."""
    text = AUTOMATIC.replace("{automatic}", "auto-generated").replace("{subject}", "Undeliverable: The Daily")
    assert process(sent, text.replace("{path}", "<>").replace("{sender}", "MAILER-DAEMON@pond.example")) == "hard"


def test_a_message_of_a_person_about_a_bounce_is_not_a_bounce(sent: tuple[MailKit, str]) -> None:
    """Only a subject that begins like a bounce's makes a plain message a bounce."""
    for subject in ("Re: failure notice", "Fwd: Undelivered Mail", "About undeliverable mail"):
        text = f"From: ann@pond.example\nTo: {{verp}}\nSubject: {subject}\n\nHe got 550 5.1.1 no such user.\n"
        assert process(sent, text) == "nothing"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("550 5.1.1 <bert@pond.example> is not a valid mailbox: user unknown", "hard"),
        ("550 sorry, no mailbox here by that name. (#5.1.1)", "hard"),
        ("550 administrative prohibition", "soft"),
        ("550 no rDNS entry", "soft"),
    ],
)
def test_bounces_of_qmail_are_read_by_the_words_of_the_other_server(
    sent: tuple[MailKit, str], words: str, kind: str
) -> None:
    """The text of qmail's own sentences, such as "does not like recipient", decide nothing."""
    assert process(sent, QMAIL.replace("{words}", words)) == kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("Action: failed\nStatus: 5.0.0", "soft"),
        ("Action: failed\nStatus: 5.1.1", "hard"),
        ("Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.7.1 blocked using a list", "soft"),
        ("Action: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 450 4.1.1 user unknown", "soft"),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: x-local; no such user", "hard"),
        ("Action: delayed\nStatus: 4.4.1", "nothing"),
        ("Action: delivered\nStatus: 2.0.0", "nothing"),
        # A subscriber who forwards their mail: one target is gone, the other one is full.
        ("Action: failed\nStatus: 5.1.1\n\nAction: failed\nStatus: 5.2.2", "soft"),
    ],
)
def test_a_delivery_status_is_read_with_its_words(sent: tuple[MailKit, str], fields: str, kind: str) -> None:
    """A status without words, and words that contradict the status, make a soft bounce."""
    assert process(sent, REPORT.replace("{fields}", fields)) == kind


@pytest.mark.parametrize(
    "subject",
    [
        "unsubscribe {token}",
        "[EXTERNAL] unsubscribe {token}",
        "Re: unsubscribe {token}",
        "Abmelden {token} bitte",
        "{token}",
        "=?utf-8?q?[EXT]_unsubscribe_{token}?=",
        "unsubscribe\n {token}",
    ],
)
def test_a_token_anywhere_in_the_subject_unsubscribes(sent: tuple[MailKit, str], subject: str) -> None:
    """Mail programs and gateways may put other text around the token."""
    assert process(sent, f"From: ann@pond.example\nTo: news@review.example\nSubject: {subject}\n\n") == "unsubscribed"
    assert [one.as_dict()["digests"] for one in list_subscribers(sent[0].site)] == [[]]


def test_a_subject_without_a_genuine_token_does_nothing(sent: tuple[MailKit, str]) -> None:
    """A token that this site did not make unsubscribes nobody."""
    for subject in ("unsubscribe", "unsubscribe me", f"unsubscribe {'b' * 32}", "c" * 32):
        assert process(sent, f"From: ann@pond.example\nTo: n@review.example\nSubject: {subject}\n\n") == "nothing"


def test_an_unknown_token_in_the_subject_does_not_hide_a_bounce(sent: tuple[MailKit, str]) -> None:
    """A bounce whose subject contains 32 other hexadecimal digits is read as a bounce."""
    text = QMAIL.replace("failure notice", f"failure notice {'d' * 32}").replace("{words}", "550 5.1.1 no such user")
    assert process(sent, text) == "hard"
