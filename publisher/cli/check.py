"""``publish check``: a person learns what is wrong with a feed, where, and what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from publisher.actions.check import CheckReport, check
from publisher.check import RULES, Finding
from publisher.cli.common import ProgressLine, in_words, site_option
from publisher.config import SETTINGS_FILE, Site, read_site
from publisher.markup import clean_characters, one_line

__all__ = ["command"]

#: So many findings of a rule are shown; --json has all of them.
_SHOWN = 10


@click.command("check")
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, targets: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Check feeds against the rules that validators and reader programs have.

    TARGET is a folder, a file or an address (http://…); without one, the site's feeds/. For each
    finding: the feed, the entry, the rule that it breaks, what to do, and where the rule is written.

    Exit status: 0 nothing found; 1 something was found; 2 usage or settings; 3 failed.
    """
    site: Site | None = None
    if (folder / SETTINGS_FILE).exists() or not targets:
        site = read_site(folder)
    with ProgressLine() as progress:
        report = check(site, targets, datetime.now(UTC), progress=progress)
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=2))
    else:
        for line in lines(report):
            click.echo(line)
    ctx.exit(1 if report.findings else 0)


def lines(report: CheckReport) -> list[str]:
    """Return the lines that a person reads: rule by rule, because one cause shows in many feeds."""
    found = [(one.name, finding) for one in report.faulty for finding in one.findings]
    shown: list[str] = []
    for rule in dict.fromkeys(finding.rule for _, finding in found):
        places = [(name, finding) for name, finding in found if finding.rule == rule]
        shown.append(f"{rule}: {RULES[rule].says}")
        shown += [f"  {_place(name, finding)}" for name, finding in places[:_SHOWN]]
        if len(places) > _SHOWN:
            shown.append(f"  … and {len(places) - _SHOWN:,} more; --json lists them all")
        shown += [f"  to do: {RULES[rule].cure}", f"  source: {RULES[rule].source}", ""]
    counts = f"{in_words(report.feeds, 'feed')} checked"
    if not found:
        return [f"{counts}, nothing found."]
    return [*shown, f"{counts}, {in_words(len(found), 'finding')} in {in_words(len(report.faulty), 'feed')}."]


def _place(name: str, finding: Finding) -> str:
    line = f":{finding.line}" if finding.line else ""
    entry = f"{finding.entry}: " if finding.entry else ""
    # A feed of somebody else's may carry what a terminal would obey.
    return f"{name}{line}: {one_line(clean_characters(entry + finding.what)[0])}"
