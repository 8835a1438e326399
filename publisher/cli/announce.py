"""``publish announce``: notify WebSub and rssCloud hubs of changed feeds."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import notification_lines, open_site, print_result, site_option


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
    with open_site(folder) as publisher:
        result = publisher.feeds.notify_hubs(at_once=True, seconds=300)
    lines = notification_lines(result) or ["Nothing to announce."]
    if not publisher.site.notifies_hubs:
        lines = ["No hubs to notify. Add them under [announce] in publisher.toml."]
    print_result(result, lines, as_json=as_json)
