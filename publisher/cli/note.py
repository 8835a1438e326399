"""``publish note``: prepare the next issue of a digest."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.cli.common import ProgressLine, parse_at, report_wait, site_option
from publisher.errors import SettingsError
from publisher.pipeline.note import NoteResult, set_note
from publisher.settings import read_site

__all__ = ["command"]


@click.command("note")
@click.argument("digest")
@click.argument("text", required=False)
@site_option
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Read the note from a file.")
@click.option("--lead", metavar="ARTICLE", help="The article that leads the issue.")
@click.option("--add", metavar="ARTICLE", multiple=True, help="Add this article, whatever its age; may be repeated.")
@click.option("--clear", is_flag=True, help="Remove note, lead and added articles first.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    digest: str,
    text: str | None,
    folder: Path,
    path: Path | None,
    lead: str | None,
    add: tuple[str, ...],
    clear: bool,
    as_json: bool,
) -> None:
    """Set the editor's note, the lead and added articles of DIGEST's next issue.

    TEXT is Markdown for the top of the next issue only. ARTICLE is an ID, a URL, a file in articles/ or
    the last part of an article's path. If you name an article, new files in articles/ are read first;
    no issue is made. Without TEXT and options, the command shows the current note.

    Exit status: 0 success; 2 usage or settings, no such digest or article; 3 failed.
    """
    if text is not None and path is not None:
        raise click.UsageError("give TEXT or --file, not both")
    site = read_site(folder)
    if path is not None:
        try:
            text = path.read_text("utf-8-sig")
        except OSError as error:
            raise SettingsError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"cannot read {path}: {error}") from error
    with ProgressLine() as progress:
        result = set_note(
            site,
            digest,
            parse_at(None, site.tz),
            text=text,
            lead=lead,
            add=add,
            clear=clear,
            progress=progress,
            on_wait=report_wait,
        )
    if as_json:
        fields = {"digest": result.digest, "note": result.note, "lead": result.lead, "added": list(result.added)}
        click.echo(json.dumps(fields, ensure_ascii=False))
        return
    for line in _lines(result):
        click.echo(line)


def _lines(result: NoteResult) -> list[str]:
    if not result.note and result.lead is None and not result.added:
        return [f"Nothing is prepared for the next issue of {result.digest}: its newest article leads."]
    lines = [f"The next issue of {result.digest}", f"  lead: {result.lead or 'the newest article'}"]
    lines += [f"  added: {title}" for title in result.added]
    if result.note:
        lines += ["  note:", *(f"    {line}".rstrip() for line in result.note.splitlines())]
    return lines
