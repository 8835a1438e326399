"""``publish preview``: a person looks at a digest's next issue before there is one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.cli.common import ProgressLine, count_phrase, parse_at, site_option
from publisher.pipeline.preview import preview
from publisher.settings import read_site

__all__ = ["command"]


@click.command("preview")
@click.argument("digest")
@site_option
@click.option("--to", "target", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write there.")
@click.option("--at", metavar="TIME", help="Preview as of this time (ISO 8601), not as of now.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(digest: str, folder: Path, target: Path | None, at: str | None, as_json: bool) -> None:
    """Write what DIGEST's next issue looks like, and change nothing.

    Always its HTML and plain text; with Chromium and Playwright also eight pictures: phone and
    desktop, light and dark, with pictures and without. Where nothing waits for the digest, its newest
    articles stand in. They lie in outbox/_preview/DIGEST, or where --to says.

    Exit status: 0 success; 2 usage or settings, no such digest; 3 failed.
    """
    site = read_site(folder)
    with ProgressLine() as progress:
        made = preview(site, digest, parse_at(at, site.tz), folder=target, progress=progress)
    if as_json:
        click.echo(json.dumps(made.as_dict(), ensure_ascii=False, indent=2))
        return
    click.echo(f"{made.subject}")
    uses_newest_articles = ": no new articles, shown with the newest ones" if made.uses_newest_articles else ""
    click.echo(f"  {count_phrase(made.articles, 'article')}{uses_newest_articles}")
    for name in made.files:
        click.echo(f"  {made.folder / name}")
    if made.screenshot_error:
        click.echo(f"  no pictures: {made.screenshot_error}")
    for problem in made.refused:
        click.echo(f"  skipped: {problem}")
    for one in made.findings:
        click.echo(f"  {'error' if one.is_error else 'warning'}: {one.id}: {one.message}")
