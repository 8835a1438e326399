"""Hostile and broken messages in the mailbox for bounces: each is quarantined, and the next one is read."""

from __future__ import annotations

import mailbox
import subprocess
import sys
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from publisher.delivery import bounces as action
from publisher.mail.bounces import ReportKind, read_report
from publisher.mail.mime import MAX_DEPTH, MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_PARTS, UnreadableMessage, walk_parts
from tests.conftest import NOW, MailKit
from tests.support.deliveries import accept_all, return_path
from tests.support.use_cases import list_subscribers, process_mailbox, process_messages


def bounce(to: str, said: str = "550 5.1.1 no such user") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; {said}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <a@b>\r\n\r\n--b--\r\n"
    ).encode()


def nested(depth: int) -> bytes:
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return f"Subject: failure notice\r\n{head}\r\ndeep\r\n".encode()


def blocks(count: int) -> bytes:
    fields = "Final-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 4.2.2\r\n\r\n" * count
    return (
        'Subject: Undelivered\r\nContent-Type: multipart/report; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{fields}--b--\r\n"
    ).encode()


#: Messages that are read, although parsers stumble over them.
STRANGE: Final[dict[str, bytes]] = {
    "an encoded word that is none": b"Subject: =?utf-8?b?A?=\r\n\r\nbuy\r\n",
    "2.8 MB of encoded words, folded": b"Subject:\r\n =?utf-8?q?" + b"\r\n =?utf-8?b?QQ==?=" * 4_000 + b"\r\n\r\n",
    "an unknown character set": b"Subject: =?x-none?q?a?=\r\nContent-Type: text/plain; charset=punycode\r\n\r\n\xff\xfe",
    "NULs": b"Subject: a\x00b\r\nFrom: \x00\r\n\r\n\x00\x00",
    "no header": b"\r\n\r\n\r\n",
    "nothing": b"",
    "a header without an end": b"Subject: a",
    "a thousand fields of one name": b"To: a\r\n" * 1_000 + b"\r\n",
    "a boundary that is empty": b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\n--\r\n',
    "a boundary without parts": b'Content-Type: multipart/report; boundary="b"\r\n\r\n' + b"--b " * 9_000,
    "thousands of status blocks": blocks(5_000),
    "surrogates": b"Subject: \xed\xa0\x80 =?utf-8?b?7aCA?=\r\n\r\n",
    "base64 that is none": b"Content-Transfer-Encoding: base64\r\nSubject: failure notice\r\n\r\n!!!=A\r\n",
    "many parameters": b"Content-Type: multipart/mixed; " + b'a";' * 40_000 + b"\r\n\r\n",
}
#: Messages that exceed a limit.
UNREADABLE: Final[dict[str, tuple[bytes, str]]] = {
    "3,000 nested parts": (nested(3_000), "nested deeper than 20 levels"),
    "a huge header": (b"X: " + b"a" * (MAX_HEADER_BYTES + 1) + b"\r\n\r\n", "a header is larger"),
    "2.8 MB of encoded words": (b"Subject:" + b" =?utf-8?b?QQ==?=" * 170_000 + b"\r\n\r\n", "a header is larger"),
    "thousands of parts": (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\na\r\n" * 5_000,
        "more than 200 parts",
    ),
    "lines that begin like a boundary": (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--bb\r\n" * 400_000,
        "a boundary occurs more than",
    ),
    "a huge returned header": (
        b'Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n'
        + b"X: a\r\n" * 60_000
        + b"\r\n--b--\r\n",
        "a header is larger",
    ),
    "a huge message": (b"Subject: a\r\n\r\n" + b"a" * MAX_MESSAGE_BYTES, "it is larger than"),
}


@pytest.fixture
def sent(mail_kit: MailKit) -> tuple[MailKit, list[str]]:
    """A site with three subscribers, an issue that was sent to them, and its return paths."""
    names = mail_kit.add_subscribers(3)
    mail_kit.issue("one")
    accept_all(mail_kit)
    return mail_kit, [return_path(mail_kit, name) for name in names]


def statuses(kit: MailKit) -> list[str]:
    return [one.as_dict()["status"] for one in list_subscribers(kit.site)]


@pytest.mark.parametrize("name", STRANGE)
def test_an_unusual_message_is_read(name: str) -> None:
    """A message within the limits is read without an exception, and suppresses nobody."""
    assert all(report.kind is ReportKind.SOFT for report in read_report(STRANGE[name]))


@pytest.mark.parametrize("name", UNREADABLE)
def test_the_reason_of_an_unreadable_message_names_the_limit(name: str) -> None:
    """Each limit has its own reason."""
    data, reason = UNREADABLE[name]
    with pytest.raises(UnreadableMessage, match=reason):
        read_report(data)


def test_the_limits_are_wide_enough_for_real_bounces() -> None:
    """A message just within each limit is read."""
    assert len(walk_parts(nested(MAX_DEPTH))) == MAX_DEPTH + 1
    many = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\na\r\n" * (MAX_PARTS - 1)
    assert len(walk_parts(many)) == MAX_PARTS
    padded = b"X: " + b"a" * (MAX_HEADER_BYTES - 200) + b"\r\n" + bounce("a@b")
    assert [report.kind for report in read_report(padded)] == [ReportKind.HARD]
    large = bounce("a@b") + b"a" * (MAX_MESSAGE_BYTES - len(bounce("a@b")))
    assert [report.kind for report in read_report(large)] == [ReportKind.HARD]


def open_box(path: Path, kind: str) -> Any:
    return mailbox.Maildir(path) if kind == "maildir" else mailbox.mbox(path)


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_unreadable_messages_are_quarantined_and_the_bounce_beside_them_is_read(
    sent: tuple[MailKit, list[str]], kind: str
) -> None:
    """Each unreadable message is moved, counted and named once; later runs do not see it."""
    kit, paths = sent
    path = kit.root / "box"
    box = open_box(path, kind)
    for data, _ in UNREADABLE.values():
        box.add(data)
    for data in (*STRANGE.values(), bounce(paths[1])):
        box.add(data)
    box.close()
    kept = process_mailbox(kit.site, NOW, path=path, keep=True)
    assert (kept.unreadable, kept.hard, kept.messages) == (len(UNREADABLE), 1, len(UNREADABLE) + len(STRANGE) + 1)
    found = process_mailbox(kit.site, NOW, path=path)
    assert (found.unreadable, found.known, found.left) == (len(UNREADABLE), 1, len(STRANGE))
    assert len(found.problems) == len(UNREADABLE)
    assert any("nested deeper" in problem for problem in found.problems)
    assert statuses(kit) == ["active", "suppressed", "active"]
    again = process_mailbox(kit.site, NOW, path=path)
    assert (again.unreadable, again.problems, again.left) == (0, (), len(STRANGE))
    aside = mailbox.Maildir(path).get_folder("Unreadable") if kind == "maildir" else mailbox.mbox(f"{path}.unreadable")
    assert len(aside) == len(UNREADABLE)
    sizes = sorted(len(aside.get_bytes(key)) for key in aside.keys())  # noqa: SIM118 - iterating over a mailbox yields messages
    assert sizes[-1] >= MAX_MESSAGE_BYTES
    aside.close()
    if kind == "mbox":
        assert Path(f"{path}.unreadable").stat().st_mode & 0o077 == 0


def test_an_unreadable_message_on_standard_input_is_saved(sent: tuple[MailKit, list[str]]) -> None:
    """The message is kept in the site's folder, readable by its owner only, and the exit status is 1."""
    kit, _ = sent
    data = nested(3_000)
    command = [sys.executable, "-m", "publisher", "bounces", "-"]
    done = subprocess.run(command, input=data, capture_output=True, cwd=kit.root, check=False)
    assert done.returncode == 1
    assert b"Skipped 1 message" in done.stdout and b"nested deeper" in done.stdout
    (saved,) = (kit.root / "unreadable").iterdir()
    assert saved.read_bytes() == data
    assert saved.stat().st_mode & 0o077 == 0 and saved.parent.stat().st_mode & 0o077 == 0


def test_an_error_of_the_parser_concerns_one_message(
    sent: tuple[MailKit, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception while a message is parsed quarantines that message."""
    kit, paths = sent
    real = action.read_report

    def fails(data: bytes) -> Any:
        if b"poison" in data:
            raise RecursionError
        return real(data)

    monkeypatch.setattr(action, "read_report", fails)
    found = process_messages(kit.site, [b"Subject: poison\r\n\r\n", bounce(paths[0])], NOW)
    assert (found.unreadable, found.hard) == (1, 1)
    assert "RecursionError" in found.problems[0]


@pytest.mark.postgresql
@pytest.mark.parametrize("error", [DataError, IntegrityError, OperationalError, ValueError])
def test_a_database_error_concerns_one_message(
    any_mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch, error: Callable[..., Exception]
) -> None:
    """The report that the database rejects stays in the mailbox; the others are recorded."""
    kit = any_mail_kit
    names = kit.add_subscribers(3)
    kit.issue("one")
    accept_all(kit)
    path = kit.root / "box"
    box = mailbox.Maildir(path)
    for name in names:
        box.add(message_from_bytes(bounce(return_path(kit, name))))
    real = action.suppress_address

    def fails(connection: Connection, ring: Any, key: str, *rest: Any) -> bool:
        if key == names[1]:
            raise error("no") if error is ValueError else error("no", {}, Exception())
        return real(connection, ring, key, *rest)

    monkeypatch.setattr(action, "suppress_address", fails)
    found = process_mailbox(kit.site, NOW, path=path)
    assert (found.hard, found.failed, found.skipped) == (2, 1, 1)
    assert statuses(kit) == ["suppressed", "active", "suppressed"]
    assert len(mailbox.Maildir(path)) == 1
    monkeypatch.undo()
    assert process_mailbox(kit.site, NOW, path=path).hard == 1
    assert statuses(kit) == ["suppressed"] * 3


@pytest.mark.postgresql
def test_words_with_nul_and_surrogates_are_stored(any_mail_kit: MailKit) -> None:
    """What a database cannot store is replaced before it is recorded."""
    kit = any_mail_kit
    (name,) = kit.add_subscribers(1)
    kit.issue("one")
    accept_all(kit)
    data = bounce(
        return_path(kit, name), said="550 5.2.2 full\x00 \udce9".encode("utf-8", "surrogateescape").decode("latin-1")
    )
    found = process_messages(kit.site, [data], NOW)
    assert (found.soft, found.failed) == (1, 0)
