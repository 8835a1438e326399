"""``publish check``: check feeds and issues against the rules of validators and clients."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from publisher import CheckResult, IssueCheck, check_files
from publisher.cli.common import open_site, print_result, site_option
from publisher.cli.progress import ProgressLine
from publisher.findings import Finding
from publisher.findings.silence import silenced_phrase
from publisher.html.text import clean_characters, count_phrase, one_line
from publisher.settings import SETTINGS_FILE

#: Findings of a rule that are listed; --json has all of them.
_LISTED = 10


@click.command("check")
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@site_option
@click.option("--browser/--no-browser", default=True, help="Render issues in Chromium, if it is installed.")
@click.option("--force", "reason", metavar="REASON", help="Allow this one draft or issue in spite of its errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(targets: tuple[str, ...], folder: Path, browser: bool, reason: str | None, as_json: bool) -> int:
    """Check feeds, drafts and issues against the rules of validators, feed readers and mail clients.

    TARGET is a feed: a folder, a file or a URL (http://…); or a digest, for the draft of its next issue;
    or an issue: DIGEST/NAME, its folder, or a message file (.eml). Without one, the site's feeds/ is
    checked. Before a draft is checked, new and changed files in articles/ are read. Each finding has its
    place, the rule, the fix, and the source of the rule. Errors block approval and sending unless you use
    --force, which stores the reason. Placeholder values that block mail to real people are listed too.

    Exit status: 0 no findings; 1 findings, or an issue is held; 2 usage or settings; 3 failed.
    """
    is_site = (folder / SETTINGS_FILE).exists() or not targets
    if reason is not None and (not is_site or len(targets) != 1):
        raise click.UsageError(
            "--force is for one draft or issue of a site. Name it, for example 'publish check morning --force REASON'"
        )
    if is_site:
        with open_site(folder) as publisher:
            report = publisher.check(targets, with_browser=browser, force=reason)
    else:
        with ProgressLine() as progress:
            report = check_files(targets, datetime.now(UTC), with_browser=browser, progress=progress)
    print_result(report, lines(report), as_json=as_json)
    return 1 if report.findings or any(issue.is_blocked or issue.held for issue in report.issues) else 0


def lines(report: CheckResult) -> list[str]:
    """Return the findings as lines of text, grouped by rule."""
    findings = report.all_findings
    shown: list[str] = []
    for rule in {finding.id: finding.rule for _, finding in findings}.values():
        places = [(name, finding) for name, finding in findings if finding.id == rule.id]
        shown += [rule.heading, f"  required: {rule.requirement}"]
        shown += [f"  found in {_place(name, finding)}" for name, finding in places[:_LISTED]]
        if len(places) > _LISTED:
            shown.append(f"  … and {len(places) - _LISTED:,} more; --json lists them all")
        shown += [f"  fix: {rule.fix}", f"  source: {rule.source}", ""]
    counts = " and ".join(
        count_phrase(count, noun) for count, noun in ((len(report.issues), "issue"), (report.feeds, "feed")) if count
    )
    if not counts:
        return ["No feeds to check. Run 'publish now' to make them, or name a feed, a draft or an issue."]
    last = _conclusions(report)
    if not findings:
        return [f"{counts} checked, nothing found.", *last]
    of_them = len({name for name, _ in findings})
    total = len(report.issues) + report.feeds
    where = f" in {of_them:,} of them" if total > 1 else ""
    return [*shown, f"{counts} checked, {count_phrase(len(findings), 'finding')}{where}.", *last]


def _conclusions(report: CheckResult) -> list[str]:
    """Return what follows from the findings, for each draft and issue."""
    last = [
        *([f"{silenced_phrase([one.id for _, one in report.all_silenced])}."] if report.all_silenced else []),
        *(f"checks.silence: {text} names no newsletter, issue or article." for text in report.unknown_silences),
        *(
            f"{issue.name} was not rendered in a browser: {issue.no_browser}"
            for issue in report.issues[:1]
            if issue.no_browser
        ),
    ]
    last += [line for issue in report.issues for line in _permission(issue)]
    for issue in report.issues:
        if issue.hash:
            command = f"publish approve {issue.name.removesuffix('/next')} --expect {issue.hash}"
            last.append(f"{issue.name} is version {issue.hash}. To approve it: {command}")
    for issue in report.issues:
        if issue.blockers:
            recipients = "its recipients" if issue.is_blocked else "real people"
            last += [f"{issue.name} is blocked for {recipients} by these placeholder values:"]
            last += [f"  {text}" for text in issue.blockers]
    return last


def _permission(issue: IssueCheck) -> list[str]:
    """Return whether a draft may be approved, or an issue sent, and what else is to know of it."""
    if issue.finished:
        return [f"{issue.name} {issue.finished}."]
    lines = []
    if issue.errors and issue.forced is None:
        lines.append(f"{issue.name} is blocked by errors. Fix them, or use --force REASON.")
    elif issue.errors:
        action = "approved" if issue.hash else "sent"
        lines.append(f"{issue.name} may be {action} in spite of errors: {issue.forced}")
    if issue.was_held and not issue.held:
        lines.append(f"{issue.name} is no longer held: {issue.forced}")
    elif issue.forced is not None and not issue.errors and not issue.held:
        lines.append(f"{issue.name} may be sent as it is: {issue.forced}")
    return [
        *lines,
        *([f"{issue.name} is held: {issue.held}"] if issue.held else []),
        *(f"{issue.name}: {note}" for note in issue.notes),
    ]


def _place(name: str, finding: Finding) -> str:
    line = f":{finding.line}" if finding.line else ""
    # A feed of another site may contain control characters for terminals.
    return f"{name}{line}: {one_line(clean_characters(finding.violation)[0])}"
