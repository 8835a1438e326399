"""``publish note``: prepare the next issue of a digest."""

from __future__ import annotations

from pathlib import Path

import click

from publisher import NoteResult
from publisher.cli.common import open_site, print_result, site_option
from publisher.errors import SettingsError


@click.command("note")
@click.argument("digest")
@click.argument("text", required=False)
@site_option
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Read the note from a file.")
@click.option("--lead", metavar="ARTICLE", help="The article that leads the issue.")
@click.option("--add", metavar="ARTICLE", multiple=True, help="Add this article, whatever its age; may be repeated.")
@click.option(
    "--leave-out", metavar="ARTICLE", multiple=True, help="Leave this article to the issue after it; may be repeated."
)
@click.option("--order", metavar="ARTICLE,…", multiple=True, help="The first articles of the issue, in order.")
@click.option("--clear", is_flag=True, help="Remove the note and all choices of articles first.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    digest: str,
    text: str | None,
    folder: Path,
    path: Path | None,
    lead: str | None,
    add: tuple[str, ...],
    leave_out: tuple[str, ...],
    order: tuple[str, ...],
    clear: bool,
    as_json: bool,
) -> None:
    """Set the editor's note, and choose and order the articles of DIGEST's next issue.

    TEXT is Markdown for the top of the next issue only. ARTICLE is an ID, a URL, a file in articles/ or
    the last part of an article's path. New files in articles/ are read first, and the draft is brought
    up to date; no issue is made. Without TEXT and options, the command shows what is set, and the date of
    the issue.

    Exit status: 0 success; 2 usage or settings, no such digest or article; 3 failed.
    """
    if text is not None and path is not None:
        raise click.UsageError("give TEXT or --file, not both")
    with open_site(folder) as publisher:
        result = publisher.digests.note(
            digest,
            text=_read(path) if path is not None else text,
            lead=lead,
            add=add,
            leave_out=leave_out,
            order=[name.strip() for names in order for name in names.split(",") if name.strip()],
            clear=clear,
        )
    print_result(result, lines(result), as_json=as_json, indent=None)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"cannot read {path}: {error}") from error


def lines(result: NoteResult) -> list[str]:
    """Return what is set for the next issue, as lines of text."""
    shown = [f"The next issue of {result.digest}: No. {result.number}, {result.slot:%a %Y-%m-%d %H:%M}"]
    if result.approved:
        shown.append(
            f"  {result.approved} is approved, and keeps its own. To change it: publish reopen {result.digest}"
        )
    shown.append(f"  lead: {result.lead or (result.order[0] if result.order else 'the newest article')}")
    shown += [f"  added: {title}" for title in result.added]
    shown += [f"  left out: {title}" for title in result.left_out]
    shown += [f"  order: {place}. {title}" for place, title in enumerate(result.order, 1)]
    if result.note:
        shown += ["  note:", *(f"    {line}".rstrip() for line in result.note.splitlines())]
    return shown
