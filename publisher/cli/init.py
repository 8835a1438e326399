"""``publish init``: create a site."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from publisher import create_site


@click.command("init")
@click.argument("folder", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--title", default="My Magazine", show_default=True, help="The site's name.")
@click.option("--url", "base_url", default="https://example.org", show_default=True, help="The site's URL.")
def command(folder: Path, title: str, base_url: str) -> None:
    """Create a site in DIR: settings, a first article, folders.

    The settings file has every key, with comments. Existing files are not overwritten.

    Exit status: 0 success; 2 the folder is already a site, or the title or URL is invalid;
    3 failed.
    """
    for path in create_site(folder, title=title, base_url=base_url):
        click.echo(f"made {path}")
    where = "" if folder == Path() else f" --site {shlex.quote(str(folder))}"
    click.echo(f"\nNow run: publish now{where}")
