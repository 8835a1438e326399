"""``publish resume``: a paused issue may go on."""

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
    """Let ISSUE go on after 'publish pause'.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest one. Nothing is
    sent by this: 'publish send' does that.

    Exit status: 0 all well; 2 usage or settings, no such issue; 3 failed.
    """
    row = pause(read_site(folder), issue, is_paused=False)
    name = f"{row.digest}/{row.name}"
    click.echo(f"{name} is not paused any more; 'publish send {name}' sends what is left.")
