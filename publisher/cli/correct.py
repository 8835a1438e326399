"""``publish correct``: publish a correction of an article."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import correction_lines, open_site, print_result, site_option


@click.command("correct")
@click.argument("article")
@site_option
@click.option("--note", required=True, help="The correction that the article shows: plain text.")
@click.option("--at", metavar="TIME", help="Time of the correction (ISO 8601).  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(article: str, folder: Path, note: str, at: str | None, as_json: bool) -> int:
    """Publish a correction of ARTICLE, and move it to the top of its feeds.

    ARTICLE is an ID, a URL, a file in articles/, or the last part of an article's path. Edit the file
    first: the command reads new and changed files. The note is shown below the text, and the article
    counts as updated now.

    Exit status: 0 success; 1 done, but some input was skipped; 2 usage or settings, or no such
    article; 3 failed.
    """
    with open_site(folder, at=at) as publisher:
        edited = publisher.articles.correct(article, note)
    print_result(edited, correction_lines("Corrected", edited, folder), as_json=as_json)
    return edited.report.exit_status if edited.report else 0
