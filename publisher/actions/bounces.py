"""``publish bounces``: what came back is written down, and only then taken out of the mailbox."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from publisher.actions.keys import keyring
from publisher.actions.report import Progress, silent
from publisher.actions.suppressing import suppress_reader
from publisher.config import Site
from publisher.errors import SettingsError
from publisher.mail.bounces import Report, ReportKind, judge_failure, read_report
from publisher.mail.mailboxes import ImapAccount, Mailbox, open_folder, open_imap
from publisher.store import bounces as store
from publisher.store import issues, subscribers
from publisher.store.bounces import Bounce
from publisher.store.database import Database

if TYPE_CHECKING:
    from publisher.passes import Keyring

__all__ = ["Processed", "process_mailbox", "process_messages"]

_DAYS: Final = 30
#: So many messages are written down, and then taken out, at a time.
_PAGE: Final = 200


@dataclass(slots=True, kw_only=True)
class Processed:
    """What was found in a mailbox."""

    messages: int = 0
    hard: int = 0
    soft: int = 0
    complaints: int = 0
    unsubscribed: int = 0
    #: Reports that were written down by an earlier run.
    known: int = 0
    #: Messages that are no report of ours: they stay where they are.
    left: int = 0
    #: Addresses that get nothing any more.
    suppressed: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "messages": self.messages,
            "hard": self.hard,
            "soft": self.soft,
            "complaints": self.complaints,
            "unsubscribed": self.unsubscribed,
            "known": self.known,
            "left": self.left,
            "suppressed": self.suppressed,
        }


def process_mailbox(
    site: Site, now: datetime, *, path: Path | None = None, keep: bool = False, progress: Progress = silent
) -> Processed:
    """Read the mailbox that the settings name, or a Maildir or mbox at ``path``.

    Args:
        site: the settings.
        now: what time it is.
        path: a mailbox on this machine.
        keep: leave everything in the mailbox.
        progress: told now and then how far the work is.

    Raises:
        SettingsError: there is no such mailbox.
        RemoteError: the server cannot be reached.
    """
    result = Processed()
    with _opened(site, path) as mailbox, Database.open(site.database_url) as db:
        page: list[tuple[str, bytes]] = []

        def turn() -> None:
            done = _process(site, db, page, now, result)
            if not keep:
                mailbox.remove(done)
            page.clear()
            progress("reading reports", result.messages, 0)

        for one in mailbox.messages():
            page.append(one)
            if len(page) == _PAGE:
                turn()
        turn()
    return result


def process_messages(site: Site, messages: Iterable[bytes], now: datetime) -> Processed:
    """Read messages that come from elsewhere: standard input."""
    result = Processed()
    with Database.open(site.database_url) as db:
        _process(site, db, [("", data) for data in messages], now, result)
    return result


def _opened(site: Site, path: Path | None) -> AbstractContextManager[Mailbox]:
    settings = site.bounces
    if path is not None:
        return open_folder(path)
    if settings.path is not None:
        return open_folder(site.root / settings.path)
    if settings.imap is None:
        raise SettingsError(
            "which mailbox? Name a Maildir or an mbox, or set bounces.path or [bounces.imap] in publisher.toml"
        )
    imap = settings.imap
    return open_imap(
        ImapAccount(
            host=imap.host,
            port=imap.port,
            username=imap.username,
            password=imap.password.reveal(site.root),
            folder=imap.folder,
            security=imap.security,
            ca_file=str(site.root / imap.ca_file) if imap.ca_file else None,
        )
    )


def _process(
    site: Site, db: Database, messages: Iterable[tuple[str, bytes]], now: datetime, result: Processed
) -> list[str]:
    """Write down what messages report, in one transaction; return the keys of those that are dealt with."""
    done: list[str] = []
    with db.write() as connection:
        ring = keyring(site, connection)
        for key, data in messages:
            result.messages += 1
            found = [(report, copy) for report in read_report(data) if (copy := _copy_of(ring, report))]
            if not found:
                result.left += 1
                continue
            mark = hashlib.sha256(data).hexdigest()[:32]
            for report, copy in found:
                _record(connection, site, ring, report, copy, mark, int(now.timestamp()), result)
            done.append(key)
    return done


def _copy_of(ring: Keyring, report: Report) -> tuple[int, int] | None:
    return next((copy for text in report.passes if (copy := ring.copy_of(text))), None)


def _record(
    connection: Connection,
    site: Site,
    ring: Keyring,
    report: Report,
    copy: tuple[int, int],
    mark: str,
    now: int,
    result: Processed,
) -> None:
    issue_id, reader = copy
    said = Bounce(
        kind=report.kind.value, issue_id=issue_id, subscriber_id=reader, status=report.status, said=report.said, at=now
    )
    found = subscribers.find(connection, reader)
    if found is None:
        # She was forgotten: nothing of her is written down again.
        result.known += 1
        return
    if not store.add_bounce(connection, mark, said):
        result.known += 1
        return
    why = ""
    words = " ".join(one for one in (report.status, report.said) if one)
    if report.kind is ReportKind.UNSUBSCRIBE:
        result.unsubscribed += 1
        row = issues.issues(connection, only=[issue_id])
        subscribers.unsubscribe(connection, reader, [row[0].digest] if row else None)
    elif report.kind is ReportKind.COMPLAINT:
        result.complaints += 1
        why = "complained"
    elif report.kind is ReportKind.HARD:
        result.hard += 1
        why = "bounced"
    else:
        result.soft += 1
        # Refusals that are about us, the message or the relay say nothing about the subscriber.
        many = len(
            {
                one.issue_id
                for one in store.soft_bounces(connection, reader, now - _DAYS * 86_400, now)
                if not judge_failure(one.said, one.status).is_about_us
            }
        )
        if many >= site.delivery.soft_bounces:
            why, words = "bounced", f"{many} issues bounced within {_DAYS} days; last reply: {words}"
    if why and suppress_reader(connection, ring, reader, why, words, now):
        result.suppressed.append(found.address)
