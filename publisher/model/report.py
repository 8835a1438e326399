"""Results of a run, for printing and for JSON output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from publisher.model.problems import Problem
from publisher.model.result import Result, json_value

#: Called from time to time with (label, items done, items in total); the total is 0 if it is not known.
Progress = Callable[[str, int, int], None]


def no_progress(label: str, done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSummary(Result):
    """The next issue of a digest, as a run left it."""

    digest: str
    #: The number that it would get.
    number: int
    #: Its slot (ISO 8601).
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
    #: Rules of the findings that the settings silence, with repetitions.
    silenced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSummary(Result):
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
class HeldIssue(Result):
    """An approved issue that must not be sent as it is."""

    #: ``DIGEST/NAME``.
    issue: str
    #: Why, and how to release it.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDigest(Result):
    """A digest without a draft, and the reason."""

    digest: str
    reason: str
    #: Number of articles that are pending for the next issue.
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationResult(Result):
    """Result of notifying WebSub hubs and rssCloud servers of changed feeds."""

    #: Number of notifications that were sent.
    sent: int = 0
    #: Number of notifications that are still to be sent.
    waiting: int = 0
    #: Failed notifications: recipient, feed and reason.
    failed: tuple[str, ...] = ()

    def __add__(self, later: NotificationResult) -> NotificationResult:
        """Return both results as one."""
        return NotificationResult(
            sent=self.sent + later.sent, waiting=self.waiting + later.waiting, failed=self.failed + later.failed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSendResult(Result):
    """Result of sending one issue without an editor's command."""

    #: ``DIGEST/NAME``.
    issue: str
    accepted: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    #: Number of deliveries that are still to be sent.
    waiting: int = 0
    #: Why sending stopped early; empty if it did not.
    stop_reason: str = field(metadata={"json": "trouble"})
    #: Placeholder values that blocked sending, each with its fix.
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRunResult(Result):
    """Result of one due slot."""

    #: ``feeds``, or ``digest:SLUG``.
    schedule: str
    slot: datetime
    #: Seconds between the slot and the start of the run.
    late: float
    outcome: str
    #: True if the run failed and will be retried.
    is_failed: bool = field(default=False, metadata={"json": "failed"})

    def as_dict(self) -> dict[str, Any]:
        """Return the run for JSON output; its delay has milliseconds."""
        return {**Result.as_dict(self), "late": round(self.late, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishResult(Result):
    """Result of ``publish now``, of a scheduled run, or of a part of one. Parts are added in their order."""

    #: When the run began (ISO 8601).
    at: str = ""
    dry_run: bool = False
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
    rejected: tuple[Problem, ...] = ()
    #: Values that were repaired or guessed in this run.
    warnings: tuple[Problem, ...] = ()
    #: Number of staged feed files.
    feed_files: int = 0
    #: Files that were written, relative to the site.
    feeds_changed: tuple[str, ...] = ()
    #: Files that were removed.
    feeds_removed: tuple[str, ...] = ()
    #: Why the feeds could not be staged although newsletters were sent; empty if they were staged.
    feeds_failed: str = ""
    #: The next issue of each digest that has something new.
    issue_drafts: tuple[DraftSummary, ...] = ()
    #: Digests whose draft became an issue in this run.
    approved_drafts: tuple[str, ...] = ()
    #: Digests whose draft ended in this run, because nothing new is left.
    ended_drafts: tuple[str, ...] = ()
    #: Issues whose send opened in this run.
    opened: tuple[OpenedSummary, ...] = ()
    #: Approved issues that must not be sent as they are.
    held: tuple[HeldIssue, ...] = ()
    #: Issues whose missing files were staged again.
    restaged: tuple[str, ...] = ()
    #: Digests without a draft.
    waiting: tuple[WaitingDigest, ...] = ()
    notifications: NotificationResult = NotificationResult()
    #: Issues that were sent, or tried, in this run.
    sends: tuple[IssueSendResult, ...] = ()
    #: Why drafts of issues were not sent to editors.
    draft_errors: tuple[str, ...] = ()
    #: Placeholder values that blocked drafts or confirmation emails, each with its fix.
    blockers: tuple[str, ...] = ()
    #: Slots that were due in this run.
    scheduled_runs: tuple[ScheduledRunResult, ...] = ()

    def __add__(self, later: PublishResult) -> PublishResult:
        """Return the result of this part of a run and a later one, which describes drafts as they are by then."""
        described = {draft.digest for draft in later.issue_drafts}
        described.update(digest.digest for digest in later.waiting)
        described.update(later.approved_drafts)
        drafts = tuple(draft for draft in self.issue_drafts if draft.digest not in described)
        waiting = tuple(digest for digest in self.waiting if digest.digest not in described)
        held_later = {one.issue for one in later.held}
        sums = {
            one.name: getattr(self, one.name) + getattr(later, one.name)
            for one in fields(self)
            if one.name not in ("at", "dry_run", "issue_drafts", "held", "waiting")
        }
        return PublishResult(
            at=self.at or later.at,
            dry_run=self.dry_run or later.dry_run,
            issue_drafts=drafts + later.issue_drafts,
            held=tuple(one for one in self.held if one.issue not in held_later) + later.held,
            waiting=waiting + later.waiting,
            **sums,
        )

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
            "refused": json_value(self.rejected),
            "warnings": json_value(self.warnings),
            "feeds": {
                "files": self.feed_files,
                "changed": list(self.feeds_changed),
                "removed": list(self.feeds_removed),
            },
            "issue_drafts": json_value(self.issue_drafts),
            "ended_drafts": list(self.ended_drafts),
            "opened": json_value(self.opened),
            "held": json_value(self.held),
            "restaged": list(self.restaged),
            "waiting": json_value(self.waiting),
            "announced": self.notifications.as_dict(),
            "mailed": sum(sent.accepted for sent in self.sends),
            "sent": json_value(self.sends),
            "draft_errors": list(self.draft_errors),
            "blockers": list(self.all_blockers),
            "scheduled_runs": json_value(self.scheduled_runs),
        }
