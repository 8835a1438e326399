"""Results of a run, for printing and for JSON output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from publisher.model.problems import Problem

__all__ = [
    "DraftSummary",
    "HeldIssue",
    "IssueSendResult",
    "NotificationResult",
    "OpenedSummary",
    "Progress",
    "PublishResult",
    "ScheduledRunResult",
    "WaitingDigest",
    "no_progress",
]

#: Called from time to time with (label, items done, items in total); the total is 0 if it is not known.
Progress = Callable[[str, int, int], None]


def no_progress(label: str, done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSummary:
    """The next issue of a digest, as a run left it."""

    digest: str
    #: The number that it would get, and its slot (ISO 8601).
    number: int
    slot: str
    subject: str
    articles: int
    #: Its folder, relative to the site.
    path: str
    #: ``review``, ``auto`` or ``none``.
    send: str
    #: How it is approved or becomes due, in words.
    due: str
    #: How many stories were shortened to keep the HTML below the size limit.
    shortened: int
    #: Size of the HTML in bytes.
    html_size: int
    #: Preflight errors, as in ``RULE: MESSAGE``. An error blocks approval.
    errors: tuple[str, ...]
    warnings: int
    #: Hash of what an editor approves.
    hash: str
    #: True if this run made it or rendered it again.
    is_changed: bool
    #: That its slot has passed and no process runs it, with the command; empty otherwise.
    overdue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSummary:
    """An issue whose send a run opened."""

    digest: str
    number: int
    subject: str
    articles: int
    #: How many subscribers the issue is delivered to.
    subscribers: int
    #: The issue's folder, relative to the site.
    path: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldIssue:
    """An approved issue that must not be sent as it is."""

    #: ``DIGEST/NAME``.
    issue: str
    #: Why, and how to release it.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDigest:
    """A digest without a draft, and the reason."""

    digest: str
    reason: str
    #: Number of articles that are pending for the next issue.
    articles: int


@dataclass(slots=True, kw_only=True)
class NotificationResult:
    """Result of notifying WebSub hubs and rssCloud servers of changed feeds."""

    #: Number of notifications that were sent.
    sent: int = 0
    #: Number of notifications that are still to be sent.
    waiting: int = 0
    #: Failed notifications: recipient, feed and reason.
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSendResult:
    """Result of sending one issue without an editor's command."""

    #: ``DIGEST/NAME``.
    issue: str
    accepted: int
    deferred: int
    failed: int
    uncertain: int
    #: Number of deliveries that are still to be sent.
    waiting: int
    #: Why sending stopped early; empty if it did not.
    stop_reason: str
    #: Placeholder values that blocked sending, each with its fix.
    blockers: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as ``publish now --json`` prints it."""
        return {
            "issue": self.issue,
            "accepted": self.accepted,
            "deferred": self.deferred,
            "failed": self.failed,
            "uncertain": self.uncertain,
            "waiting": self.waiting,
            "trouble": self.stop_reason,
            "blockers": list(self.blockers),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRunResult:
    """Result of one due slot."""

    #: ``feeds``, or ``digest:SLUG``.
    schedule: str
    slot: datetime
    #: Seconds between the slot and the start of the run.
    late: float
    outcome: str
    #: True if the run failed and will be retried.
    is_failed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the run as ``publish tick --json`` prints it."""
        return {
            "schedule": self.schedule,
            "slot": self.slot.isoformat(),
            "late": round(self.late, 3),
            "outcome": self.outcome,
            "failed": self.is_failed,
        }


@dataclass(slots=True, kw_only=True)
class PublishResult:
    """Result of ``publish now`` and of a scheduled run."""

    at: str
    dry_run: bool
    #: Number of new or changed files that were parsed.
    files_read: int = 0
    new: int = 0
    edited: int = 0
    #: Number of published articles that became drafts in this run.
    withdrawn: int = 0
    #: Number of new articles that are in feeds but too old for an issue.
    old: int = 0
    #: Number of drafts in articles/.
    drafts: int = 0
    #: Rejected records and failed steps, of this run and of earlier ones that are not fixed yet.
    rejected: list[Problem] = field(default_factory=list)
    #: Values that were repaired or guessed in this run.
    warnings: list[Problem] = field(default_factory=list)
    #: Number of staged feed files.
    feed_files: int = 0
    feeds_changed: list[str] = field(default_factory=list)
    feeds_removed: list[str] = field(default_factory=list)
    #: Why the feeds could not be staged although newsletters were sent; empty if they were staged.
    feeds_failed: str = ""
    #: The next issue of each digest that has something new.
    issue_drafts: list[DraftSummary] = field(default_factory=list)
    #: Digests whose draft ended in this run, because nothing new is left.
    ended_drafts: list[str] = field(default_factory=list)
    #: Issues whose send opened in this run.
    opened: list[OpenedSummary] = field(default_factory=list)
    #: Approved issues that must not be sent as they are.
    held: list[HeldIssue] = field(default_factory=list)
    #: Issues whose missing files were staged again.
    restaged: list[str] = field(default_factory=list)
    waiting: list[WaitingDigest] = field(default_factory=list)
    notifications: NotificationResult = field(default_factory=NotificationResult)
    #: Issues that were sent, or tried, in this run.
    sends: list[IssueSendResult] = field(default_factory=list)
    #: Why drafts of issues were not sent to editors.
    draft_errors: list[str] = field(default_factory=list)
    #: Placeholder values that blocked drafts or confirmation emails, each with its fix.
    blockers: tuple[str, ...] = ()
    #: Slots that were due in this run.
    scheduled_runs: list[ScheduledRunResult] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Return whether the run changed anything that subscribers or editors can see."""
        return bool(
            self.new
            or self.edited
            or self.withdrawn
            or self.feeds_changed
            or self.feeds_removed
            or any(draft.is_changed for draft in self.issue_drafts)
            or self.ended_drafts
            or self.opened
            or self.restaged
        )

    @property
    def all_blockers(self) -> tuple[str, ...]:
        """Return the placeholder values that blocked any mail, each once."""
        return tuple(dict.fromkeys([*(text for sent in self.sends for text in sent.blockers), *self.blockers]))

    @property
    def exit_status(self) -> int:
        """0 success; 1 done, but some input was skipped; 2 mail is blocked by placeholder values."""
        if self.all_blockers:
            return 2
        has_failed_send = any(sent.stop_reason or sent.uncertain for sent in self.sends)
        has_failed_run = any(run.is_failed for run in self.scheduled_runs)
        is_incomplete = self.rejected or self.draft_errors or self.held or has_failed_send or has_failed_run
        return 1 if is_incomplete else 0

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
            "refused": [{"where": problem.where, "reason": problem.reason} for problem in self.rejected],
            "warnings": [{"where": problem.where, "reason": problem.reason} for problem in self.warnings],
            "feeds": {"files": self.feed_files, "changed": self.feeds_changed, "removed": self.feeds_removed},
            "issue_drafts": [asdict(draft) for draft in self.issue_drafts],
            "ended_drafts": self.ended_drafts,
            "opened": [asdict(issue) for issue in self.opened],
            "held": [asdict(issue) for issue in self.held],
            "restaged": self.restaged,
            "waiting": [asdict(digest) for digest in self.waiting],
            "announced": asdict(self.notifications),
            "mailed": sum(sent.accepted for sent in self.sends),
            "sent": [sent.as_dict() for sent in self.sends],
            "draft_errors": self.draft_errors,
            "blockers": list(self.all_blockers),
            "scheduled_runs": [run.as_dict() for run in self.scheduled_runs],
        }
