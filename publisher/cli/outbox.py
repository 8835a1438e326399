"""``publish outbox``: list all issues and the state of their deliveries."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.cli.common import count_phrase, site_option
from publisher.model.delivery import DeliveryState
from publisher.reports.outbox import OutboxIssue, list_issues
from publisher.settings import read_site

__all__ = ["command"]

_SHOWN = 20


@click.command("outbox")
@click.argument("digest", required=False)
@site_option
@click.option("--all", "show_all", is_flag=True, help="Show all issues, not only the newest 20.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def command(ctx: click.Context, digest: str | None, folder: Path, show_all: bool, as_json: bool) -> None:
    """List all issues, or those of DIGEST, and the state of their deliveries.

    For each issue: its state, the number of its subscribers, and how many deliveries are queued,
    accepted, deferred, failed, suppressed or uncertain. Uncertain deliveries are listed by address.

    Exit status: 0 success; 1 there are uncertain deliveries; 2 usage or settings; 3 failed.
    """
    issues = list_issues(read_site(folder), digest)
    if as_json:
        click.echo(json.dumps([issue.as_dict() for issue in issues], ensure_ascii=False, indent=2))
    else:
        for line in lines(issues if show_all else issues[:_SHOWN]):
            click.echo(line)
        if len(issues) > _SHOWN and not show_all:
            click.echo(f"… and {len(issues) - _SHOWN:,} older issues; --all shows them")
    ctx.exit(1 if any(issue.uncertain for issue in issues) else 0)


def lines(issues: list[OutboxIssue]) -> list[str]:
    """Return the issues as lines of text."""
    if not issues:
        return ["No issue yet. Run 'publish now' to make one."]
    shown = []
    for issue in issues:
        row = issue.row
        shown.append(f"{row.digest}/{row.name}  No. {row.number}  {row.subject}")
        counts = [f"{issue.states[state]:,} {state.value}" for state in DeliveryState if issue.states.get(state)]
        shown.append(
            f"  {issue.status}"
            + (f": {count_phrase(issue.subscribers, 'subscriber')} ({', '.join(counts)})" if counts else "")
        )
        if issue.due is not None:
            shown.append(f"  next attempt at {issue.due:%Y-%m-%d %H:%M}")
        shown += [f"  {text}" for text in issue.stopped]
        if issue.uncertain:
            shown.append("  uncertain deliveries; to settle them, use --uncertain of 'publish send':")
            shown += [f"    {address}" for address in issue.uncertain]
    return shown
