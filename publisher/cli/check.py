"""``publish check``: a person learns what is wrong with a feed or an issue, where, and what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from publisher.cli.common import ProgressLine, count_phrase, report_wait, site_option
from publisher.digests.run_preflight import force_issue
from publisher.findings import Finding
from publisher.html.text import clean_characters, one_line
from publisher.pipeline.check import CheckResult, check_site
from publisher.settings import SETTINGS_FILE, Site, read_site

__all__ = ["command"]

#: So many findings of a rule are shown; --json has all of them.
_SHOWN = 10


@click.command("check")
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@site_option
@click.option("--browser/--no-browser", default=True, help="Look at issues in Chromium, if it is there.")
@click.option("--force", "reason", metavar="REASON", help="Let the one issue named be sent in spite of its errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(
    ctx: click.Context, targets: tuple[str, ...], folder: Path, browser: bool, reason: str | None, as_json: bool
) -> None:
    """Check feeds and issues against the rules that validators, mail and reader programs have.

    TARGET is a feed: a folder, a file or an address (http://…); or an issue: a digest, for its newest
    one, DIGEST/NAME, its folder, or a message's file (.eml). Without one, the site's feeds/. For each
    finding: the place, the rule that it breaks, what to do, and where the rule is written.
    Errors keep an issue from being sent; --force lets it, and keeps the reason. Placeholder values that
    block mail to real people are named too.

    Exit status: 0 nothing found; 1 something was found; 2 usage or settings; 3 failed.
    """
    site: Site | None = None
    if (folder / SETTINGS_FILE).exists() or not targets:
        site = read_site(folder)
    if reason is not None:
        if site is None or len(targets) != 1:
            raise click.UsageError("--force is for one issue of a site: name it, as in 'publish check morning'")
        force_issue(site, targets[0], reason, on_wait=report_wait)
    with ProgressLine() as progress:
        report = check_site(site, targets, datetime.now(UTC), with_browser=browser, progress=progress)
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=2))
    else:
        for line in lines(report):
            click.echo(line)
    ctx.exit(1 if report.findings or any(one.is_blocked for one in report.issues) else 0)


def lines(report: CheckResult) -> list[str]:
    """Return the lines that a person reads: rule by rule, because one cause shows in many feeds."""
    found = report.all_findings
    shown: list[str] = []
    for rule in {finding.id: finding.rule for _, finding in found}.values():
        places = [(name, finding) for name, finding in found if finding.id == rule.id]
        shown.append(f"{rule.severity} {rule.id}: {rule.requirement}")
        shown += [f"  {_place(name, finding)}" for name, finding in places[:_SHOWN]]
        if len(places) > _SHOWN:
            shown.append(f"  … and {len(places) - _SHOWN:,} more; --json lists them all")
        shown += [f"  fix: {rule.fix}", f"  source: {rule.source}", ""]
    counts = " and ".join(
        count_phrase(count, noun) for count, noun in ((len(report.issues), "issue"), (report.feeds, "feed")) if count
    )
    counts = f"{counts or 'No feed'} checked"
    last = [f"No browser looked at {one.name}: {one.no_browser}" for one in report.issues[:1] if one.no_browser]
    for one in report.issues:
        if one in report.held_back:
            last.append(f"{one.name} may not be sent before its errors are mended; --force REASON lets it.")
        elif one.forced is not None:
            last.append(f"{one.name} may be sent in spite of errors: {one.forced}")
    for one in report.issues:
        if one.blockers:
            is_refused = "may not be sent to its recipients" if one.is_blocked else "may not be sent to real people"
            last += [f"{one.name} {is_refused} before these placeholder values are replaced:"]
            last += [f"  {text}" for text in one.blockers]
    if not found:
        return [f"{counts}, nothing found.", *last]
    of_them = len({name for name, _ in found})
    return [*shown, f"{counts}, {count_phrase(len(found), 'finding')} in {of_them:,} of them.", *last]


def _place(name: str, finding: Finding) -> str:
    line = f":{finding.line}" if finding.line else ""
    entry = f"{finding.entry}: " if finding.entry else ""
    # A feed of somebody else's may carry what a terminal would obey.
    return f"{name}{line}: {one_line(clean_characters(entry + finding.message)[0])}"
