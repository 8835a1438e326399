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
@click.option("--lead", metavar="ARTICLE", help="Let this article lead the issue.")
@click.option("--add", metavar="ARTICLE", multiple=True, help="Carry this article, whatever its age; may be repeated.")
@click.option("--clear", is_flag=True, help="Forget what was said before.")
@click.option("--json", "as_json", is_flag=True, help="Print what is said by now as JSON.")
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

    TEXT is Markdown; it stands at the top of the next issue, and of that one only. ARTICLE is an
    id, an address, a file in articles/ or the last part of an article's path; what is new in
    articles/ is read before, and no issue is made. Without TEXT and options: show what is prepared.

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
        said = set_note(
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
        found = {"digest": said.digest, "note": said.note, "lead": said.lead, "added": list(said.added)}
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for line in _lines(said):
        click.echo(line)


def _lines(said: NoteResult) -> list[str]:
    if not said.note and said.lead is None and not said.added:
        return [f"Nothing is prepared for the next issue of {said.digest}: its newest article leads."]
    lines = [f"The next issue of {said.digest}", f"  lead: {said.lead or 'the newest article'}"]
    lines += [f"  added: {title}" for title in said.added]
    if said.note:
        lines += ["  note:", *(f"    {line}".rstrip() for line in said.note.splitlines())]
    return lines
