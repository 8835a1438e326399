"""``publish resume``: resume an issue that is paused or stopped by refusals."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import count_phrase, finished_line, parse_at, site_option
from publisher.delivery.issue_life.approval import finished_issue, resume
from publisher.delivery.suppression_brake import accept_refusals, retry_refusals
from publisher.settings import read_site

__all__ = ["command"]


@click.command("resume")
@click.argument("issue")
@site_option
@click.option("--accept", is_flag=True, help="The refused addresses are gone: suppress them, and go on.")
@click.option("--retry", is_flag=True, help="The server was wrong: suppress nobody, and send to them again.")
def command(issue: str, folder: Path, accept: bool, retry: bool) -> None:
    """Resume ISSUE after 'publish pause', or after a server has refused too many recipients.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue that is not sent
    completely. This command sends nothing itself: 'publish send', 'publish tick' or an active runner sends
    the deliveries that wait. If a server has refused many recipients with the same words, use --accept or
    --retry.

    Exit status: 0 success, or nothing is left to resume; 2 usage or settings, no such issue, nothing to decide, or --accept or --retry is
    missing; 3 failed.
    """
    if accept and retry:
        raise click.UsageError("--accept and --retry exclude each other: name one of them")
    site = read_site(folder)
    if accept:
        row, count = accept_refusals(site, issue, parse_at(None, site.tz))
        click.echo(f"Suppressed {count:,} address{'' if count == 1 else 'es'}.")
    elif retry:
        row, count = retry_refusals(site, issue)
        click.echo(f"Queued {count_phrase(count, 'refused delivery')} again; nobody is suppressed.")
    else:
        finished = finished_issue(site, issue)
        if finished is not None:
            click.echo(finished_line(finished, "resume"))
            return
        row = resume(site, issue)
    name = row.path
    state = "no longer stopped" if accept or retry else "no longer paused"
    click.echo(f"{name} is {state}. A runner or 'publish send {name}' makes the deliveries that wait.")
