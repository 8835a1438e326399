"""Bounces, complaints and unsubscribe messages change the state of the subscriber that they are about."""

from __future__ import annotations

import mailbox
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from flufl.bounce import all_failures
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.bounces import ReportKind, read_report
from tests.conftest import NOW, MailKit
from tests.support.deliveries import accept_all, return_path
from tests.support.use_cases import delivery_history, list_subscribers, process_mailbox, process_messages

PASS = "a2" * 16


def dsn(
    to: str,
    message_id: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    said: str = "smtp; 550 5.1.1 no such user",
) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; reader@mail.example.org\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: {said}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\nSubject: The Daily\r\n\r\n--b--\r\n"
    ).encode()


def arf(message_id: str, kind: str = "abuse") -> bytes:
    return (
        "From: feedback@isp.example\r\nTo: news@review.example\r\nSubject: FW: The Daily\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nVersion: 1\r\nUser-Agent: X\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {message_id}\r\nSubject: The Daily\r\n\r\nHello\r\n--b--\r\n"
    ).encode()


def plain(to: str, text: str, subject: str = "failure notice") -> bytes:
    return f"From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


@dataclass(frozen=True)
class Delivered:
    """What an accepted delivery carries: in its envelope, and in its headers."""

    path: str
    message_id: str


@pytest.fixture
def sent(mail_kit: MailKit) -> tuple[MailKit, list[Delivered]]:
    """A site with three subscribers and an issue that was sent to them."""
    names = mail_kit.add_subscribers(3)
    mail_kit.issue("one")
    accept_all(mail_kit)
    return mail_kit, [delivered(mail_kit, name) for name in names]


def delivered(kit: MailKit, name: str) -> Delivered:
    return Delivered(return_path(kit, name), delivery_history(kit.site, "daily", name).message_id)


def copy(message_id: str) -> str:
    return message_id.partition("@")[0].lstrip("<")


def status(kit: MailKit) -> list[str]:
    return [one.status for one in list_subscribers(kit.site)]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda one: dsn(one.path, "<x@y>"), "hard"),
        (lambda one: dsn(one.path.upper(), one.message_id), "hard"),
        (lambda one: dsn("news@review.example", one.message_id), "unverified"),
        (
            lambda one: dsn("news@review.example", one.message_id, status="5.2.2", said="smtp; 552 5.2.2 full"),
            "unverified",
        ),
        (lambda one: dsn(f"bounces+{copy(one.message_id)}@review.example", one.message_id), "unverified"),
        (lambda one: dsn(one.path, one.message_id, status="5.0.0", said="smtp; 550 5.1.1 unknown"), "hard"),
        (lambda one: dsn(one.path, one.message_id, status="5.0.0", said="smtp; 550 no such user"), "hard"),
        (lambda one: dsn(one.path, one.message_id, status="5.2.2", said="smtp; 552 5.2.2 full"), "soft"),
        (lambda one: dsn(one.path, one.message_id, status="5.7.1", said="smtp; 550 5.7.1 blocked"), "soft"),
        (lambda one: dsn(one.path, one.message_id, status="4.4.7", said="smtp; 421 timed out"), "soft"),
        (lambda one: dsn(one.path, one.message_id, status="5.5.0", said="smtp; 550 5.5.0 what"), "soft"),
        (lambda one: dsn(one.path, one.message_id, action="delayed", status="4.4.1"), None),
        (lambda one: dsn(one.path, one.message_id, action="delivered", status="2.0.0"), None),
        (lambda one: arf(one.message_id), "complaint"),
        (lambda one: arf(one.message_id, "not-spam"), None),
        (lambda one: plain(one.path, "<r@x>:\n550 5.1.1 no mailbox here"), "hard"),
        (lambda one: plain(one.path, "I wasn't able to deliver."), "soft"),
        (lambda one: plain(one.path, "I am on holiday", "Out of office"), None),
        (lambda one: plain("news@review.example", "", f"unsubscribe {copy(one.message_id)}"), "unsubscribe"),
        # Somebody quotes a report: nothing in a text counts.
        (lambda one: plain("news@review.example", f"550 5.1.1 {one.message_id} {copy(one.message_id)}"), None),
        # A mark that we have not made.
        (lambda one: dsn(f"bounces+{'b' * 32}@review.example", f"<{'c' * 32}@review.example>"), None),
    ],
)
def test_a_report_changes_the_state_of_its_subscriber(
    sent: tuple[MailKit, list[Delivered]], make: Callable[[Delivered], bytes], kind: str | None
) -> None:
    """Each kind of report has its own effect and count."""
    kit, ids = sent
    found = process_messages(kit.site, [make(ids[1])], NOW)
    counts = {
        "hard": found.hard,
        "soft": found.soft,
        "complaint": found.complaints,
        "unsubscribe": found.unsubscribed,
        "unverified": found.unverified,
    }
    assert counts == {name: int(name == kind) for name in counts}
    assert found.left == (kind is None)
    states = {"hard": "suppressed", "complaint": "unsubscribed", "unsubscribe": "unsubscribed"}
    assert status(kit) == ["active", states.get(kind or "", "active"), "active"]
    if kind is not None:
        story = delivery_history(kit.site, "daily", "reader1@mail.example.org")
        assert any(one.text.startswith(f"bounced: {kind}") for one in story.events)
    if kind in ("unsubscribe", "complaint"):
        assert [one.as_dict()["digests"] for one in list_subscribers(kit.site)] == [["daily"], [], ["daily"]]


def test_soft_bounces_of_enough_issues_suppress_and_one_issue_counts_once(mail_kit: MailKit) -> None:
    """``delivery.soft_bounces`` counts issues, not messages."""
    kit = mail_kit
    kit.add_settings("\n[delivery]\nsoft_bounces = 3\n")
    kit.add_subscribers(1)
    when = NOW
    for number in range(3):
        kit.issue(f"story{number}", now=when, date=f"{when:%Y-%m-%d}")
        accept_all(kit, when)
        path = return_path(kit, "reader0@mail.example.org")
        for again in range(4):
            report = dsn(path, "<x@y>", status="5.2.2", said=f"smtp; 552 5.2.2 full ({again})")
            found = process_messages(kit.site, [report], when)
        assert status(kit) == ["suppressed" if number == 2 else "active"]
        when += timedelta(days=1)
    assert found.suppressed == ()


def test_old_soft_bounces_do_not_count(mail_kit: MailKit) -> None:
    """Soft bounces count for 30 days."""
    kit = mail_kit
    kit.add_settings("\n[delivery]\nsoft_bounces = 2\n")
    kit.add_subscribers(1)
    for number in range(3):
        when = NOW + timedelta(days=31 * number)
        kit.issue(f"story{number}", now=when, date=f"{when:%Y-%m-%d}")
        accept_all(kit, when)
        path = return_path(kit, "reader0@mail.example.org")
        process_messages(kit.site, [dsn(path, "<x@y>", status="5.2.2", said="smtp; 552 5.2.2 full")], when)
    assert status(kit) == ["active"]


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_recorded_messages_are_deleted_from_the_mailbox_and_others_stay(
    sent: tuple[MailKit, list[Delivered]], kind: str
) -> None:
    """Messages that are not reports stay."""
    kit, ids = sent
    path = kit.root / "box"
    box: mailbox.Mailbox = mailbox.Maildir(path) if kind == "maildir" else mailbox.mbox(path)
    for data in (dsn(ids[0].path, "<x@y>"), plain("n@review.example", "Hello", "A letter"), arf(ids[2].message_id)):
        box.add(message_from_bytes(data))
    box.close()
    assert process_mailbox(kit.site, NOW, path=path, keep=True).hard == 1
    found = process_mailbox(kit.site, NOW, path=path)
    assert (found.messages, found.known, found.left) == (3, 2, 1)
    assert status(kit) == ["suppressed", "active", "unsubscribed"]
    left = mailbox.Maildir(path) if kind == "maildir" else mailbox.mbox(path)
    assert [one["Subject"] for one in left] == ["A letter"]
    left.close()


def test_a_bounce_is_recorded_before_the_message_is_deleted(
    sent: tuple[MailKit, list[Delivered]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the two steps loses nothing; the next run counts the report as known."""
    kit, ids = sent
    path = kit.root / "box"
    box = mailbox.Maildir(path)
    box.add(message_from_bytes(dsn(ids[0].path, "<x@y>")))

    def dies(*_: object) -> None:
        assert status(kit) == ["suppressed", "active", "active"]
        raise KeyboardInterrupt

    monkeypatch.setattr(mailbox.Maildir, "discard", dies)
    with pytest.raises(KeyboardInterrupt):
        process_mailbox(kit.site, NOW, path=path)
    monkeypatch.undo()
    assert len(mailbox.Maildir(path)) == 1
    assert process_mailbox(kit.site, NOW, path=path).known == 1
    assert len(mailbox.Maildir(path)) == 0


def test_nothing_is_recorded_about_an_erased_subscriber(sent: tuple[MailKit, list[Delivered]]) -> None:
    """A late bounce stores nothing about a person who was erased."""
    from tests.support.use_cases import erase_subscriber

    kit, ids = sent
    erase_subscriber(kit.site, "reader0@mail.example.org", NOW)
    found = process_messages(kit.site, [dsn(ids[0].path, "<x@y>")], NOW)
    assert (found.hard, found.known, found.suppressed) == (0, 1, ())


def test_flufl_bounce_finds_the_same_failures() -> None:
    """An independent parser agrees on the failed addresses."""
    address = "reader@mail.example.org"
    corpus = {
        "hard": dsn("n@review.example", f"<{PASS}@review.example>"),
        "full": dsn("n@review.example", f"<{PASS}@review.example>", status="5.2.2"),
        "delayed": dsn("n@review.example", f"<{PASS}@review.example>", action="delayed", status="4.4.1"),
        "letter": plain("n@review.example", "Hello", "A letter"),
        "complaint": arf(f"<{PASS}@review.example>"),
    }
    for name, data in corpus.items():
        _temporary, permanent = all_failures(message_from_bytes(data))
        ours = [one for one in read_report(data) if one.kind in (ReportKind.HARD, ReportKind.SOFT)]
        theirs = {one.decode() if isinstance(one, bytes) else one for one in permanent}
        assert bool(ours) == (address in theirs), name


@given(st.binary(max_size=400))
def test_any_bytes_are_processed_without_an_exception(data: bytes) -> None:
    """Random bytes are never a hard bounce, so they suppress nobody."""
    assert all(report.kind is not ReportKind.HARD for report in read_report(data))


@given(st.integers(0, 800), st.binary(max_size=8))
def test_a_damaged_report_is_processed_without_an_exception(place: int, junk: bytes) -> None:
    """Random damage to a real report raises nothing, and no control character gets through."""
    data = dsn("n@review.example", f"<{PASS}@review.example>")
    for report in read_report(data[:place] + junk + data[place:]):
        assert not any(unicodedata.category(character) == "Cc" for character in report.answer)


def test_a_report_contains_no_control_characters() -> None:
    """Escape sequences are removed, so a terminal does not execute them."""
    data = dsn("n@review.example", f"<{PASS}@review.example>", said="smtp; 550 5.1.1 \x1b[2Jno such\x07 user")
    assert [one.answer for one in read_report(data)] == ["550 5.1.1 [2Jno such user"]


def test_a_folder_that_is_not_a_mailbox_is_rejected(mail_kit: MailKit, tmp_path: Path) -> None:
    """The message names the folder and the supported formats."""
    from publisher.errors import SettingsError

    with pytest.raises(SettingsError, match="neither a Maildir"):
        process_mailbox(mail_kit.site, datetime.now(UTC), path=tmp_path)
    with pytest.raises(SettingsError, match="no mailbox is configured"):
        process_mailbox(mail_kit.site, datetime.now(UTC))
