"""``publish init``: a person gets a site that ``publish now`` works in at once."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from publisher.pipeline.new_site import create_site

__all__ = ["command"]


@click.command("init")
@click.argument("folder", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--title", default="My Magazine", show_default=True, help="The site's name.")
@click.option("--url", "base_url", default="https://example.org", show_default=True, help="The site's address.")
def command(folder: Path, title: str, base_url: str) -> None:
    """Make a new site in DIR: settings, a first article, folders.

    The settings are commented; every key is there. Nothing that exists is overwritten.

    Exit status: 0 success; 2 the folder is a site already, or the title or address cannot be
    used; 3 failed.
    """
    for path in create_site(folder, title=title, base_url=base_url):
        click.echo(f"made {path}")
    where = "" if folder == Path() else f" --site {shlex.quote(str(folder))}"
    click.echo(f"\nNow run: publish now{where}")
