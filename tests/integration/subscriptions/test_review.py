"""``publish subscribers review``: suppressions by words that do not speak of the address."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

import pytest
from click.testing import CliRunner

from publisher.cli.review import command
from publisher.delivery import bounces_store as bounces
from publisher.delivery.bounces_store import BounceRow
from publisher.mail.replies import Reason
from publisher.signing.site_key import keyring
from publisher.subscribers.suppression import suppress_address
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions.review import stored_reason
from tests.conftest import NOW, MailKit
from tests.support.deliveries import accept_all, return_path
from tests.support.use_cases import (
    doubtful_suppressions,
    erase_subscriber,
    lift_suppressions,
    list_subscribers,
    process_messages,
    suppress_by_operator,
)

#: Note of a suppression → whether today's rules accept it.
NOTES: Final = {
    "mx.relay.example: 550 Reverse DNS lookup failed": False,
    "mx.relay.example: 550 Message contains a virus": False,
    "5.2.1 550 5.2.1 The user is receiving mail at a rate that prevents further messages": False,
    "5.1.0 550 5.1.0 Sender denied": False,
    "mx.relay.example: 550 5.0.0": False,
    "mx.relay.example: 550 5.1.1 <reader5@mail.example.org>: user unknown": True,
    "5.1.1": True,
    "mx.relay.example: 550 No such user at corporate.example": True,
    # Nobody knows what a server said.
    "the imported list says so": True,
    "": True,
}


def suppress_with(kit: MailKit, notes: dict[str, str], reason: str = "bounced") -> None:
    """Store suppressions as earlier versions did: address → note."""
    with kit.open() as db, db.write() as connection:
        ring = keyring(kit.site, connection)
        for address, note in notes.items():
            suppress_address(connection, ring, address, reason, SuppressionChannel.SMTP, note, int(NOW.timestamp()))


def statuses(kit: MailKit) -> dict[str, str]:
    return {one["address"]: one["status"] for one in (person.as_dict() for person in list_subscribers(kit.site))}


def test_suppressions_by_words_about_us_are_listed_and_lifted(any_mail_kit: MailKit) -> None:
    """Each listed subscriber is active again with their newsletters; the others stay suppressed."""
    kit = any_mail_kit
    names = kit.add_subscribers(len(NOTES) + 1)
    suppress_with(kit, dict(zip(names, NOTES, strict=False)))
    wrong = [name for name, is_right in zip(names, NOTES.values(), strict=False) if not is_right]
    doubtful = doubtful_suppressions(kit.site)
    assert [one.address for one in doubtful] == wrong
    assert [one.words for one in doubtful] == [note for note, is_right in NOTES.items() if not is_right]
    assert sorted(lift_suppressions(kit.site, doubtful, NOW)) == sorted(wrong)
    assert [name for name, status in statuses(kit).items() if status == "active"] == [*wrong, names[-1]]
    assert {tuple(one.as_dict()["digests"]) for one in list_subscribers(kit.site)} == {("daily",)}
    assert doubtful_suppressions(kit.site) == []


@pytest.mark.parametrize("reason", ["complained", "asked", "unsubscribed", "forgotten"])
def test_only_suppressions_by_a_bounce_are_reviewed(mail_kit: MailKit, reason: str) -> None:
    """What a person or a provider asked for is never listed, whatever its note says."""
    names = mail_kit.add_subscribers(1)
    suppress_with(mail_kit, {names[0]: "mx.relay.example: 550 Reverse DNS lookup failed"}, reason)
    assert doubtful_suppressions(mail_kit.site) == []


def test_a_subscriber_who_complained_later_is_not_lifted(mail_kit: MailKit) -> None:
    """A complaint after the suppression keeps the address suppressed."""
    names = mail_kit.add_subscribers(1)
    mail_kit.issue("one")
    suppress_with(mail_kit, {names[0]: "mx.relay.example: 550 Reverse DNS lookup failed"})
    doubtful = doubtful_suppressions(mail_kit.site)
    assert [one.address for one in doubtful] == names
    with mail_kit.open() as db, db.write() as connection:
        at = int(NOW.timestamp()) + 1
        complaint = BounceRow(kind="complaint", issue_id=1, subscriber_id=1, status="", answer="abuse", reported_at=at)
        assert bounces.add_bounce(connection, "b" * 32, complaint)
    assert lift_suppressions(mail_kit.site, doubtful, NOW) == []
    assert statuses(mail_kit) == {names[0]: "suppressed"}


@pytest.mark.postgresql
def test_a_request_to_get_no_mail_replaces_a_bounce(any_mail_kit: MailKit) -> None:
    """After ``publish subscribers suppress`` no review lifts the suppression, also if it was listed before."""
    names = any_mail_kit.add_subscribers(1)
    suppress_with(any_mail_kit, {names[0]: "mx.relay.example: 550 Reverse DNS lookup failed"})
    doubtful = doubtful_suppressions(any_mail_kit.site)
    assert suppress_by_operator(any_mail_kit.site, names[0], NOW, note="asked by phone") is False
    assert doubtful_suppressions(any_mail_kit.site) == []
    assert lift_suppressions(any_mail_kit.site, doubtful, NOW) == []
    assert statuses(any_mail_kit) == {names[0]: "suppressed"}


def test_an_unsubscribed_person_stays_unsubscribed_after_the_suppression_is_lifted(mail_kit: MailKit) -> None:
    """Lifting restores the state from before, also an unsubscription."""
    from publisher.model.subscriptions import ChangeSource
    from publisher.subscribers.subscriptions_store import StateChange, unsubscribe

    names = mail_kit.add_subscribers(1)
    with mail_kit.open() as db, db.write() as connection:
        unsubscribe(connection, 1, StateChange(ChangeSource.LINK, 1))
    suppress_with(mail_kit, {names[0]: "mx.relay.example: 550 Reverse DNS lookup failed"})
    lift_suppressions(mail_kit.site, doubtful_suppressions(mail_kit.site), NOW)
    assert [
        (one["digests"], one["status"]) for one in (person.as_dict() for person in list_subscribers(mail_kit.site))
    ] == [([], "unsubscribed")]


def test_an_erased_subscriber_is_neither_listed_nor_lifted(mail_kit: MailKit) -> None:
    """Erasure wins over a review that was listed before."""
    names = mail_kit.add_subscribers(1)
    suppress_with(mail_kit, {names[0]: "mx.relay.example: 550 Reverse DNS lookup failed"})
    doubtful = doubtful_suppressions(mail_kit.site)
    erase_subscriber(mail_kit.site, names[0], NOW)
    assert doubtful_suppressions(mail_kit.site) == []
    assert lift_suppressions(mail_kit.site, doubtful, NOW) == []
    assert suppress_by_operator(mail_kit.site, names[0], NOW) is False


def dsn(to: str, said: str) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        f"Final-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; {said}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <a@b>\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("550 Reverse DNS lookup failed", "active"),
        ("421 4.7.0 Too many connections from your host", "active"),
        ("554 5.7.1 Message rejected as spam", "active"),
        ("552 5.2.2 Mailbox full", "suppressed"),
        ("550 Gruetzi", "suppressed"),
    ],
)
def test_soft_bounces_that_are_about_us_never_suppress(any_mail_kit: MailKit, said: str, status: str) -> None:
    """A relay that rejects several issues suppresses no address; a mailbox that stays full is suppressed."""
    kit = any_mail_kit
    kit.add_settings("\n[delivery]\nsoft_bounces = 3\n")
    (name,) = kit.add_subscribers(1)
    for number in range(3):
        when = NOW + timedelta(days=number)
        kit.issue(f"story{number}", now=when)
        accept_all(kit, when)
        assert process_messages(kit.site, [dsn(return_path(kit, name), said)], when).soft == 1
    assert statuses(kit) == {name: status}
    assert doubtful_suppressions(kit.site) == []


def test_a_suppression_after_soft_bounces_about_us_is_listed(mail_kit: MailKit) -> None:
    """Earlier versions counted refusals that were about us: these suppressions are listed."""
    (name,) = mail_kit.add_subscribers(1)
    for number in range(3):
        when = NOW - timedelta(days=3 - number)
        mail_kit.issue(f"story{number}", now=when)
        accept_all(mail_kit, when)
        process_messages(mail_kit.site, [dsn(return_path(mail_kit, name), "550 Reverse DNS lookup failed")], when)
    note = "copies of 3 issues came back within 30 days; the last: 5.0.0 550 Reverse DNS lookup failed"
    suppress_with(mail_kit, {name: note})
    assert [(one.address, one.reason) for one in doubtful_suppressions(mail_kit.site)] == [(name, Reason.POLICY)]


def test_notes_are_judged_as_they_were_stored() -> None:
    """The relay's name and a report's status before the words do not change their meaning."""
    assert stored_reason("spamhaus.example: 550 5.1.1 no such user") is Reason.ADDRESS
    assert stored_reason("5.1.1 550 5.7.1 blocked using a list") is Reason.POLICY
    assert stored_reason("called and asked") is None


def test_the_command_asks_before_it_lifts(mail_kit: MailKit) -> None:
    """Without a terminal and without --yes nothing changes, and the exit status is 2."""
    names = mail_kit.add_subscribers(2)
    suppress_with(mail_kit, {names[0]: "mx.relay.example: 550 Reverse DNS lookup failed"})
    site = ["--site", str(mail_kit.root)]
    run = CliRunner().invoke
    listed = run(command, site)
    assert listed.exit_code == 0
    assert f"{names[0]}  2026-" in listed.output and "policy: mx.relay.example: 550 Reverse DNS" in listed.output
    assert "--lift" in listed.output
    refused = run(command, [*site, "--lift"])
    assert getattr(refused.exception, "exit_status", None) == 2
    assert statuses(mail_kit)[names[0]] == "suppressed"
    done = json.loads(run(command, [*site, "--lift", "--yes", "--json"]).output)
    assert done["lifted"] == [names[0]] and done["suppressed"][0]["reason"] == "policy"
    assert statuses(mail_kit)[names[0]] == "active"
    assert "No suppressions to review." in run(command, site).output
