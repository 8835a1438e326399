"""``publish preview``: render a digest's next issue without changing anything."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import open_site, print_result, site_option
from publisher.findings.silence import silenced_phrase
from publisher.html.text import count_phrase


@click.command("preview")
@click.argument("digest")
@site_option
@click.option(
    "--to",
    "target",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Output folder.  [default: outbox/_preview/DIGEST]",
)
@click.option("--at", metavar="TIME", help="Time of the issue (ISO 8601).  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(digest: str, folder: Path, target: Path | None, at: str | None, as_json: bool) -> None:
    """Render DIGEST's next issue without changing anything.

    Writes its HTML and plain text; with Chromium and Playwright also eight screenshots: phone and
    desktop, light and dark, with and without images. If no articles are pending, the newest ones are
    used. The files are in outbox/_preview/DIGEST, or in the folder of --to.

    Exit status: 0 success; 2 usage or settings, no such digest; 3 failed.
    """
    with open_site(folder, at=at, dry_run=True) as publisher:
        result = publisher.digests.preview(digest, folder=target)
    note = ": no new articles, shown with the newest ones" if result.uses_newest_articles else ""
    version = f"version {result.hash}; to approve it: publish approve {digest} --expect {result.hash}"
    lines = [
        result.subject,
        f"  {count_phrase(result.articles, 'article')}{note}",
        *([f"  {version}"] if result.hash and at is None else []),
        *(f"  {result.folder / name}" for name in result.files),
        *([f"  no screenshots: {result.screenshot_error}"] if result.screenshot_error else []),
        *(f"  skipped: {problem}" for problem in result.refused),
        *(f"  {line}" for finding in result.findings for line in finding.lines()),
        *([f"  {silenced_phrase([finding.id for finding in result.silenced])}"] if result.silenced else []),
    ]
    print_result(result, lines, as_json=as_json)
