"""``publish who``: whoever asks "did she get it?" is told, with the server's words and times."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.actions.who import Story, who
from publisher.cli.common import site_option
from publisher.config import read_site

__all__ = ["command"]


@click.command("who")
@click.argument("issue")
@click.argument("address")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print the story as JSON.")
@click.pass_context
def command(ctx: click.Context, issue: str, address: str, folder: Path, as_json: bool) -> None:
    """Tell the whole story of ADDRESS's copy of ISSUE.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest one. Told are where
    the copy is, its Message-ID, what it carries, and each step with its time and the server's words;
    or why there is none.

    Exit status: 0 she gets or got a copy; 1 she gets none; 2 usage or settings, no such issue; 3 failed.
    """
    story = who(read_site(folder), issue, address)
    if as_json:
        click.echo(json.dumps(story.as_dict(), ensure_ascii=False, indent=2))
    else:
        for line in lines(story):
            click.echo(line)
    ctx.exit(0 if story.state is not None else 1)


def lines(story: Story) -> list[str]:
    """Return the lines that a person reads."""
    shown = [
        f"{story.digest}/{story.name}, No. {story.number}: {story.subject}",
        f"  to      {story.address} ({story.status})",
    ]
    if story.suppressed:
        shown.append(f"  left    {story.suppressed}")
    if story.state is None:
        return [*shown, f"  no copy {story.reason}"]
    shown.append(f"  state   {story.state.value}")
    if story.due is not None:
        shown.append(f"          tried again at {story.due:%Y-%m-%d %H:%M:%S}")
    shown.append(f"  message {story.message_id}")
    shown += [f"  {'carries' if not place else '       '} {title}" for place, title in enumerate(story.articles)]
    shown.append("  story")
    shown += [f"    {one.at:%Y-%m-%d %H:%M:%S}  {one.what}" for one in story.events]
    return shown
