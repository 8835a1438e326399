"""Mailboxes for bounces, and the Maildir that takes the place of a mail server."""

from __future__ import annotations

import imaplib
import mailbox
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import RemoteError, SettingsError, StageError
from publisher.mail import mailboxes
from publisher.mail.mailboxes import ImapAccount, open_folder, open_imap
from publisher.mail.maildir import MaildirTransport
from publisher.mail.mime import MAX_MESSAGE_BYTES
from publisher.model.delivery import DeliveryState
from tests.support.message_list import MessageList, outgoing_message

ACCOUNT = ImapAccount(host="imap.example", port=143, username="me", password="secret", security="none")


class ImapServer:
    """The commands of ``imaplib.IMAP4`` that the program uses, with the messages of one folder."""

    def __init__(self, messages: dict[str, bytes] | None = None, *, fails_at: str = "") -> None:
        self.inbox = messages or {}
        self.fails_at = fails_at
        self.commands: list[str] = []

    def step(self, name: str) -> None:
        self.commands.append(name)
        if name == self.fails_at:
            raise imaplib.IMAP4.abort("connection\r\nlost")

    def starttls(self, context: object) -> None:
        self.step("starttls")

    def login(self, username: str, password: str) -> None:
        self.step(f"login {username} {password}")

    def select(self, folder: str) -> tuple[str, list[bytes]]:
        self.step("select")
        return ("OK", [b"1"]) if folder == '"INBOX"' else ("NO", [b"it \x1b does\xff not exist"])

    def uid(self, command: str, *arguments: str) -> tuple[str, list[Any]]:
        self.step(command)
        if command == "SEARCH":
            *_, relation, size = arguments
            is_wanted = int(size).__lt__ if relation == "LARGER" else int(size).__gt__
            found = [uid for uid, data in self.inbox.items() if is_wanted(len(data))]
            return "OK", [" ".join(found).encode() or None]
        return "OK", [(b"1 (BODY[] {3}", self.inbox[arguments[0]]), b")"]

    def close(self) -> None:
        self.step("close")

    def logout(self) -> None:
        self.step("logout")

    def shutdown(self) -> None:
        self.commands.append("shutdown")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[ImapServer], ImapServer]:
    """Let the program connect to a server."""

    def use(server: ImapServer) -> ImapServer:
        class Connected:
            error, abort = imaplib.IMAP4.error, imaplib.IMAP4.abort

            def __new__(cls, *_: object, **__: object) -> Any:
                return server

        monkeypatch.setattr(mailboxes.imaplib, "IMAP4", Connected)
        return server

    return use


def test_a_large_message_on_an_imap_server_is_named_and_not_fetched(
    connect: Callable[[ImapServer], ImapServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server searches by size."""
    monkeypatch.setattr(mailboxes, "MAX_MESSAGE_BYTES", 5)
    server = connect(ImapServer({"7": b"small", "8": b"larger"}))
    with open_imap(ACCOUNT) as box:
        assert list(box.messages()) == [("8", None), ("7", b"small")]
    assert server.commands.count("FETCH") == 1 and server.commands[-2:] == ["close", "logout"]


def test_a_missing_imap_folder_is_named_with_the_words_of_the_server(
    connect: Callable[[ImapServer], ImapServer],
) -> None:
    """Without control characters."""
    server = connect(ImapServer())
    account = ImapAccount(
        host="imap.example", port=143, username="me", password="secret", security="starttls", folder="Bounces"
    )
    with (
        pytest.raises(RemoteError, match=r"^imap.example has no folder Bounces: it does� not exist$"),
        open_imap(account),
    ):
        pass
    assert server.commands == ["starttls", "login me secret", "select", "logout"]


@pytest.mark.parametrize("step", ["login me secret", "select", "SEARCH", "close"])
def test_a_lost_connection_to_an_imap_server_is_an_error_with_its_name(
    connect: Callable[[ImapServer], ImapServer], step: str
) -> None:
    """Wherever it happens."""
    server = connect(ImapServer({"7": b"one"}, fails_at=step))
    with pytest.raises(RemoteError, match=r"^imap\.example(:143)?: connection lost$"), open_imap(ACCOUNT) as box:
        list(box.messages())
    assert server.commands[-1] in ("logout", "shutdown")


def test_a_failed_logout_does_no_harm(connect: Callable[[ImapServer], ImapServer]) -> None:
    """Everything is done by then; the connection is closed without it."""
    server = connect(ImapServer(fails_at="logout"))
    with open_imap(ACCOUNT) as box:
        assert list(box.messages()) == []
    assert server.commands[-1] == "shutdown"


def test_a_folder_that_is_no_mailbox_is_an_error(tmp_path: Path) -> None:
    """Neither a Maildir nor an mbox."""
    with pytest.raises(SettingsError, match="is neither a Maildir"), open_folder(tmp_path):
        pass


def test_a_file_that_is_no_mbox_is_an_error(tmp_path: Path) -> None:
    """A single message would count as an empty mailbox; the error says how to process it."""
    message = tmp_path / "report.eml"
    message.write_text("Subject: Undelivered Mail\n\nNo such user.\n")
    with (
        pytest.raises(SettingsError, match=r"is not an mbox: .* run 'publish bounces - < .*report\.eml'"),
        open_folder(message),
    ):
        pass


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_mbox_has_no_messages(tmp_path: Path, text: str) -> None:
    """Mail servers leave such files behind."""
    path = tmp_path / "mbox"
    path.write_text(text)
    with open_folder(path) as box:
        assert list(box.messages()) == []


def test_a_mailbox_that_another_program_has_locked_is_an_error(tmp_path: Path) -> None:
    """Two programs that write an mbox at once destroy it, so the lock of the other one stays."""
    path = tmp_path / "mbox"
    box = mailbox.mbox(path)
    box.add("Subject: one\n\n")
    box.close()
    (tmp_path / "mbox.lock").touch()
    with pytest.raises(SettingsError, match=r"cannot lock .*; another program has it open"), open_folder(path):
        pass
    assert (tmp_path / "mbox.lock").exists()
    (tmp_path / "mbox.lock").unlink()
    with open_folder(path) as opened:
        assert [key for key, _ in opened.messages()] == ["0"]


def test_a_message_that_a_mail_client_moves_meanwhile_is_left_out(tmp_path: Path) -> None:
    """The next run reads it."""
    box = mailbox.Maildir(tmp_path / "box")
    keys = sorted(box.add(f"Subject: {number}\n\n") for number in range(2))
    with open_folder(tmp_path / "box") as opened:
        messages = opened.messages()
        first, _ = next(messages)
        (other,) = set(keys) - {first}
        (tmp_path / "box/new" / other).unlink()
        assert list(messages) == []


def test_a_large_message_of_a_folder_is_named_and_not_kept_in_memory(tmp_path: Path) -> None:
    """It is quarantined, and not read again."""
    box = mailbox.Maildir(tmp_path / "box")
    key = box.add(b"Subject: x\n\n" + b"x" * MAX_MESSAGE_BYTES)
    with open_folder(tmp_path / "box") as opened:
        assert list(opened.messages()) == [(key, None)]
        opened.quarantine([])
        assert not (tmp_path / "box/.Unreadable").exists()
        opened.quarantine([key])
        assert list(opened.messages()) == []
    assert len(list((tmp_path / "box/.Unreadable").rglob("*"))) > 0


# -- the Maildir for outgoing mail ---------------------------------------------------------------------


def test_a_message_that_may_not_be_sent_is_not_written(tmp_path: Path) -> None:
    """Another sender has it, or the subscriber has unsubscribed."""
    source = MessageList([outgoing_message("1"), outgoing_message("2")], lost=("1",))
    MaildirTransport(folder=tmp_path / "box").run(source, 0)
    assert [(name, outcome.state) for name, outcome in source.outcomes] == [
        ("1", DeliveryState.QUEUED),
        ("2", DeliveryState.ACCEPTED),
    ]
    assert [path.name for path in (tmp_path / "box/new").iterdir()] == ["2"]


@pytest.mark.parametrize("place", ["new/1", "cur/1:2,S"])
def test_a_message_is_written_once(tmp_path: Path, place: str) -> None:
    """Also after a mail client has moved it."""
    transport = MaildirTransport(folder=tmp_path)
    transport.run(MessageList([]), 0)
    (tmp_path / place).write_text("here")
    source = MessageList([outgoing_message("1")])
    transport.run(source, 0)
    assert source.outcomes[0][1].state is DeliveryState.ACCEPTED
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["here"]


def test_a_folder_that_cannot_be_written_is_an_error_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message counts as sent."""
    (tmp_path / "file").touch()
    with pytest.raises(StageError, match=r"cannot make the Maildir .*: Not a directory"):
        MaildirTransport(folder=tmp_path / "file/box").run(MessageList([]), 0)
    source = MessageList([outgoing_message("1")])

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StageError, match="No space left on device; make room and run the command again"):
        MaildirTransport(folder=tmp_path / "box").run(source, 0)
    assert source.outcomes == [] and not list((tmp_path / "box/new").iterdir())
