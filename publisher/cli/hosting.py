"""``publish hosting``: a person gets settings for a web server that hands feeds/ out as it should."""

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
    """Print settings for a web server that serves feeds/.

    Media types, caching, the compressed files beside each feed, the Link header of hubs, and 410
    for articles that were withdrawn, feeds that were renamed. Print them again when feeds.url,
    feeds.moved or [announce] changes. Where feeds and articles have hosts of their own, a line says which part belongs to which.

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
