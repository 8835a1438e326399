"""``publish pause``: pause the delivery of an issue."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import site_option
from publisher.delivery.issue_life.approval import pause
from publisher.settings import read_site

__all__ = ["command"]


@click.command("pause")
@click.argument("issue")
@site_option
def command(issue: str, folder: Path) -> None:
    """Pause the delivery of ISSUE until 'publish resume'.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue. A process
    that is sending it finishes its open messages and stops within seconds. Nothing is lost.

    Exit status: 0 success; 2 usage or settings, no such issue; 3 failed.
    """
    row = pause(read_site(folder), issue)
    name = f"{row.digest}/{row.name}"
    click.echo(f"{name} is paused. To resume it: publish resume {name}")
