"""``publish approve``: an editor says that an issue may leave."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.actions.approval import approve
from publisher.cli.common import in_words, parse_at, site_option, waiting_for
from publisher.config import read_site

__all__ = ["command"]


@click.command("approve")
@click.argument("issue")
@site_option
@click.option("--revoke", is_flag=True, help="Take an approval back.")
@click.option("--json", "as_json", is_flag=True, help="Print what was approved as JSON.")
def command(issue: str, folder: Path, revoke: bool, as_json: bool) -> None:
    """Let ISSUE be sent, to the byte and to the reader as it is now.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest one. Any later
    change of its bytes, its headers or its readers makes the approval void. An issue that the
    preflight holds back cannot be approved.

    Exit status: 0 all well; 2 usage or settings, no such issue, or it is held back; 3 failed.
    """
    site = read_site(folder)
    found = approve(site, issue, parse_at(None, site.tz), revoke=revoke, on_wait=waiting_for)
    name = f"{found.digest}/{found.name}"
    if as_json:
        said = {
            "digest": found.digest,
            "name": found.name,
            "number": found.number,
            "subject": found.subject,
            "readers": found.readers,
            "approved": found.hash,
        }
        click.echo(json.dumps(said, ensure_ascii=False))
    elif found.hash is None:
        click.echo(f"{name} is not approved any more.")
    else:
        click.echo(f"Approved {name}, No. {found.number}: {found.subject}")
        click.echo(f"  for {in_words(found.readers, 'reader')}, content {found.hash[:16]}")
        click.echo(f"  'publish send {name}' sends it.")
