"""``publish announce``: notify WebSub and rssCloud hubs of changed feeds."""

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
    """Notify WebSub and rssCloud hubs of changed feeds.

    'publish now' does this by itself. If feeds/ is copied to another machine, run this command after
    copying: hubs are notified only of feeds that are live. Failed notifications are retried at once.

    Exit status: 0 success, also if a hub does not answer and is notified later; 2 usage or settings;
    3 failed.
    """
    site = read_site(folder)
    with Database.open(site.database_url) as db, ProgressLine() as progress:
        result = send_notifications(db, site, parse_at(None, site.tz), at_once=True, seconds=300, progress=progress)
    if as_json:
        click.echo(json.dumps(asdict(result), ensure_ascii=False, indent=2))
        return
    if not site.notifies_hubs:
        click.echo("No hubs to notify. Add them under [announce] in publisher.toml.")
        return
    for line in notification_lines(result) or ["Nothing to announce."]:
        click.echo(line)
