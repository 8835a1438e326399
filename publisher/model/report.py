"""What a run did, for a person or a program to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from publisher.model.problems import Problem

__all__ = [
    "IssueSendResult",
    "IssueSummary",
    "NotificationResult",
    "Progress",
    "PublishResult",
    "ScheduledRunResult",
    "WaitingDigest",
    "no_progress",
]

#: Told (what is being done, how many are done, how many there are: 0 where nobody knows) from time to time.
Progress = Callable[[str, int, int], None]


def no_progress(label: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSummary:
    """An issue that was made."""

    digest: str
    number: int
    subject: str
    articles: int
    #: How many readers get a copy.
    subscribers: int
    #: Its folder, relative to the site.
    path: str
    #: ``review`` or ``auto``.
    send: str
    #: How often it was rendered: once per distinct set of articles that readers get.
    variants: int
    #: How many stories are shorter than the digest asks for, to keep below the size limit.
    shortened: int
    #: Bytes of its HTML.
    html_size: int
    #: What the preflight found: rule and what. Errors keep it from being sent.
    errors: tuple[str, ...]
    warnings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDigest:
    """A digest of which no issue was made, and why."""

    digest: str
    reason: str
    #: Articles that wait for its next issue.
    articles: int


@dataclass(slots=True, kw_only=True)
class NotificationResult:
    """How it went to tell hubs of changed feeds."""

    #: How many announcements were made.
    sent: int = 0
    #: How many are still to be made.
    waiting: int = 0
    #: What could not be told, whom, and why.
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSendResult:
    """What became of an issue that leaves by itself, in this run."""

    #: ``DIGEST/NAME``.
    issue: str
    accepted: int
    deferred: int
    failed: int
    uncertain: int
    #: Copies that are still to leave.
    waiting: int
    #: Why it ended before all was done; empty where it did not.
    trouble: str
    #: Placeholder values because of which nothing was sent, each with its fix.
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRunResult:
    """A slot that was due, and what came of it."""

    #: ``feeds``, or ``digest:SLUG``.
    schedule: str
    slot: datetime
    #: Seconds after the slot at which it was begun.
    late: float
    outcome: str
    #: True where it could not be run, and is to be tried again.
    is_failed: bool = False


@dataclass(slots=True, kw_only=True)
class PublishResult:
    """The summary of ``publish now``."""

    at: str
    dry_run: bool
    #: Files that were read, because they are new or changed.
    files_read: int = 0
    new: int = 0
    edited: int = 0
    #: How many published articles became drafts in this run.
    withdrawn: int = 0
    #: How many new articles are in feeds and in no issue, because they are too old to be news.
    old: int = 0
    #: How many drafts articles/ holds.
    drafts: int = 0
    #: Everything that lies set aside, from this run and from earlier ones.
    refused: list[Problem] = field(default_factory=list)
    #: What was mended or guessed in this run.
    warnings: list[Problem] = field(default_factory=list)
    #: How many feed files there are.
    feed_files: int = 0
    feeds_changed: list[str] = field(default_factory=list)
    feeds_removed: list[str] = field(default_factory=list)
    #: Why feeds could not be brought up to date, where newsletters went out all the same; empty where they were.
    feeds_failed: str = ""
    issues: list[IssueSummary] = field(default_factory=list)
    #: Issues of which files were missing and have been put back.
    restaged: list[str] = field(default_factory=list)
    waiting: list[WaitingDigest] = field(default_factory=list)
    announced: NotificationResult = field(default_factory=NotificationResult)
    mailed: list[IssueSendResult] = field(default_factory=list)
    #: What kept drafts from editors.
    draft_errors: list[str] = field(default_factory=list)
    #: Placeholder values because of which drafts or confirmation emails were not sent, each with its fix.
    blockers: tuple[str, ...] = ()
    #: Slots that were due in this run.
    scheduled_runs: list[ScheduledRunResult] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Tell whether anything that readers or editors can see is different now."""
        return bool(
            self.new
            or self.edited
            or self.withdrawn
            or self.feeds_changed
            or self.feeds_removed
            or self.issues
            or self.restaged
        )

    @property
    def all_blockers(self) -> tuple[str, ...]:
        """Placeholder values because of which something was not sent, each once."""
        return tuple(dict.fromkeys([*(text for one in self.mailed for text in one.blockers), *self.blockers]))

    @property
    def exit_status(self) -> int:
        """0 success; 1 done, but some input was skipped; 2 mail is blocked by placeholder values."""
        if self.all_blockers:
            return 2
        failed = any(one.trouble or one.uncertain for one in self.mailed) or any(
            one.is_failed for one in self.scheduled_runs
        )
        return 1 if self.refused or self.draft_errors or failed else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as ``publish now --json`` prints it."""
        return {
            "at": self.at,
            "dry_run": self.dry_run,
            "changed": self.changed,
            "records": {
                "files_read": self.files_read,
                "new": self.new,
                "edited": self.edited,
                "withdrawn": self.withdrawn,
                "old": self.old,
                "drafts": self.drafts,
            },
            "refused": [{"where": one.where, "reason": one.reason} for one in self.refused],
            "warnings": [{"where": one.where, "reason": one.reason} for one in self.warnings],
            "feeds": {"files": self.feed_files, "changed": self.feeds_changed, "removed": self.feeds_removed},
            "issues": [{**asdict(one), "errors": list(one.errors)} for one in self.issues],
            "restaged": self.restaged,
            "waiting": [asdict(one) for one in self.waiting],
            "announced": asdict(self.announced),
            "mailed": sum(one.accepted for one in self.mailed),
            "sent": [asdict(one) for one in self.mailed],
            "draft_errors": self.draft_errors,
            "blockers": list(self.all_blockers),
            "scheduled_runs": [
                {
                    "schedule": one.schedule,
                    "slot": one.slot.isoformat(),
                    "late": round(one.late, 3),
                    "outcome": one.outcome,
                    "failed": one.is_failed,
                }
                for one in self.scheduled_runs
            ],
        }
