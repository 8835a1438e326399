"""Read mailboxes for bounces: Maildir, mbox and IMAP.

The caller deletes messages after they are recorded.
"""

from __future__ import annotations

import imaplib
import mailbox
import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from publisher.errors import RemoteError, SettingsError
from publisher.mail.mime import MAX_MESSAGE_BYTES

#: Folder of a site for messages from standard input that cannot be read.
UNREADABLE_FOLDER: Final = "unreadable"

_TIMEOUT_SECONDS: Final = 60
#: Maildir++ subfolder, and suffix of an mbox, for messages that cannot be read.
_UNREADABLE: Final = "Unreadable"
#: IMAP keyword of messages that cannot be read.
_UNREADABLE_KEYWORD: Final = "PublisherUnreadable"
#: A file with text in so many first bytes is not an empty mbox.
_MBOX_START_BYTES: Final = 4096


class _Folder:
    """A Maildir or an mbox."""

    def __init__(self, box: mailbox.Mailbox[mailbox.Message], path: Path) -> None:
        self._box = box
        self._path = path

    def messages(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield key and bytes of each message; None instead of more than `MAX_MESSAGE_BYTES`."""
        for key in list(self._box.keys()):
            try:
                with self._box.get_file(key) as file:
                    data = file.read(MAX_MESSAGE_BYTES + 1)
            except (KeyError, OSError):
                # A mail client moved the message meanwhile.
                continue
            yield str(key), data if len(data) <= MAX_MESSAGE_BYTES else None

    def remove(self, keys: Iterable[str]) -> None:
        """Delete messages."""
        removed = set(keys)
        for key in list(self._box.keys()):
            if str(key) in removed:
                self._box.discard(key)
        self._box.flush()

    def quarantine(self, keys: Iterable[str]) -> None:
        """Keep messages, but where later runs do not read them."""
        quarantined = set(keys)
        if not quarantined:
            return
        target = self._unreadable()
        try:
            for key in list(self._box.keys()):
                if str(key) in quarantined:
                    with self._box.get_file(key) as file:
                        target.add(file)
                    target.flush()
                    self._box.discard(key)
        finally:
            target.close()
        self._box.flush()

    def _unreadable(self) -> mailbox.Mailbox[mailbox.Message]:
        if isinstance(self._box, mailbox.Maildir):
            return self._box.add_folder(_UNREADABLE)
        path = self._path.with_name(f"{self._path.name}.{_UNREADABLE.lower()}")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return mailbox.mbox(path)


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MBOX_START_BYTES)


@contextmanager
def open_folder(path: Path) -> Iterator[_Folder]:
    """Open the Maildir or mbox at a path; an mbox stays locked until it is closed.

    Raises:
        SettingsError: there is neither, the file is not an mbox, or another program has locked it.
    """
    if (path / "new").is_dir() and (path / "cur").is_dir():
        box: mailbox.Mailbox[mailbox.Message] = mailbox.Maildir(path, create=False)
    elif path.is_file():
        box = mailbox.mbox(path, create=False)
    else:
        raise SettingsError(f"{path} is neither a Maildir (a folder with new and cur) nor an mbox (a file)")
    try:
        try:
            box.lock()
        except (OSError, mailbox.ExternalClashError) as error:
            raise SettingsError(f"cannot lock {path}: {error}; another program has it open") from error
        if isinstance(box, mailbox.mbox) and not len(box) and _start_of(path).strip():
            raise SettingsError(
                f"{path} is not an mbox: no line in it begins with 'From '. "
                f"If it is a single message, run 'publish bounces - < {path}'"
            )
        yield _Folder(box, path)
    finally:
        box.unlock()
        box.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapAccount:
    """A mailbox on an IMAP server."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    security: str = "tls"
    ca_file: str | None = None


class _Imap:
    """A folder on an IMAP server (RFC 3501). Keys are UIDs, which do not change."""

    def __init__(self, server: imaplib.IMAP4) -> None:
        self._server = server

    def messages(self) -> Iterator[tuple[str, bytes | None]]:
        unread = ("UNDELETED", "UNKEYWORD", _UNREADABLE_KEYWORD)
        for uid in self._search(*unread, "LARGER", str(MAX_MESSAGE_BYTES)):
            yield uid, None
        for uid in self._search(*unread, "SMALLER", str(MAX_MESSAGE_BYTES + 1)):
            _, data = self._server.uid("FETCH", uid, "(BODY.PEEK[])")
            for item in data:
                if isinstance(item, tuple):
                    yield uid, item[1]

    def _search(self, *criteria: str) -> list[str]:
        _, data = self._server.uid("SEARCH", *criteria)
        return [uid.decode() for uid in (data[0] or b"").split()]

    def remove(self, keys: Iterable[str]) -> None:
        uids = list(keys)
        self._flag(uids, r"(\Deleted)")
        if uids:
            self._server.expunge()

    def quarantine(self, keys: Iterable[str]) -> None:
        self._flag(list(keys), f"({_UNREADABLE_KEYWORD})")

    def _flag(self, uids: list[str], flags: str) -> None:
        for start in range(0, len(uids), 500):
            self._server.uid("STORE", ",".join(uids[start : start + 500]), "+FLAGS", flags)


#: A mailbox whose messages have keys.
Mailbox = _Folder | _Imap


@contextmanager
def open_imap(account: ImapAccount) -> Iterator[_Imap]:
    """Open a folder on an IMAP server.

    Raises:
        RemoteError: the server cannot be reached, or refuses the login or the folder.
    """
    try:
        server = _log_in(account)
    except (OSError, imaplib.IMAP4.error) as error:
        raise RemoteError(f"{account.host}:{account.port}: {_error_text(error)}") from error
    try:
        status, reply = server.select(f'"{account.folder}"')
        if status != "OK":
            raise RemoteError(f"{account.host} has no folder {account.folder}: {_error_text(reply[0])}")
        yield _Imap(server)
        server.close()
    except (OSError, imaplib.IMAP4.error) as error:
        raise RemoteError(f"{account.host}: {_error_text(error)}") from error
    finally:
        try:
            server.logout()
        except (OSError, imaplib.IMAP4.error):
            server.shutdown()


def _log_in(account: ImapAccount) -> imaplib.IMAP4:
    context = ssl.create_default_context(cafile=account.ca_file)
    server: imaplib.IMAP4
    if account.security == "tls":
        server = imaplib.IMAP4_SSL(account.host, account.port, ssl_context=context, timeout=_TIMEOUT_SECONDS)
    else:
        server = imaplib.IMAP4(account.host, account.port, timeout=_TIMEOUT_SECONDS)
    try:
        if account.security == "starttls":
            server.starttls(context)
        server.login(account.username, account.password)
    except BaseException:
        server.shutdown()
        raise
    return server


def _error_text(error: object) -> str:
    text = error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error)
    return " ".join(word for word in text.split() if word.isprintable())[:200]
