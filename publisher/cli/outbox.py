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
    boxes = list_issues(read_site(folder), digest)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in boxes], ensure_ascii=False, indent=2))
    else:
        for line in lines(boxes if show_all else boxes[:_SHOWN]):
            click.echo(line)
        if len(boxes) > _SHOWN and not show_all:
            click.echo(f"… and {len(boxes) - _SHOWN:,} older issues; --all shows them")
    ctx.exit(1 if any(one.uncertain for one in boxes) else 0)


def lines(boxes: list[OutboxIssue]) -> list[str]:
    """Return the issues as lines of text."""
    if not boxes:
        return ["No issue yet. Run 'publish now' to make one."]
    shown = []
    for box in boxes:
        row = box.row
        shown.append(f"{row.digest}/{row.name}  No. {row.number}  {row.subject}")
        counts = [f"{box.states[state]:,} {state.value}" for state in DeliveryState if box.states.get(state)]
        shown.append(
            f"  {box.status}"
            + (f": {count_phrase(box.subscribers, 'subscriber')} ({', '.join(counts)})" if counts else "")
        )
        if box.due is not None:
            shown.append(f"  next attempt at {box.due:%Y-%m-%d %H:%M}")
        shown += [f"  {text}" for text in box.stopped]
        if box.uncertain:
            shown.append("  uncertain deliveries; to settle them, use --uncertain of 'publish send':")
            shown += [f"    {address}" for address in box.uncertain]
    return shown
