"""``publish correct``: a person puts an article right, and its readers are told what was wrong."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.cli.common import ProgressLine, correction_dict, correction_lines, parse_at, report_wait, site_option
from publisher.pipeline.correct import correct
from publisher.settings import read_site

__all__ = ["command"]


@click.command("correct")
@click.argument("article")
@site_option
@click.option("--note", required=True, help="What was put right, for readers: plain text.")
@click.option("--at", metavar="TIME", help="Correct as of this time (ISO 8601), not as of now.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_context
def command(ctx: click.Context, article: str, folder: Path, note: str, at: str | None, as_json: bool) -> None:
    """Show a correction in ARTICLE, and bring it back into its feeds.

    ARTICLE is an id, an address, a file in articles/, or the last part of an article's path. First
    edit the file: what is new or changed in articles/ is read before. The note stands below the
    text, the article counts as updated now, and so stands at the top of its feeds again.

    Exit status: 0 success; 1 done, but some input was skipped; 2 usage or settings, or
    no such article; 3 failed.
    """
    site = read_site(folder)
    now = parse_at(at, site.tz)
    with ProgressLine() as progress:
        edited = correct(site, now, article, note, progress=progress, on_wait=report_wait)
    if as_json:
        click.echo(json.dumps(correction_dict(edited), ensure_ascii=False, indent=2))
    else:
        for line in correction_lines("Corrected", edited, folder):
            click.echo(line)
    ctx.exit(edited.report.exit_status if edited.report else 0)
