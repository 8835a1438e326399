"""A site with five newsletters whose commands a test calls in any order, with kills at commits and recorded mail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from unittest.mock import patch

from sqlalchemy import Connection

from publisher.delivery import deliver as delivering
from publisher.digests.preflight import message
from publisher.errors import IssueHeld, SendingBlocked, SettingsError
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState
from publisher.model.report import PublishResult
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscriptions.preferences import NO_END, Access, pause_until, save_preferences
from publisher.subscriptions.subscribe import SubscriptionRequest
from tests.conftest import SiteKit
from tests.support.clocks import ManualClock
from tests.support.parsers import shared_parser
from tests.support.use_cases import add_subscriber, deliver, run_due_slots, send_due_issues, suppress_by_operator

__all__ = ["DIGESTS", "START", "Kill", "Killed", "LifeSite", "RecordedMail", "address_of"]

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DIGESTS = {
    "weekly": 'title = "The Weekly"\ncadence = "0 7 * * mon"\nat_most = 2\n',
    "daily": 'title = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\nat_most = 2\n',
    "extra": 'title = "The Extra"\nat_most = 1\n',
    "archive": 'title = "The Archive"\nsend = "none"\ncadence = "0 5 * * *"\n',
    "again": 'title = "Once Again"\nsend = "auto"\ncadence = "0 8 * * *"\nrepeat = true\n',
}
_SETTINGS = """
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"

[mail]
sender = "The Test Review <news@review.example>"
unsubscribe = "https://review.example/leave"
{mail}
[delivery]
transport = "maildir"
connections = 1
retry_days = 10
"""
_Result = TypeVar("_Result")


class Killed(BaseException):
    """The process was killed."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill at a commit of the main thread: the process commits nothing from then on."""

    #: The number of the commit, from 1.
    at: int
    #: True to kill after that commit, False before it.
    is_after: bool


@contextmanager
def _killed_at(kill: Kill | None) -> Iterator[None]:
    if kill is None:
        yield
        return
    real, count, main = Database.write, 0, threading.main_thread()

    @contextmanager
    def write(db: Database) -> Iterator[Connection]:
        nonlocal count
        if threading.current_thread() is not main:
            with real(db) as connection:
                yield connection
            return
        count += 1
        number = count
        if number > kill.at:
            raise Killed
        with real(db) as connection:
            yield connection
            if number == kill.at and not kill.is_after:
                raise Killed
        if number == kill.at:
            raise Killed

    with patch.object(Database, "write", write):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMail:
    """A message that the mail server took."""

    name: str
    issue: int
    variant: int
    data: bytes


@dataclass
class _RecordingTransport:
    """Accepts or defers each message, and calls back before and after."""

    on_message: Callable[[RecordedMail], None]
    after_message: Callable[[RecordedMail], None]
    defers: Callable[[str], bool]
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        while (taken := source.take(wait=True)) is not None:
            final = source.hand_over(taken)()
            if final is None:
                source.record_outcome(taken, Outcome(state=DeliveryState.QUEUED, answer=""))
                continue
            source.record_outcome(taken, self._outcome(final))

    def _outcome(self, sent: OutgoingMessage) -> Outcome:
        name = sent.recipient.partition("@")[0]
        if self.defers(name):
            return Outcome(state=DeliveryState.DEFERRED, answer="451 later", wait=3_600)
        claim = sent.reference
        mail = RecordedMail(name=name, issue=claim.issue_id, variant=claim.variant, data=sent.data)
        self.on_message(mail)
        self.after_message(mail)
        return Outcome(state=DeliveryState.ACCEPTED, answer="250 taken")


def address_of(name: str) -> str:
    """Return the address of a person."""
    return f"{name}@mail.example.org"


@dataclass
class LifeSite:
    """The site, its clock and its mail server."""

    kit: SiteKit
    on_message: Callable[[RecordedMail], None]
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    digests: dict[str, str] = field(default_factory=lambda: dict(DIGESTS))
    mail_settings: str = ""
    #: People whose messages the mail server defers.
    deferred: set[str] = field(default_factory=set)
    #: Called after each message, as long as a command sends.
    after_message: Callable[[RecordedMail], None] = lambda mail: None
    #: Why the last command was refused; empty if it was not.
    refusal: str = ""

    def __post_init__(self) -> None:
        self._patches = ExitStack()
        transport = _RecordingTransport(
            # Tests replace it while messages are sent.
            self.on_message,
            lambda mail: self.after_message(mail),  # noqa: PLW0108
            lambda name: name in self.deferred,
        )
        self._patches.enter_context(patch.object(delivering, "make_transport", lambda site: transport))
        # Preflight has its own tests, and takes most of the time of a draft.
        self._patches.enter_context(patch.object(message, "check_message", lambda *_, **__: []))
        self.write_settings()

    def close(self) -> None:
        """Use the transport of the settings again."""
        self._patches.close()

    def write_settings(self) -> None:
        """Write ``publisher.toml``."""
        tables = "".join(f"\n[digests.{slug}]\n{text}" for slug, text in self.digests.items())
        self.kit.settings(_SETTINGS.format(mail=self.mail_settings) + tables)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def attempt(self, command: Callable[[], _Result], kill: Kill | None = None) -> _Result | None:
        """Call a command; return None if it was killed or refused."""
        self.refusal = ""
        try:
            with _killed_at(kill):
                return command()
        except Killed:
            self.refusal = "killed"
        except (SettingsError, IssueHeld, SendingBlocked) as error:
            self.refusal = str(error)
        return None

    def publish(self) -> PublishResult:
        """Do the work of ``publish now``."""
        return self.kit.publish(self.now)

    def tick(self) -> PublishResult:
        """Do the work of ``publish tick``."""
        site = self.kit.site
        with self.kit.open() as db:
            report = run_due_slots(site, db, self.clock, always=True, parser_process=shared_parser())
            assert report is not None
            return report + send_due_issues(site, db, self.now, clock=self.clock)

    def send(self, target: str, *, limit: int | None = None) -> None:
        """Do the work of ``publish send``."""
        deliver(self.kit.site, target, limit=limit, clock=self.clock.now)

    def add_person(self, name: str, digests: list[str], topic: str | None) -> None:
        """Subscribe a new person."""
        follows = {"topics": [topic]} if topic else None
        add_subscriber(self.kit.site, address_of(name), self.now, digests=digests, follows=follows)

    def save_preferences(self, name: str, digests: list[str], topic: str | None) -> None:
        """Save a person's preferences: subscriptions of newsletters that the site has, and interests."""
        follows = {"topics": (topic,)} if topic else {}
        request = SubscriptionRequest(digests=tuple(digests), follows=follows)
        with self.kit.open() as db, db.write() as connection:
            access = Access(self._number(connection, name), is_signed_link=True)
            save_preferences(self.kit.site, connection, access, request, self.now)

    def pause_person(self, name: str, *, is_paused: bool) -> None:
        """Pause mail to a person, or end that."""
        with self.kit.open() as db, db.write() as connection:
            number = self._number(connection, name)
            pause_until(self.kit.site, connection, number, NO_END if is_paused else None, self.now)

    def suppress_person(self, name: str) -> None:
        """Put a person's address on the suppression list."""
        suppress_by_operator(self.kit.site, address_of(name), self.now)

    @staticmethod
    def _number(connection: Connection, name: str) -> int:
        person = subscribers.find_by_key(connection, address_of(name))
        assert person is not None
        return person.id

    def write_story(self, number: int, version: int, topic: str, published: datetime, *, is_draft: bool) -> None:
        """Write the file of an article."""
        fields = {"topic": topic, **({"draft": "true"} if is_draft else {})}
        title, body = f"Story {number} in version {version}", f"Body B{number}v{version}."
        self.kit.article(f"{number}.md", title, f"{published:%Y-%m-%dT%H:%M:%SZ}", body, **fields)

    def advance(self, span: timedelta) -> None:
        """Advance the clock."""
        self.clock.advance(seconds=span.total_seconds())
