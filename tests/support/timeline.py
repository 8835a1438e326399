"""A newsroom whose clock goes from hour to hour: a test says who does something when, and reads the mail that was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any
from unittest.mock import patch

from publisher.delivery import deliver as delivering
from publisher.delivery import editors_mail
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.lookup import is_unfinished
from publisher.digests.preflight import message as checks
from publisher.digests.store import IssueRow
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource
from publisher.model.delivery import DeliveryState
from publisher.model.report import DraftSummary, PublishResult
from publisher.pipeline import publish as publishing
from publisher.pipeline.approve import Approval, ApprovalTime
from publisher.schedule.processes import record_tick
from tests.conftest import SiteKit
from tests.support import use_cases as approving
from tests.support.clocks import ManualClock
from tests.support.use_cases import deliver, import_list, open_publisher, run_due_slots, send_due_issues

#: A Friday.
_START = datetime(2026, 11, 20, 9, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EDITORS = "editors"
_CADENCE = re.compile(r'^cadence = "0 ([\d,]+) ', re.MULTILINE)
_SETTINGS = f"""
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"

[mail]
sender = "The Test Review <news@review.example>"
unsubscribe = "https://review.example/leave"
editors = ["{_EDITORS}@mail.example.org"]
{{mail}}
"""
_TRANSPORT = """
[delivery]
transport = "maildir"
connections = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A message that the mail server accepted."""

    #: When, and the name of the recipient.
    at: datetime
    name: str
    message: EmailMessage
    data: bytes

    @property
    def text(self) -> str:
        """Return its plain text."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")

    @property
    def date(self) -> str:
        """Return its ``Date`` in words: ``Mon 07:00``."""
        return f"{parsedate_to_datetime(str(self.message['Date'])).astimezone(UTC):%a %H:%M}"


@dataclass
class _MailServer:
    """Accepts each message in memory, or defers it by some hours."""

    clock: ManualClock
    deferred: dict[str, int]
    accepted: list[SentMail] = field(default_factory=list)
    after_message: Callable[[SentMail], None] = lambda mail: None
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        while (taken := source.take(wait=True)) is not None:
            sent = source.hand_over(taken)()
            if sent is None:
                source.record_outcome(taken, Outcome(state=DeliveryState.QUEUED, answer=""))
                continue
            name = sent.recipient.partition("@")[0]
            if name in self.deferred:
                wait = self.deferred[name] * 3_600
                source.record_outcome(taken, Outcome(state=DeliveryState.DEFERRED, answer="451 later", wait=wait))
                continue
            message = message_from_bytes(sent.data, policy=policy.default)
            assert isinstance(message, EmailMessage)
            mail = SentMail(at=self.clock.now(), name=name, message=message, data=sent.data)
            self.accepted.append(mail)
            source.record_outcome(taken, Outcome(state=DeliveryState.ACCEPTED, answer="250 taken"))
            self.after_message(mail)


class Newsroom:
    """A site, its machine and its mail server. It begins on Friday at 09:00, and all times are UTC."""

    def __init__(
        self,
        kit: SiteKit,
        settings: str,
        *,
        mail: str = "",
        ticks: bool = True,
        preflight: bool = False,
        feeds: bool = False,
    ) -> None:
        """Write the settings, and run once.

        Args:
            kit: an empty site; the settings of its database stay.
            settings: the tables of the newsletters, and more.
            mail: more settings of ``[mail]``.
            ticks: True if cron calls ``publish tick`` every hour; False to call ``publish now`` in its place.
            preflight: True to check messages. That has tests of its own, and takes most of the time of a draft.
            feeds: True to stage feeds. That has tests of its own, and takes most of the time of a run without news.
        """
        self.kit, self.clock, self.ticks = kit, ManualClock(_START), ticks
        #: Name → hours for which the mail server defers each message.
        self.deferred: dict[str, int] = {}
        self.server = _MailServer(self.clock, self.deferred)
        self.report = PublishResult(at="", dry_run=False)
        self._titles: list[str] = []
        self._read = 0
        database = (kit.root / "publisher.toml").read_text("utf-8").partition("[database]")
        transport = "" if "[smtp]" in settings or "[delivery]" in settings else _TRANSPORT
        kit.settings(_SETTINGS.format(mail=mail) + settings + transport + "".join(database[1:]))
        self._hours = [int(hour) for text in _CADENCE.findall(settings) for hour in text.split(",")] or [7]
        self._stack = ExitStack()
        # One for all runs: to open and close it takes a third of the time of a run without news.
        self.db = self._stack.enter_context(kit.open())
        for module in (delivering, editors_mail):
            self._stack.enter_context(patch.object(module, "make_transport", lambda site: self.server))
        if not preflight:
            self._stack.enter_context(patch.object(checks, "check_message", lambda *_, **__: []))
        if not feeds:
            self._stack.enter_context(patch.object(publishing, "stage_feeds", lambda context: PublishResult()))
        self.run()

    def close(self) -> None:
        """Close the database, and use the transport of the settings again."""
        self._stack.close()

    # -- time --------------------------------------------------------------------------------------

    def moment(self, when: str) -> datetime:
        """Return the next ``Mon 07:00`` after this minute."""
        day, time = when.split()
        hour, minute = map(int, time.split(":"))
        at = self.clock.now().replace(hour=hour, minute=minute)
        at += timedelta(days=(_DAYS.index(day) - at.weekday()) % 7)
        return at if at > self.clock.now() else at + timedelta(days=7)

    def until(self, when: str, *, every: int = 1) -> None:
        """Go on until a time: each full hour the machine runs, and at that time too.

        Args:
            when: such as ``Mon 07:00``.
            every: on quiet days, run only at the hours of the slots, and each 6, 12 or 24 hours after them.
        """
        end = self.moment(when)
        while self.clock.at < end:
            following = self.clock.at.replace(minute=0) + _HOUR
            self.clock.at = min(following, end)
            if self.clock.at == end or self.clock.at.hour % every in {hour % every for hour in self._hours}:
                self.run()

    def off_until(self, when: str) -> None:
        """Let time pass while the machine is off."""
        self.clock.at = self.moment(when)

    def run(self) -> PublishResult:
        """Do what cron does in an hour."""
        self.report = self.tick() if self.ticks else self.kit.publish(self.clock.now())
        return self.report

    def tick(self) -> PublishResult:
        """Do the work of ``publish tick``."""
        site = self.kit.site
        with self.db.write() as connection:
            record_tick(connection, self.clock.now())
        report = run_due_slots(site, self.db, self.clock, always=True)
        assert report is not None
        if site.can_send:
            report += send_due_issues(site, self.db, self.clock.now(), clock=self.clock)
        return report

    # -- people ------------------------------------------------------------------------------------

    def write(
        self, name: str, title: str, *, out: str = "", hours_ago: int = 0, text: str = "Text.", **fields: Any
    ) -> None:
        """Write an article's file.

        Args:
            name: of the file.
            title: its headline.
            out: when it is published; now by default.
            hours_ago: how long it has been out, without a run since.
            text: its body.
            fields: more fields of the article.
        """
        at = self.moment(out) if out else self.clock.now() - hours_ago * _HOUR
        if title not in self._titles:
            self._titles.append(title)
        self.kit.article(f"{name}.md", title, f"{at:%Y-%m-%dT%H:%M:%SZ}", text, **fields)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in an article's file."""
        self._replace(f"articles/{name}.md", old, new)
        if old in self._titles:
            self._titles.append(new)

    def set(self, old: str, new: str) -> None:
        """Replace text in ``publisher.toml``."""
        self._replace("publisher.toml", old, new)

    def _replace(self, path: str, old: str, new: str) -> None:
        file = self.kit.root / path
        text = file.read_text("utf-8")
        assert old in text, text
        file.write_text(text.replace(old, new), "utf-8")

    def subscribe(self, *names: str, to: Sequence[str] = ("weekly",), **fields: Any) -> None:
        """Subscribe people; keywords are those of ``publisher.subscribers.add``."""
        with open_publisher(self.kit.site, self.clock.now()) as publisher:
            for name in names:
                publisher.subscribers.add(f"{name}@mail.example.org", digests=list(to), **fields)

    def unsubscribe(self, *names: str) -> None:
        """Unsubscribe people from everything."""
        path = self.kit.root / "unsubscribed.csv"
        path.write_text("address,status\n" + "".join(f"{name}@mail.example.org,unsubscribed\n" for name in names))
        result = import_list(self.kit.site, path, self.clock.now())
        assert not result.rejected, result.rejections

    def approve(
        self, digest: str = "weekly", *, time: ApprovalTime = ApprovalTime.SLOT, expect: str | None = None
    ) -> Approval:
        """Approve the draft of a newsletter."""
        return approving.approve(self.kit.site, digest, self.clock.now(), time=time, expect=expect)

    def send(self, target: str = "weekly") -> None:
        """Do the work of ``publish send``."""
        deliver(self.kit.site, target, clock=self.clock.now)

    # -- what a person can see ---------------------------------------------------------------------

    def mails(self) -> list[SentMail]:
        """Return the mail since the last call, by time and recipient."""
        new, self._read = self.server.accepted[self._read :], len(self.server.accepted)
        return sorted(new, key=lambda mail: (mail.at, mail.name))

    def mailed(self) -> list[str]:
        """Return the mail since the last call, a line each.

        ``Mon 07:00 ann: The Weekly: One, Two`` has the headlines in the order of the text. For editors it is the subject.
        """
        return [self.line(mail) for mail in self.mails()]

    def line(self, mail: SentMail) -> str:
        """Return a line for a message; see ``mailed``."""
        subject = str(mail.message["Subject"])
        if mail.name != _EDITORS:
            subject = f"{subject.partition(': ')[0]}: {', '.join(self.headlines(mail.text))}"
        return f"{mail.at:%a %H:%M} {mail.name}: {subject}"

    def headlines(self, text: str) -> list[str]:
        """Return the headlines in a text, in order."""
        return sorted((title for title in self._titles if title in text), key=text.index)

    def draft(self, digest: str = "weekly") -> str:
        """Return the draft of a newsletter: ``No. 2 of Mon 07:00: One, Two``; empty if it has none."""
        stored = self.stored_draft(digest)
        if stored is None:
            return ""
        text = self.kit.root / "outbox" / digest / "next" / "message.txt"
        titles = self.headlines(text.read_text("utf-8"))
        assert len(titles) == len(stored.articles), (titles, stored.articles)
        return f"No. {stored.number} of {stored.slot:%a %H:%M}: {', '.join(titles)}"

    def stored_draft(self, digest: str = "weekly") -> IssueDraft | None:
        """Return the draft of a newsletter as it is stored."""
        with self.db.read() as connection:
            return drafts.load_draft(connection, digest)

    def summary(self, digest: str = "weekly") -> DraftSummary:
        """Return what the last run said about the draft of a newsletter."""
        return next(one for one in self.report.issue_drafts if one.digest == digest)

    def issues(self, digest: str = "weekly") -> list[str]:
        """Return the issues of a newsletter, oldest first: ``No. 1 of Mon 07:00: sent``."""
        with self.db.read() as connection:
            rows = [row for row in reversed(issues.list_issues(connection)) if row.digest == digest]
            states = [_state(row, is_unfinished=is_unfinished(connection, row)) for row in rows]
        return [f"No. {row.number} of {row.slot:%a %H:%M}: {state}" for row, state in zip(rows, states, strict=True)]

    def issue(self, digest: str = "weekly") -> IssueRow:
        """Return the newest issue of a newsletter."""
        return self.kit.newest_issue(digest)

    def held(self) -> list[str]:
        """Return why issues are held, as the last run said."""
        return [f"{held.issue}: {held.reason}" for held in self.report.held]

    def has_folder(self, digest: str, name: str) -> bool:
        """Return whether a folder of the outbox has a message."""
        return (self.kit.root / "outbox" / digest / name / "message.eml").exists()

    @contextmanager
    def during_send(self, act: Callable[[SentMail], None]) -> Iterator[None]:
        """Call a function after each message that the mail server accepts."""
        self.server.after_message = act
        yield
        self.server.after_message = lambda mail: None


def _state(row: IssueRow, *, is_unfinished: bool) -> str:
    if row.cancelled_at is not None:
        return "cancelled"
    if row.opened_at is None:
        return "approved"
    return "sending" if is_unfinished else "sent"
