"""``publish pause``: an issue is stopped for a while."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.actions.approval import pause
from publisher.cli.common import site_option
from publisher.config import read_site

__all__ = ["command"]


@click.command("pause")
@click.argument("issue")
@site_option
def command(issue: str, folder: Path) -> None:
    """Stop ISSUE, also while it is being sent, until 'publish resume'.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest one. A process
    that is sending it finishes the messages in hand and ends within seconds; nothing is lost.

    Exit status: 0 all well; 2 usage or settings, no such issue; 3 failed.
    """
    row = pause(read_site(folder), issue, is_paused=True)
    name = f"{row.digest}/{row.name}"
    click.echo(f"{name} is paused; 'publish resume {name}' lets it go on.")
