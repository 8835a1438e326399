"""``publish outbox``: a person sees every issue, and where its copies are."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.actions.outbox import Box, outbox
from publisher.cli.common import in_words, site_option
from publisher.config import read_site
from publisher.model import DeliveryState

__all__ = ["command"]

_SHOWN = 20


@click.command("outbox")
@click.argument("digest", required=False)
@site_option
@click.option("--all", "show_all", is_flag=True, help="Show every issue, not the newest 20 only.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def command(ctx: click.Context, digest: str | None, folder: Path, show_all: bool, as_json: bool) -> None:
    """Show every issue, of DIGEST if one is named, and where its copies are.

    For each: how many readers get it, what it waits for, and how many copies are queued,
    accepted, deferred, failed, suppressed or uncertain. Uncertain copies are listed by name.

    Exit status: 0 all well; 1 there are uncertain copies; 2 usage or settings; 3 failed.
    """
    boxes = outbox(read_site(folder), digest)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in boxes], ensure_ascii=False, indent=2))
    else:
        for line in lines(boxes if show_all else boxes[:_SHOWN]):
            click.echo(line)
        if len(boxes) > _SHOWN and not show_all:
            click.echo(f"… and {len(boxes) - _SHOWN:,} older ones; --all shows them")
    ctx.exit(1 if any(one.uncertain for one in boxes) else 0)


def lines(boxes: list[Box]) -> list[str]:
    """Return the lines that a person reads."""
    if not boxes:
        return ["No issue yet: 'publish now' makes them."]
    shown = []
    for box in boxes:
        row = box.row
        shown.append(f"{row.digest}/{row.name}  No. {row.number}  {row.subject}")
        counts = [f"{box.states[state]:,} {state.value}" for state in DeliveryState if box.states.get(state)]
        shown.append(
            f"  {box.standing}" + (f": {in_words(box.readers, 'reader')} ({', '.join(counts)})" if counts else "")
        )
        if box.due is not None:
            shown.append(f"  the next deferred copy is due at {box.due:%Y-%m-%d %H:%M}")
        if box.uncertain:
            shown.append("  nobody knows whether these were delivered; --uncertain of 'publish send' decides:")
            shown += [f"    {address}" for address in box.uncertain]
    return shown
