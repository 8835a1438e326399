"""``publish hosting``: print web server configuration for serving feeds/."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import site_option
from publisher.feeds.hosting import SERVERS, render_hosting
from publisher.settings import read_site

__all__ = ["command"]


@click.command("hosting")
@click.argument("server", type=click.Choice(SERVERS))
@site_option
def command(server: str, folder: Path) -> None:
    """Print the configuration of a web server that serves feeds/.

    It has media types, caching, precompressed files, the Link header with hubs, status 410 for withdrawn
    articles, and redirects of renamed feeds. Print it again when feeds.url, feeds.moved or [announce]
    changes. If feeds and articles have separate hosts, comments say which part belongs to which.

    Exit status: 0 success; 2 usage or settings; 3 failed.
    """
    site = read_site(folder)
    text = render_hosting(
        server,
        title=site.title,
        base_url=site.base_url,
        feeds_url=site.feeds_url,
        folder=site.feeds_dir,
        hubs=site.hubs,
        moved=site.feeds.moved,
        formats=site.feeds.formats,
        templates=site.templates_dir,
    )
    click.echo(text, nl=False)
