"""Mailboxes that reports come back to: a Maildir, an mbox, IMAP. What was dealt with is taken out of them, later."""

from __future__ import annotations

import imaplib
import mailbox
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from publisher.errors import RemoteError, SettingsError

__all__ = ["ImapAccount", "Mailbox", "open_folder", "open_imap"]

#: A report has no more; what is larger is somebody's holiday.
_LARGEST: Final = 10 * 1024 * 1024
_SECONDS: Final = 60


class Mailbox(Protocol):
    """Messages with keys."""

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Yield the key and the bytes of each message."""

    def remove(self, keys: Iterable[str]) -> None:
        """Take messages out for good."""


class _Folder:
    """A Maildir or an mbox."""

    def __init__(self, box: mailbox.Mailbox[mailbox.Message]) -> None:
        self._box = box

    def messages(self) -> Iterator[tuple[str, bytes]]:
        for key in list(self._box.keys()):
            try:
                data = self._box.get_bytes(key)
            except (KeyError, OSError):
                # A mail program has moved it meanwhile.
                continue
            if len(data) <= _LARGEST:
                yield str(key), data

    def remove(self, keys: Iterable[str]) -> None:
        wanted = set(keys)
        for key in list(self._box.keys()):
            if str(key) in wanted:
                self._box.discard(key)
        self._box.flush()


@contextmanager
def open_folder(path: Path) -> Iterator[Mailbox]:
    """Open a Maildir or an mbox, whichever lies there; an mbox is locked meanwhile.

    Raises:
        SettingsError: there is neither.
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
        yield _Folder(box)
    finally:
        box.unlock()
        box.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapAccount:
    """A mailbox on a server."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    security: str = "tls"
    ca_file: str | None = None


class _Imap:
    """A folder on an IMAP server (RFC 3501), by UID: numbers that do not move."""

    def __init__(self, server: imaplib.IMAP4) -> None:
        self._server = server

    def messages(self) -> Iterator[tuple[str, bytes]]:
        _, found = self._server.uid("SEARCH", "UNDELETED", "SMALLER", str(_LARGEST))
        for uid in (found[0] or b"").split():
            _, data = self._server.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
            for one in data:
                if isinstance(one, tuple):
                    yield uid.decode(), one[1]

    def remove(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        for at in range(0, len(wanted), 500):
            self._server.uid("STORE", ",".join(wanted[at : at + 500]), "+FLAGS", r"(\Deleted)")
        if wanted:
            self._server.expunge()


@contextmanager
def open_imap(account: ImapAccount) -> Iterator[Mailbox]:
    """Open a folder on a server.

    Raises:
        RemoteError: the server cannot be reached, or does not let us in.
    """
    try:
        server = _connected(account)
    except (OSError, imaplib.IMAP4.error) as error:
        raise RemoteError(f"{account.host}:{account.port}: {_words(error)}") from error
    try:
        status, said = server.select(f'"{account.folder}"')
        if status != "OK":
            raise RemoteError(f"{account.host} has no folder {account.folder}: {_words(said[0])}")
        yield _Imap(server)
        server.close()
    except (OSError, imaplib.IMAP4.error) as error:
        raise RemoteError(f"{account.host}: {_words(error)}") from error
    finally:
        try:
            server.logout()
        except (OSError, imaplib.IMAP4.error):
            server.shutdown()


def _connected(account: ImapAccount) -> imaplib.IMAP4:
    context = ssl.create_default_context(cafile=account.ca_file)
    server: imaplib.IMAP4
    if account.security == "tls":
        server = imaplib.IMAP4_SSL(account.host, account.port, ssl_context=context, timeout=_SECONDS)
    else:
        server = imaplib.IMAP4(account.host, account.port, timeout=_SECONDS)
    try:
        if account.security == "starttls":
            server.starttls(context)
        server.login(account.username, account.password)
    except BaseException:
        server.shutdown()
        raise
    return server


def _words(error: object) -> str:
    text = error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error)
    return " ".join(one for one in text.split() if one.isprintable())[:200]
