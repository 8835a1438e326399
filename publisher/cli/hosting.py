"""``publish hosting``: print web server configuration for serving feeds/."""

from __future__ import annotations

from pathlib import Path

import click

from publisher import Publisher
from publisher.cli.common import site_option


@click.command("hosting")
@click.argument("server", type=click.Choice(["nginx", "caddy", "apache"]))
@site_option
def command(server: str, folder: Path) -> None:
    """Print the configuration of a web server that serves feeds/.

    It has media types, caching, precompressed files, the Link header with hubs, status 410 for withdrawn
    articles, and redirects of renamed feeds. Print it again when feeds.url, feeds.moved or [announce]
    changes. If feeds and articles have separate hosts, comments say which part belongs to which.

    Exit status: 0 success; 2 usage or settings; 3 failed.
    """
    click.echo(Publisher.open(folder).feeds.hosting(server), nl=False)
