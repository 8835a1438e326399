"""``publish resume``: resume a paused issue."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.actions.approval import pause
from publisher.cli.common import site_option
from publisher.config import read_site

__all__ = ["command"]


@click.command("resume")
@click.argument("issue")
@site_option
def command(issue: str, folder: Path) -> None:
    """Resume ISSUE after 'publish pause'.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue. This command
    sends nothing itself: 'publish send', 'publish tick' or an active runner sends the deliveries that wait.

    Exit status: 0 success; 2 usage or settings, no such issue; 3 failed.
    """
    row = pause(read_site(folder), issue, is_paused=False)
    name = f"{row.digest}/{row.name}"
    click.echo(f"{name} is no longer paused. A runner or 'publish send {name}' makes the deliveries that wait.")
