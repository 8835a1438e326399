"""``publish reopen``: make an approved issue a draft again."""

from __future__ import annotations

from pathlib import Path

import click

from publisher import IssueRow
from publisher.cli.common import open_site, print_result, site_option
from publisher.settings import Site


@click.command("reopen")
@click.argument("issue", metavar="DIGEST")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(issue: str, folder: Path, as_json: bool) -> None:
    """Make the newest approved issue of DIGEST a draft again, as long as it is not being sent.

    Its number and its folder go, and its articles, note and order return to the draft, together with
    those that came since. It follows its articles again, and needs a new approval. DIGEST/NAME names an
    older approved issue.

    Exit status: 0 success; 2 usage or settings, or there is no approved issue to reopen; 3 failed.
    """
    with open_site(folder) as publisher:
        row = publisher.issues.reopen(issue)
    print_result({"reopened": row.path}, reopened_lines(publisher.site, row), as_json=as_json, indent=None)


def reopened_lines(site: Site, row: IssueRow) -> list[str]:
    """Return what became of a reopened issue, as lines of text."""
    lines = [f"{row.path} is a draft again."]
    if row.digest not in site.digests:
        return [*lines, f"digests.{row.digest} is no longer in publisher.toml: its draft returns with it."]
    if not (site.outbox_dir / row.digest / "next").is_dir():
        return [f"The approval of {row.path} is taken back. None of its articles is published, so there is no draft."]
    return [
        *lines,
        f"  see {site.paths.outbox}/{row.digest}/next/index.html",
        f"  To approve it: publish approve {row.digest}",
    ]
