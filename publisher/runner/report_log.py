"""Log the result of a scheduled run: each problem when it appears, not at every run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from publisher.model.report import PublishResult
from publisher.runner.logs import Log, utc_text

#: Problems of one kind that are logged one by one.
MAX_LOGGED: Final = 20


class ReportLog:
    """Writes the results of runs to a log, and remembers the problems of the last one."""

    def __init__(self, log: Log) -> None:
        self._log = log
        #: Event → the problems of the last run. A problem that stays is logged once.
        self._known: dict[str, set[tuple[str, str]]] = {}

    def write(self, report: PublishResult) -> None:
        """Log what a run did, and the problems that the run before did not have."""
        for run in report.scheduled_runs:
            write = self._log.error if run.is_failed else self._log.info
            write(
                "slot failed" if run.is_failed else "slot done",
                schedule=run.schedule,
                slot=utc_text(run.slot),
                outcome=run.outcome,
            )
        if report.changed:
            self._log.info(
                "published",
                read=report.files_read,
                new=report.new,
                edited=report.edited,
                files=len(report.feeds_changed),
                removed=len(report.feeds_removed),
                issues=len(report.opened),
            )
        self._write_issues(report)
        for _, fix in self._new("placeholder value", (("", text) for text in report.blockers)):
            self._log.error("placeholder value", fix=fix)
        for issue, reason in self._new("issue held", ((held.issue, held.reason) for held in report.held)):
            self._log.warning("issue held", issue=issue, reason=reason)
        for where, reason in self._new("warning", ((one.where, one.reason) for one in report.warnings))[:MAX_LOGGED]:
            self._log.warning("warning", where=where, reason=reason)
        skipped = self._new("skipped", ((one.where, one.reason) for one in report.rejected))
        for where, reason in skipped[:MAX_LOGGED]:
            self._log.warning("skipped", where=where, reason=reason)
        if len(skipped) > MAX_LOGGED:
            self._log.warning("skipped", more=len(skipped) - MAX_LOGGED, see="publish status")

    def _write_issues(self, report: PublishResult) -> None:
        for draft in report.issue_drafts:
            if draft.is_changed:
                self._log.info(
                    "draft updated",
                    digest=draft.digest,
                    number=draft.number,
                    slot=draft.slot,
                    articles=draft.articles,
                    errors=len(draft.errors),
                )
        for issue in report.opened:
            self._log.info(
                "issue opened",
                issue=issue.path.partition("/")[2],
                number=issue.number,
                articles=issue.articles,
                subscribers=issue.subscribers,
            )

    def _new(self, event: str, problems: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the problems that the last run did not have, in order, each once."""
        current = dict.fromkeys(problems)
        known = self._known.get(event, set())
        self._known[event] = set(current)
        return [problem for problem in current if problem not in known]
