"""``publish discard``: leave the articles of a draft out of a newsletter."""

from __future__ import annotations

from pathlib import Path

import click

from publisher.cli.common import open_site, print_result, site_option
from publisher.html.text import count_phrase


@click.command("discard")
@click.argument("digest")
@site_option
@click.option("--undo", is_flag=True, help="Put these articles back, until the next issue is sent.")
@click.option("--until-next", is_flag=True, help="Keep the articles for the issue after the next one.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(digest: str, folder: Path, undo: bool, until_next: bool, as_json: bool) -> None:
    """Leave the articles of DIGEST's draft out of this newsletter.

    Feeds, pages and other newsletters keep them. Articles that the draft had no room for stay, and are
    in the new draft.

    Exit status: 0 success; 2 usage or settings, no draft, or nothing to undo; 3 failed.
    """
    if undo and until_next:
        raise click.UsageError("--undo and --until-next exclude each other: name one of them")
    with open_site(folder) as publisher:
        if undo:
            result = publisher.digests.undo_discard(digest)
        else:
            result = publisher.digests.discard(digest, until_next=until_next)
    if undo:
        done = f"Put {count_phrase(result.articles, 'article')} back into the draft of {result.digest}."
    else:
        articles = count_phrase(result.articles, "article")
        done = f"Kept {articles} for the issue of {result.digest} after the next one."
        if not until_next:
            done = f"Left {articles} out of {result.digest}."
        done += f" To put them back: publish discard {result.digest} --undo"
    print_result({"digest": result.digest, "articles": result.articles}, [done], as_json=as_json, indent=None)
