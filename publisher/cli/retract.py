"""``publish retract``: withdraw an article."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import correction_lines, open_site, print_result, site_option


@click.command("retract")
@click.argument("article")
@site_option
@click.option("--reason", help="The published reason: plain text.")
@click.option("--undo", is_flag=True, help="Undo a withdrawal.")
@click.option("--at", metavar="TIME", help="Time of the withdrawal (ISO 8601).  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(article: str, folder: Path, reason: str | None, undo: bool, at: str | None, as_json: bool) -> int:
    """Withdraw ARTICLE from all feeds and pages, with a published reason.

    ARTICLE is an ID, a URL, a file in articles/, or the last part of an article's path. Its URL
    responds with status 410 and the reason (see 'publish hosting'), and feeds/tombstones.atom lists it
    for programs that store articles. It stays withdrawn even if its file changes.

    Exit status: 0 success; 1 done, but some input was skipped; 2 usage or settings, or no such
    article; 3 failed.
    """
    if undo == (reason is not None):
        raise click.UsageError("use either --reason REASON or --undo")
    with open_site(folder, at=at) as publisher:
        if reason is None:
            edited = publisher.articles.reinstate(article)
        else:
            edited = publisher.articles.retract(article, reason)
    lines = correction_lines("Reinstated" if undo else "Withdrawn", edited, folder)
    if not undo and edited.gone is None:
        lines.append("  Its URL is on another server: make that server respond with status 410.")
    print_result(edited, lines, as_json=as_json)
    return edited.report.exit_status if edited.report else 0
