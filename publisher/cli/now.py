"""``publish now``: stage feeds and drafts and print a summary, or make an issue out of turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from publisher import ApprovalTime, PublishResult
from publisher.cli.common import forked_parser, notification_lines, open_site, print_result, site_option
from publisher.html.text import count_phrase
from publisher.model.problems import Problem
from publisher.model.report import DraftSummary
from publisher.settings import Site

#: Problems that the summary lists; --json has all of them.
_LISTED = 20


@click.command("now")
@click.argument("digest", required=False)
@site_option
@click.option("--yes", "-y", "is_confirmed", is_flag=True, help="With DIGEST: do not ask.")
@click.option("--at", metavar="TIME", help="Time of the run (ISO 8601).  [default: now]")
@click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
@click.option("--feeds-only", is_flag=True, help="Update the feeds only; make and send no issues.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    digest: str | None,
    folder: Path,
    is_confirmed: bool,
    at: str | None,
    dry_run: bool,
    feeds_only: bool,
    as_json: bool,
) -> int:
    """Read new and changed articles, regenerate feeds and drafts of issues, and stage them.

    Feeds are staged in feeds/, and the draft of each digest's next issue in outbox/DIGEST/next/. Nothing
    of a digest with a cadence is mailed. If nothing has changed, a second run changes nothing.

    With DIGEST: make an issue of that digest out of turn, with the articles that are published now. The
    command shows it and the number of its recipients, and asks; yes is the approval. The next slot of its
    cadence stays free.

    Exit status: 0 success; 1 done, but some input was skipped; 2 usage or settings, mail is blocked by
    placeholder values, or the answer was no; 3 failed.
    """
    if digest is not None:
        if at is not None or dry_run or feeds_only:
            raise click.UsageError(
                "--at, --dry-run and --feeds-only are for all digests. 'publish preview DIGEST' changes nothing"
            )
        # Imported here, because a run without changes needs none of it.
        from publisher.cli.approve import confirm_and_approve

        time, question = ApprovalTime.OUT_OF_TURN, "Publish it now?"
        return confirm_and_approve(folder, digest, time, question, is_confirmed=is_confirmed, as_json=as_json)
    if is_confirmed:
        raise click.UsageError("--yes needs DIGEST: without one, nothing is asked")
    with forked_parser() as parser, open_site(folder, at=at, dry_run=dry_run, parser_process=parser) as publisher:
        site, report = publisher.site, publisher.publish(feeds_only=feeds_only)
    print_result(report, summary(site, report, folder), as_json=as_json)
    return report.exit_status


def summary(site: Site, report: PublishResult, folder: Path) -> list[str]:
    """Return the summary as lines of text."""
    would = "Would publish" if report.dry_run else "Published"
    lines = [f"{would} {site.title}, {report.at[:16].replace('T', ' ')} ({site.zone})", ""]
    lines += _articles(site, report)
    lines += _feeds(site, report, folder)
    lines += notification_lines(report.notifications)
    lines += _issues(site, report, folder)
    lines += _sent(report)
    lines += _below(problem_lines("Warnings", report.warnings))
    lines += _below(problem_lines("Skipped", report.rejected))
    if report.all_blockers:
        lines += ["", "Mail to real people is blocked by placeholder values:"]
        lines += [f"  {text}" for text in report.all_blockers]
    if not report.changed and not report.sends:
        lines += ["", "Nothing changed."]
    if any(draft.is_changed for draft in report.issue_drafts) and (mail := _mail_state(site, report)):
        lines += ["", mail]
    return lines


def _articles(site: Site, report: PublishResult) -> list[str]:
    drafts = f", {count_phrase(report.drafts, 'draft')}" if report.drafts else ""
    if not report.files_read:
        return [f"  {site.paths.articles}/  nothing new to read{drafts}"]
    counts = f"{report.new:,} new, {report.edited:,} edited{drafts}"
    lines = [f"  {site.paths.articles}/  {count_phrase(report.files_read, 'file')} read: {counts}"]
    if report.withdrawn:
        lines.append(f"             {count_phrase(report.withdrawn, 'article')} withdrawn: a draft now")
    if report.old:
        lines.append(f"             {count_phrase(report.old, 'old article')}: in feeds and archives, in no issue")
        lines.append("             ('publish note DIGEST --add ARTICLE' sends one; see digests.NAME.news_days)")
    return lines


def _feeds(site: Site, report: PublishResult, folder: Path) -> list[str]:
    changed, removed = len(report.feeds_changed), len(report.feeds_removed)
    if not changed and not removed:
        return [f"  {site.paths.feeds}/     {count_phrase(report.feed_files, 'file')}, unchanged"]
    counts = f"{changed:,} written" + (f", {removed:,} removed" if removed else "")
    lines = [f"  {site.paths.feeds}/     {count_phrase(report.feed_files, 'file')}, {counts}"]
    return [*lines, f"             see {folder / site.paths.feeds / 'index.html'}"]


def _issues(site: Site, report: PublishResult, folder: Path) -> list[str]:
    outbox = f"  {site.paths.outbox}/    "
    lines: list[str] = []
    for draft in report.issue_drafts:
        lines += _draft(draft, folder, outbox)
    for issue in report.opened:
        people = f" to {count_phrase(issue.subscribers, 'subscriber')}" if issue.subscribers else ""
        articles = count_phrase(issue.articles, "article")
        lines.append(f"{outbox}{issue.digest} No. {issue.number} is sent{people}, {articles}: {issue.subject}")
        lines.append(f"             see {folder / issue.path / 'index.html'}")
        lines += [f"             {warning}" for warning in issue.warnings]
    lines.extend(f"{outbox}{held.issue} is held: {held.reason}" for held in report.held)
    lines.extend(f"{outbox}restored missing files of {folder / path}" for path in report.restaged)
    for digest in report.waiting:
        waits = f" ({count_phrase(digest.articles, 'article')} waiting)" if digest.articles else ""
        lines.append(f"{outbox}{digest.digest}: no draft, {digest.reason}{waits}")
    return lines


def _draft(draft: DraftSummary, folder: Path, outbox: str) -> list[str]:
    changed = "" if draft.is_changed else ", unchanged"
    articles = count_phrase(draft.articles, "article")
    lines = [
        f"{outbox}draft of {draft.digest} No. {draft.number}, {articles}{changed}: {draft.subject}",
        f"             {draft.due}",
        f"             see {folder / draft.path / 'index.html'}",
    ]
    if draft.overdue:
        lines.append(f"             {draft.overdue}")
    if draft.shortened:
        lines.append(f"             {count_phrase(draft.shortened, 'story')} shortened to fit")
    if draft.errors:
        lines.append(f"             blocked by {count_phrase(len(draft.errors), 'error')}: {draft.errors[0]}")
    if draft.errors or draft.warnings:
        warnings = count_phrase(draft.warnings, "warning") + "; " if draft.warnings else ""
        lines.append(f"             {warnings}'publish check {draft.digest}' shows what to fix")
    if draft.silenced:
        # Imported here, because most sites silence nothing.
        from publisher.findings.silence import silenced_phrase

        lines.append(f"             {silenced_phrase(draft.silenced)}")
    return lines


def problem_lines(heading: str, problems: Sequence[Problem]) -> list[str]:
    """Return a heading with the number of problems, and a line for each of the first."""
    if not problems:
        return []
    lines = [f"{heading} ({len(problems):,}):"]
    lines += [f"  {problem.where}: {problem.reason}" for problem in problems[:_LISTED]]
    if len(problems) > _LISTED:
        lines.append(f"  … and {len(problems) - _LISTED:,} more; --json or 'publish status' lists them all")
    return lines


def _below(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _sent(report: PublishResult) -> list[str]:
    lines = []
    for result in report.sends:
        counts = [f"{count_phrase(result.accepted, 'message')} accepted"]
        counts += [
            f"{count:,} {word}" for count, word in ((result.deferred, "deferred"), (result.failed, "failed")) if count
        ]
        lines.append(f"  mail       {result.issue}: {', '.join(counts)}")
        if result.blockers:
            lines[-1] = f"  mail       {result.issue}: nothing was sent: blocked by placeholder values"
        elif result.stop_reason:
            lines.append(f"             stopped early: {result.stop_reason}")
        if result.uncertain:
            lines.append(f"             {result.uncertain:,} uncertain: 'publish outbox' lists them")
        if result.waiting:
            lines.append(f"             {result.waiting:,} waiting: the next 'publish now' sends them")
    return lines + [f"  mail       {line}" for line in report.draft_errors]


def _mail_state(site: Site, report: PublishResult) -> str:
    if report.dry_run:
        return "Nothing was written and nothing was mailed."
    is_mailed = any(draft.send != "none" for draft in report.issue_drafts)
    if is_mailed and not site.can_send:
        return "Nothing was mailed: no mail server is configured ([smtp] in publisher.toml)."
    return ""
