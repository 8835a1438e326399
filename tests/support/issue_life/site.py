"""A site whose commands a test calls in any order, with kills and recorded mail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from publisher.delivery import store as deliveries
from publisher.delivery.claims_store import Claim
from publisher.errors import IssueHeld, SendingBlocked, SettingsError
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.model.report import PublishResult
from publisher.pipeline.approve import ApprovalTime
from publisher.subscribers import store as subscribers
from publisher.subscriptions.preferences import Access, pause_mail, resume_mail, save_preferences
from publisher.subscriptions.subscribe import SubscriptionRequest
from tests.conftest import SiteKit
from tests.support import use_cases
from tests.support.clocks import ManualClock
from tests.support.issue_life.mail_server import MailObserver, RecordedMail, RecordingTransport, address_of
from tests.support.issue_life.newsletters import Newsletter
from tests.support.issue_life.processes import CommitKill, Killed, Process, SenderKill
from tests.support.issue_life.templates import write_templates

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
_SETTINGS = """
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"
{database}
[feeds]
formats = ["json"]
by = []
compress = []

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


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOptions:
    """Options of ``publish note``; articles by number."""

    text: str | None = None
    lead: int | None = None
    add: Sequence[int] = ()
    leave_out: Sequence[int] = ()
    order: Sequence[int] = ()
    clear: bool = False


@dataclass
class LifeSite:
    """The site, its clock and its mail server."""

    kit: SiteKit
    newsletters: dict[str, Newsletter]
    observer: MailObserver
    #: The address of a PostgreSQL database; empty for SQLite.
    database_url: str = ""
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    mail_settings: str = ""
    #: People whose messages the mail server defers.
    deferred: set[str] = field(default_factory=set)
    #: Called after each message, as long as a command sends.
    after_message: Callable[[RecordedMail], None] = lambda mail: None
    #: Why the last command was refused; empty if it was not.
    refusal: str = ""

    def __post_init__(self) -> None:
        self._process = Process()
        self._transport = RecordingTransport(
            observer=self.observer,
            process=lambda: self._process,
            now=lambda: self.now,
            defers=lambda name: name in self.deferred,
            is_recorded=self._is_recorded,
            after_message=self._after_message,
        )
        write_templates(self.kit.root)
        self.write_settings()
        self.kit.prepare_store()

    def write_settings(self) -> None:
        """Write ``publisher.toml``."""
        database = f'\n[database]\nurl = "{self.database_url}"\n' if self.database_url else ""
        tables = "".join(newsletter.text for newsletter in self.newsletters.values())
        self.kit.settings(_SETTINGS.format(mail=self.mail_settings, database=database) + tables)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def attempt(self, command: Callable[[], _Result], kill: CommitKill | SenderKill | None = None) -> _Result | None:
        """Call a command; return None if it was killed or refused."""
        self.refusal = ""
        self._process = Process(kill)
        try:
            with self._process.running() if kill is not None else nullcontext():
                result = command()
        except Killed:
            self.refusal = "killed"
        except (SettingsError, IssueHeld, SendingBlocked) as error:
            self.refusal = str(error)
        else:
            assert not self._process.is_dead, "a command that was killed has ended as if it was not"
            return result
        return None

    # -- commands ----------------------------------------------------------------------------------

    @property
    def _options(self) -> dict[str, Any]:
        """The clock, the mail server and the parsers of each command."""
        return {"clock": self.clock, "transport": self._transport}

    def publish(self) -> PublishResult:
        """Do the work of ``publish now``."""
        return use_cases.publish(self.kit.site, self.now, **self._options)

    def tick(self) -> PublishResult:
        """Do the work of ``publish tick``."""
        return use_cases.tick(self.kit.site, **self._options)

    def send(self, target: str, *, limit: int | None = None, uncertain: UncertainPolicy | None = None) -> None:
        """Do the work of ``publish send``."""
        now = self.clock.now
        use_cases.deliver(self.kit.site, target, transport=self._transport, clock=now, limit=limit, uncertain=uncertain)

    def approve(self, slug: str, *, time: ApprovalTime = ApprovalTime.SLOT, expect: str | None = None) -> None:
        """Do the work of ``publish approve``, and of ``publish now DIGEST`` if it is out of turn."""
        use_cases.approve(self.kit.site, slug, self.now, time=time, expect=expect, **self._options)

    def check(self, target: str, *, force: str | None = None) -> None:
        """Do the work of ``publish check``."""
        use_cases.check_site(self.kit.site, [target], self.now, with_browser=False, force=force, **self._options)

    def reopen(self, target: str) -> None:
        """Do the work of ``publish reopen``."""
        use_cases.reopen(self.kit.site, target, self.now)

    def cancel(self, target: str) -> None:
        """Do the work of ``publish cancel``."""
        use_cases.cancel(self.kit.site, target, self.now)

    def discard(self, slug: str, *, until_next: bool = False) -> None:
        """Do the work of ``publish discard``."""
        use_cases.discard(self.kit.site, slug, self.now, until_next=until_next)

    def undo_discard(self, slug: str) -> None:
        """Do the work of ``publish discard --undo``."""
        use_cases.undo_discard(self.kit.site, slug, self.now)

    def correct(self, number: int) -> None:
        """Do the work of ``publish correct``."""
        use_cases.correct(self.kit.site, self.now, f"{number}.md", "A correction.", **self._options)

    def retract(self, number: int) -> None:
        """Do the work of ``publish retract``."""
        use_cases.retract(self.kit.site, self.now, f"{number}.md", "A reason.", **self._options)

    def reinstate(self, number: int) -> None:
        """Do the work of ``publish retract --undo``."""
        use_cases.reinstate(self.kit.site, self.now, f"{number}.md", **self._options)

    def note(self, slug: str, options: NoteOptions) -> None:
        """Do the work of ``publish note``."""

        def files(numbers: Sequence[int]) -> list[str]:
            return [f"{number}.md" for number in numbers]

        use_cases.set_note(
            self.kit.site,
            slug,
            self.now,
            text=options.text,
            lead=f"{options.lead}.md" if options.lead is not None else None,
            add=files(options.add),
            leave_out=files(options.leave_out),
            order=files(options.order),
            clear=options.clear,
            **self._options,
        )

    def pause_issue(self, target: str, *, is_paused: bool) -> None:
        """Do the work of ``publish pause`` and ``publish resume``."""
        (use_cases.pause if is_paused else use_cases.resume)(self.kit.site, target)

    # -- people ------------------------------------------------------------------------------------

    def add_person(self, name: str, digests: Sequence[str], topic: str | None, zone: str | None) -> None:
        """Subscribe a new person."""
        follows = {"topics": [topic]} if topic else None
        use_cases.add_subscriber(self.kit.site, address_of(name), self.now, digests=digests, follows=follows)
        if zone is not None:
            self.save_preferences(name, digests, topic, zone)

    def save_preferences(self, name: str, digests: Sequence[str], topic: str | None, zone: str | None) -> None:
        """Save a person's preferences: subscriptions of newsletters that the site has, interests, time zone."""
        follows = {"topics": (topic,)} if topic else {}
        request = SubscriptionRequest(digests=tuple(digests), follows=follows, zone=zone)
        with use_cases.open_context(self.kit.site, self.now) as context:
            with context.db.read() as connection:
                access = Access(self._number(connection, name), is_signed_link=True)
            save_preferences(context, access, request)

    def pause_person(self, name: str, *, is_paused: bool) -> None:
        """Pause mail to a person, or end that."""
        with use_cases.open_context(self.kit.site, self.now) as context:
            with context.db.read() as connection:
                number = self._number(connection, name)
            if is_paused:
                pause_mail(context, number)
            else:
                resume_mail(context, number)

    def suppress_person(self, name: str) -> None:
        """Put a person's address on the suppression list."""
        use_cases.suppress_by_operator(self.kit.site, address_of(name), self.now)

    @staticmethod
    def _number(connection: Connection, name: str) -> int:
        person = subscribers.find_by_key(connection, address_of(name))
        assert person is not None
        return person.id

    # -- files, time -------------------------------------------------------------------------------

    def write_article(self, number: int, title: str, body: str, published: datetime, fields: dict[str, str]) -> None:
        """Write the file of an article."""
        self.kit.article(f"{number}.md", title, f"{published:%Y-%m-%dT%H:%M:%SZ}", body, **fields)

    def advance(self, span: timedelta) -> None:
        """Advance the clock."""
        self.clock.advance(seconds=span.total_seconds())

    def _after_message(self, mail: RecordedMail) -> None:
        self.after_message(mail)

    def _is_recorded(self, claim: Claim) -> bool:
        with self.kit.open() as db, db.read() as connection:
            row = deliveries.delivery_of(connection, claim.issue_id, claim.subscriber_id)
        return row is not None and row.state is not DeliveryState.HANDED_OVER
