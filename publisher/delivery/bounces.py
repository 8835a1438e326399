"""Process bounces, complaints and unsubscribe messages: ``publish bounces``.

Each message is recorded before it is deleted from the mailbox. A message that cannot be read or recorded is named and
kept, and does not stop the messages after it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from publisher.context import Context
from publisher.delivery import bounces_store as store
from publisher.delivery import store as deliveries
from publisher.delivery.bounces_store import BounceRow
from publisher.digests import store as issues
from publisher.errors import SettingsError
from publisher.mail.bounces import Report, ReportKind, judge_failure, read_report
from publisher.mail.mailboxes import UNREADABLE_FOLDER, ImapAccount, Mailbox, open_folder, open_imap
from publisher.mail.mime import MAX_MESSAGE_BYTES, UnreadableMessage
from publisher.model.delivery import DeliveryState
from publisher.model.result import Result
from publisher.model.subscriptions import ChangeSource
from publisher.private_files import make_private_folder, private_opener
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.storage.facts import get_fact
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppress_address
from publisher.subscribers.suppression_store import SuppressionChannel

if TYPE_CHECKING:
    from publisher.signing.keyring import Keyring

#: Age of soft bounces, in days, up to which they count towards `delivery.soft_bounces`.
_SOFT_DAYS: Final = 30
#: Days after a delivery within which its bounce counts. Servers give up after five (RFC 5321 §4.5.4.1).
_BOUNCE_DAYS: Final = 10
#: States of deliveries that can bounce.
_SENT_STATES: Final = (DeliveryState.ACCEPTED, DeliveryState.HANDED_OVER, DeliveryState.UNCERTAIN)
#: Fact of a migration: the last time (seconds since 1970) at which a delivery had one token for all purposes.
_OLD_RETURN_PATHS: Final = "old_return_paths_until"
#: Number and size of the messages that are recorded in one transaction and then deleted from the mailbox.
_PAGE_MESSAGES: Final = 200
_PAGE_BYTES: Final = 32 * 1024 * 1024
#: Problems that a result names; all are counted.
_MAX_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceResult(Result):
    """Counts of the messages that were processed."""

    messages: int = 0
    #: Bounces of addresses that do not exist.
    hard: int = 0
    #: Bounces for another reason, such as a full mailbox.
    soft: int = 0
    complaints: int = 0
    #: Requests to unsubscribe.
    unsubscribed: int = 0
    #: Bounces that changed nothing: without the token of the return path, or too long after the delivery.
    unverified: int = 0
    #: Reports that an earlier run recorded, or whose subscriber is erased.
    known: int = 0
    #: Messages that are not reports about this site's mail. They stay in the mailbox.
    left: int = 0
    #: Messages that cannot be read. They are quarantined.
    unreadable: int = 0
    #: Reports that the database rejected. They stay in the mailbox.
    failed: int = 0
    #: Name and reason of the first messages that were skipped.
    problems: tuple[str, ...] = ()
    #: Addresses that were suppressed.
    suppressed: tuple[str, ...] = ()
    #: Digests that people unsubscribed from by mail or by a complaint, once per person.
    unsubscribed_from: tuple[str, ...] = field(default=(), metadata={"json": None})

    @property
    def skipped(self) -> int:
        """Number of messages that could not be processed."""
        return self.unreadable + self.failed


@dataclass(slots=True)
class _Counts:
    """Counts of the messages so far."""

    #: Number of messages by field of the result.
    numbers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    unsubscribed_from: list[str] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        """Record the name of a message that could not be processed, and the reason."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(f"{name}: {reason}")

    def result(self) -> BounceResult:
        return BounceResult(
            **self.numbers,
            problems=tuple(self.problems),
            suppressed=tuple(self.suppressed),
            unsubscribed_from=tuple(self.unsubscribed_from),
        )


def _pages(messages: Iterable[tuple[str, bytes | None]]) -> Iterator[list[tuple[str, bytes | None]]]:
    """Yield messages in lists, each of which is recorded in one transaction and emptied afterwards."""
    page: list[tuple[str, bytes | None]] = []
    size = 0
    for key, data in messages:
        page.append((key, data))
        size += len(data or b"")
        if len(page) >= _PAGE_MESSAGES or size >= _PAGE_BYTES:
            yield page
            page.clear()
            size = 0
    yield page


def process_mailbox(context: Context, *, path: Path | str | None = None, keep: bool = False) -> BounceResult:
    """Process bounces, complaints and requests to unsubscribe from a mailbox, and delete them from it.

    Args:
        path: a Maildir or mbox; the mailbox of the settings by default.
        keep: True to leave everything in the mailbox.

    Raises:
        SettingsError: there is no such mailbox.
        RemoteError: the server cannot be reached.
        StoreError: the caller has a transaction or a dry run.
    """
    context.db.require_commits("reading bounces")
    counts = _Counts()
    with _open_mailbox(context.site, path) as mailbox:
        for page in _pages(mailbox.messages()):
            recorded, unreadable = _process(context, page, counts)
            if not keep:
                mailbox.remove(recorded)
                mailbox.quarantine(unreadable)
            context.progress("reading reports", counts.numbers["messages"], 0)
    return counts.result()


def process_messages(context: Context, messages: Iterable[bytes]) -> BounceResult:
    """Process bounces, complaints and requests to unsubscribe, which the caller got in another way.

    A message that cannot be read is saved in the site's folder ``unreadable/``, under its hash.

    Args:
        messages: whole messages as they arrived, with the return path or recipient in ``To`` or ``Delivered-To``.

    Raises:
        StoreError: the caller has a transaction or a dry run.
    """
    context.db.require_commits("reading bounces")
    counts = _Counts()
    by_name = {hashlib.sha256(data).hexdigest()[:32]: data for data in messages}
    _, unreadable = _process(context, by_name.items(), counts)
    folder = context.site.root / UNREADABLE_FOLDER
    if unreadable:
        make_private_folder(folder)
    for name in unreadable:
        with open(folder / f"{name}.eml", "wb", opener=private_opener) as file:
            file.write(by_name[name])
    return counts.result()


def _open_mailbox(site: Site, path: Path | str | None) -> AbstractContextManager[Mailbox]:
    settings = site.bounces
    if path is not None:
        return open_folder(Path(path))
    if settings.path is not None:
        return open_folder(site.root / settings.path)
    if settings.imap is None:
        raise SettingsError(
            "no mailbox is configured: name a Maildir or an mbox, or set bounces.path or [bounces.imap] in publisher.toml"
        )
    imap = settings.imap
    ca_file = str(site.root / imap.ca_file) if imap.ca_file else None
    return open_imap(ImapAccount(**{**dict(imap), "password": imap.password.reveal(site.root), "ca_file": ca_file}))


def _process(
    context: Context, messages: Iterable[tuple[str, bytes | None]], counts: _Counts
) -> tuple[list[str], list[str]]:
    """Record what messages report, in one transaction; return the keys of the recorded and the unreadable ones."""
    site = context.site
    recorded: list[str] = []
    unreadable: list[str] = []
    with context.db.write() as connection:
        recorder = _Recorder(connection, site, keyring(site, connection), context.seconds, counts)
        for key, data in messages:
            counts.numbers["messages"] += 1
            try:
                reports = _read(data)
            except UnreadableMessage as error:
                counts.numbers["unreadable"] += 1
                counts.skip(key, error.reason)
                unreadable.append(key)
                continue
            match = next(((report, hit) for report in reports if (hit := recorder.find_delivery(report))), None)
            if match is None or data is None:
                counts.numbers["left"] += 1
            elif recorder.record(key, data, *match):
                recorded.append(key)
    return recorded, unreadable


def _read(data: bytes | None) -> list[Report]:
    """Return the reports of a message.

    Raises:
        UnreadableMessage: it exceeds a limit, or the parser fails on it.
    """
    if data is None:
        raise UnreadableMessage(f"it is larger than {MAX_MESSAGE_BYTES:,} bytes")
    try:
        return read_report(data)
    except UnreadableMessage:
        raise
    except Exception as error:
        # An error of the parser must not stop the mailbox.
        raise UnreadableMessage(f"it cannot be parsed ({type(error).__name__})") from error


class _Proof(Enum):
    """How a bounce proves that it was sent to the delivery's return path."""

    #: By the token of the return path.
    RETURN_PATH = auto()
    #: By the token of links in the recipient's address: older versions had one token for all purposes.
    OLD_RETURN_PATH = auto()
    #: Not at all: every forwarded message contains the token.
    NONE = auto()


@dataclass(frozen=True, slots=True)
class _Match:
    """The delivery that a report is about."""

    issue_id: int
    subscriber_id: int
    proof: _Proof


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Records reports in an open transaction."""

    connection: Connection
    site: Site
    ring: Keyring
    now: int
    counts: _Counts

    def find_delivery(self, report: Report) -> _Match | None:
        """Return the delivery that a report is about; None if no token is genuine."""
        tokens = report.tokens
        for text in tokens.every:
            if (delivery := self.ring.delivery_of_return_path(text)) is not None:
                return _Match(*delivery, proof=_Proof.RETURN_PATH)
        for text in tokens.every:
            if (delivery := self.ring.delivery_of_token(text)) is not None:
                is_recipient = text in tokens.recipient
                return _Match(*delivery, proof=_Proof.OLD_RETURN_PATH if is_recipient else _Proof.NONE)
        return None

    def record(self, key: str, data: bytes, report: Report, match: _Match) -> bool:
        """Record a report; return False if the database rejects it."""
        try:
            with self.connection.begin_nested():
                count = self._record(hashlib.sha256(data).hexdigest()[:32], report, match)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            self.counts.numbers["failed"] += 1
            self.counts.skip(key, f"the database rejected its report ({type(error).__name__})")
            return False
        self.counts.numbers[count] += 1
        return True

    def _record(self, report_hash: str, report: Report, match: _Match) -> str:
        """Store a report and act on it; return the name of the count to increase."""
        issue_id, number = match.issue_id, match.subscriber_id
        subscriber = subscribers.find_subscriber(self.connection, number)
        if subscriber is None:
            # The subscriber was erased. Nothing about them may be stored.
            return "known"
        is_bounce = report.kind in (ReportKind.HARD, ReportKind.SOFT)
        is_verified = not is_bounce or self._is_verified(match)
        bounce = BounceRow(
            kind=report.kind.value if is_verified else "unverified",
            issue_id=issue_id,
            subscriber_id=number,
            status=report.status,
            answer=report.answer,
            reported_at=self.now,
        )
        if not store.add_bounce(self.connection, report_hash, bounce):
            return "known"
        words = " ".join(word for word in (report.status, report.answer) if word)
        if not is_verified:
            return "unverified"
        count, has_bounced = "soft", False
        if report.kind is ReportKind.UNSUBSCRIBE:
            count = "unsubscribed"
            row = issues.list_issues(self.connection, only=[issue_id])
            act = StateChange(ChangeSource.MAIL, self.now)
            digests = [row[0].digest] if row else None
            self.counts.unsubscribed_from += subscriptions.unsubscribe(self.connection, number, act, digests)
        elif report.kind is ReportKind.COMPLAINT:
            # A complaint can be forged with the token of a forwarded message, so the subscriber can resubscribe.
            count = "complaints"
            act = StateChange(ChangeSource.COMPLAINT, self.now, words)
            self.counts.unsubscribed_from += subscriptions.unsubscribe(self.connection, number, act)
        elif report.kind is ReportKind.HARD:
            count, has_bounced = "hard", True
        elif (soft_count := self._soft_issues(number)) >= self.site.delivery.soft_bounces:
            has_bounced, words = True, f"{soft_count} issues bounced within {_SOFT_DAYS} days; last reply: {words}"
        if has_bounced and suppress_address(
            self.connection, self.ring, subscriber.key, "bounced", SuppressionChannel.BOUNCE, words, self.now
        ):
            self.counts.suppressed.append(subscriber.address)
        return count

    def _is_verified(self, match: _Match) -> bool:
        """Return whether a bounce belongs to a message of the last ten days to this address."""
        if match.proof is _Proof.NONE:
            return False
        delivery = deliveries.delivery_of(self.connection, match.issue_id, match.subscriber_id)
        if delivery is None or delivery.handed_at is None or delivery.state not in _SENT_STATES:
            return False
        if match.proof is _Proof.OLD_RETURN_PATH:
            # Later deliveries contain the token of links only in their Message-ID.
            until = get_fact(self.connection, _OLD_RETURN_PATHS)
            if until is None or delivery.handed_at > int(until):
                return False
        if subscriptions.has_changed_address_since(self.connection, match.subscriber_id, delivery.handed_at):
            # The bounce is about an earlier address.
            return False
        return abs(self.now - delivery.handed_at) <= _BOUNCE_DAYS * 86_400

    def _soft_issues(self, number: int) -> int:
        """Return the number of recent issues with soft bounces that are not about the sender."""
        bounces = store.soft_bounces(self.connection, number, self.now - _SOFT_DAYS * 86_400, self.now)
        return len({row.issue_id for row in bounces if not judge_failure(row.answer, row.status).is_about_sender})
