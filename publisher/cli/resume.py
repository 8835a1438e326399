"""``publish resume``: resume an issue that is paused or stopped by refusals."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import finished_line, open_site, site_option
from publisher.html.text import count_phrase


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
    with open_site(folder) as publisher:
        if accept:
            accepted = publisher.issues.accept_refusals(issue)
            click.echo(f"Suppressed {accepted.count:,} address{'' if accepted.count == 1 else 'es'}.")
            name = accepted.issue.path
        elif retry:
            retried = publisher.issues.retry_refusals(issue)
            click.echo(f"Queued {count_phrase(retried.count, 'refused delivery')} again; no address is suppressed.")
            name = retried.issue.path
        else:
            finished = publisher.issues.finished(issue)
            if finished is not None:
                click.echo(finished_line(finished, "resume"))
                return
            row = publisher.issues.resume(issue)
            if row.is_waiting:
                click.echo(
                    f"{row.path} is no longer paused. Its send has not opened: 'publish next' shows when it does."
                )
                return
            name = row.path
    state = "no longer stopped" if accept or retry else "no longer paused"
    click.echo(f"{name} is {state}. A runner or 'publish send {name}' makes the deliveries that wait.")
