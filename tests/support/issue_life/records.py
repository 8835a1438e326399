"""The articles, people, notes and issues of the model, and how they are read from a message."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from publisher.digests.store import IssueRow
from publisher.model.digests import IssueVariant
from tests.support.issue_life.newsletters import LATE

_MARKER = re.compile(r"\bB(\d+)v(\d+)\b")
_NOTE = re.compile(r"\bNote (\d+)n\b")
_PLACEHOLDER = re.compile(r"@@[a-z_]+\.[0-9a-f]{12}@@")


@dataclass
class Story:
    """An article."""

    topic: str
    published: datetime
    version: int = 1
    is_retracted: bool = False
    is_draft: bool = False
    #: True if the preflight finds an error in it.
    is_faulty: bool = False
    #: The step of its last correction.
    corrected: int = -1

    @property
    def is_withdrawn(self) -> bool:
        return self.is_retracted or self.is_draft

    def is_out(self, now: datetime) -> bool:
        """Return whether it is published."""
        return self.published <= now and not self.is_withdrawn

    def title(self, number: int) -> str:
        return f"Story {number} in version {self.version}"

    def body(self, number: int) -> str:
        """Return its text, with a marker of its version."""
        fault = f" {{{{ fault_{number}_{self.version} }}}}" if self.is_faulty else ""
        return f"Body B{number}v{self.version}.{fault}"


@dataclass
class Person:
    """A subscriber."""

    digests: set[str] = field(default_factory=set)
    topic: str | None = None
    zone: str | None = None
    is_known: bool = False
    is_paused: bool = False
    is_suppressed: bool = False

    def follows(self, slug: str, story: Story) -> bool:
        """Return whether an issue of a newsletter with an article is for this person."""
        return self.is_mailed(slug) and self.topic in (None, story.topic)

    def is_mailed(self, slug: str) -> bool:
        return slug in self.digests and not self.is_paused and not self.is_suppressed


@dataclass(frozen=True, slots=True)
class Note:
    """The note and the choice of articles of a newsletter's next issue."""

    text: str = ""
    lead: int | None = None
    order: tuple[int, ...] = ()

    def merged(self, before: Note) -> Note:
        """Return this note with the rest of an earlier one, as reopening does."""
        lead = self.lead if self.lead is not None else before.lead
        return Note(self.text or before.text, lead, self.order or before.order)

    def require_order(self, numbers: list[int]) -> None:
        """Assert that articles are in the chosen order."""
        if self.lead in numbers:
            assert numbers[0] == self.lead, f"the lead is {numbers[0]}, not {self.lead}"
        rest = [number for number in self.order if number in numbers and number != self.lead]
        first = 1 if self.lead in numbers else 0
        assert numbers[first : first + len(rest)] == rest, f"the order is {numbers}, not {self}"


@dataclass
class Queued:
    """A queued delivery."""

    numbers: set[int]
    #: Not before; None for at once.
    due: datetime | None


@dataclass
class FixedIssue:
    """An issue as it was approved."""

    row: IssueRow
    step: int
    versions: dict[int, int]
    settings: dict[str, str]
    variants: list[IssueVariant]
    note: Note
    #: Articles that were pending as news before.
    fresh: set[int]
    #: True if it may open before its slot.
    is_at_once: bool
    #: Withdrawn articles that an editor has accepted.
    accepted: set[int] = field(default_factory=set)
    is_open: bool = False
    is_cancelled: bool = False

    def withdrawn(self, stories: dict[int, Story]) -> set[int]:
        """Return its withdrawn articles that no editor has accepted."""
        return {number for number in self.versions if stories[number].is_withdrawn} - self.accepted


def due_time(slot: datetime, opened_at: datetime, local: time | None, zone: str | None) -> datetime | None:
    """Return when a delivery is due: the first such local time from the slot, or from a late opening; None for at once."""
    if local is None:
        return None
    base = slot if slot <= opened_at <= slot + LATE else opened_at
    clock = ZoneInfo(zone or "UTC")
    day = base.astimezone(clock).date() - timedelta(days=1)
    while (moment := datetime.combine(day, local, clock).astimezone(UTC)) < base:
        day += timedelta(days=1)
    return moment


def markers(text: str) -> dict[int, int]:
    """Return number → version of the articles of a text, in order."""
    return {int(number): int(version) for number, version in _MARKER.findall(text)}


def note_marker(text: str) -> str:
    """Return the note of a text; empty for none."""
    found = _NOTE.search(text)
    return found[0] if found else ""


def require_same(data: bytes, variant: IssueVariant, handed: datetime) -> None:
    """Assert that a message is an approved variant with a value for each placeholder, dated by its first hand-over."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert variant.subject in (None, message["Subject"]), "the subject is not the approved one"
    date = parsedate_to_datetime(message["Date"])
    assert date == handed.replace(microsecond=0), f"the message of {handed} is dated {date}"
    for kind, template in (("plain", variant.text), ("html", variant.html)):
        part = message.get_body((kind,))
        _require_filled(template.decode(), part.get_content() if part else "")


def _require_filled(template: str, text: str) -> None:
    """Assert that a text is a template with a value for each placeholder, and nothing else."""
    pieces = [re.escape(piece) for piece in _PLACEHOLDER.split(template.replace("\r\n", "\n").rstrip("\n"))]
    pattern = r"[^\s<>\"]+".join(pieces)
    assert re.fullmatch(pattern, text.replace("\r\n", "\n").rstrip("\n")), "what was mailed is not what was approved"
