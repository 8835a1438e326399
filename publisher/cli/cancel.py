"""``publish cancel``: cancel the deliveries of an issue that were not made yet."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from publisher.cli.common import open_site, print_result, site_option
from publisher.html.text import count_phrase


@click.command("cancel")
@click.argument("issue")
@site_option
@click.option("--yes", "-y", "is_confirmed", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(issue: str, folder: Path, is_confirmed: bool, as_json: bool) -> int:
    """Cancel the deliveries of ISSUE that were not handed over to a mail server yet.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue that is not sent
    completely. Shows how many messages were handed over, which cannot be recalled, and how many are
    cancelled, and asks. The articles return to the subscribers who did not get them, with the next issue.

    Exit status: 0 success; 2 usage or settings, no such issue, nothing to cancel, or the answer was no;
    3 failed.
    """
    if not is_confirmed and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: add --yes to cancel without one")
    with open_site(folder) as publisher:
        plan = publisher.issues.plan_cancel(issue)
        if not is_confirmed:
            click.echo(f"{plan.row.path}, No. {plan.row.number}: {plan.row.subject}", err=as_json)
            handed_over = count_phrase(plan.handed_over, "message")
            click.echo(f"  handed over  {handed_over}, which cannot be recalled", err=as_json)
            click.echo(f"  to cancel    {count_phrase(plan.open, 'message')}", err=as_json)
            if not click.confirm("Cancel the issue?", err=as_json):
                click.echo("Nothing was changed.", err=as_json)
                return 2
        row, cancelled = publisher.issues.cancel(plan.row.path)
    known = plan.handed_over + plan.open - cancelled
    lines = [
        f"Cancelled {count_phrase(cancelled, 'message')} of {row.path}; {count_phrase(known, 'message')} had been handed over.",
        f"The next issue of {row.digest} brings its articles to the subscribers who did not get them.",
    ]
    fields = {"issue": row.path, "cancelled": cancelled, "handed_over": known}
    print_result(fields, lines, as_json=as_json, indent=None)
    return 0
