"""``publish announce``: hubs are told of feeds that have changed, once they are live."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from publisher.cli.common import ProgressLine, notification_lines, parse_at, site_option
from publisher.settings import read_site
from publisher.storage.engine import Database
from publisher.websub.notify import send_notifications

__all__ = ["command"]


@click.command("announce")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(folder: Path, as_json: bool) -> None:
    """Tell the hubs of the settings about feeds that have changed and are live.

    'publish now' does this by itself. Where feeds/ is copied to another machine, run this after the
    copy: nobody is told of bytes that cannot be fetched yet. What failed before is tried again at
    once.

    Exit status: 0 success, and also where a hub does not answer: it is told later; 2 usage or
    settings; 3 failed.
    """
    site = read_site(folder)
    with Database.open(site.database_url) as db, ProgressLine() as progress:
        result = send_notifications(db, site, parse_at(None, site.tz), at_once=True, seconds=300, progress=progress)
    if as_json:
        click.echo(json.dumps(asdict(result), ensure_ascii=False, indent=2))
        return
    if not site.hubs and not site.announce.cloud:
        click.echo("Nobody is to be told: [announce] in publisher.toml names no hub.")
        return
    for line in notification_lines(result) or ["Nothing to announce."]:
        click.echo(line)
