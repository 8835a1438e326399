"""``publish pause``: pause the delivery of an issue."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import finished_line, open_site, site_option


@click.command("pause")
@click.argument("issue")
@site_option
def command(issue: str, folder: Path) -> None:
    """Pause the delivery of ISSUE until 'publish resume'.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue that is not sent
    completely. A process that is sending it finishes its open messages and stops within seconds. An
    approved issue is not sent at its slot. Nothing is lost.

    Exit status: 0 success, or nothing is left to pause; 2 usage or settings, no such issue; 3 failed.
    """
    with open_site(folder) as publisher:
        finished = publisher.issues.finished(issue)
        if finished is not None:
            click.echo(finished_line(finished, "pause"))
            return
        row = publisher.issues.pause(issue)
    click.echo(f"{row.path} is paused. To resume it: publish resume {row.path}")
