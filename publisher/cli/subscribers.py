"""``publish subscribers``: readers come, change, leave and are forgotten."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from publisher.actions import subscribers as action
from publisher.actions.subscribers import Imported
from publisher.cli import review
from publisher.cli.common import ProgressLine, in_words, parse_at, site_option
from publisher.config import read_site
from publisher.errors import SettingsError
from publisher.ingest.subscribers import Refused

__all__ = ["command"]


@click.group("subscribers")
def command() -> None:
    """Import, export, add, list, suppress and forget readers.

    Exit status: 0 all well; 1 some lines were refused; 2 usage or settings; 3 failed.
    """


command.add_command(review.command)


def _digest_option(many: bool) -> Callable[..., Any]:
    return click.option(
        "--digest",
        "digests" if many else "digest",
        multiple=many,
        metavar="DIGEST",
        help="A digest, by its name in publisher.toml.",
    )


@command.command("import")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@site_option
@_digest_option(many=True)
@click.option(
    "--refused",
    "refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every refused line's number and reason into a CSV file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def import_(
    ctx: click.Context, path: Path, folder: Path, digests: tuple[str, ...], refused: Path | None, as_json: bool
) -> None:
    """Read a list of readers from PATH: CSV with column names, or JSON Lines (.jsonl).

    Columns: address (or email), status, zone, language, digests, topics, regions, brands, tags,
    authors; several values in a cell are parted by |. --digest says what readers follow of whom
    the list does not say it. Who is there already is changed; who may not be written to stays so.
    """
    site = read_site(folder)
    with ExitStack() as stack:
        tell: Callable[[Refused], None] = lambda line: None  # noqa: E731 - a function that does nothing
        if refused is not None:
            try:
                writer = csv.writer(
                    stack.enter_context(refused.open("w", encoding="utf-8", newline="")), lineterminator="\n"
                )
            except OSError as error:
                raise SettingsError(f"cannot write {refused}: {error.strerror}") from error
            writer.writerow(["line", "reason"])
            tell = lambda line: writer.writerow([line.number, line.reason])  # noqa: E731
        progress = stack.enter_context(ProgressLine())
        found = action.import_list(
            site, path, parse_at(None, site.tz), digests=digests, on_refused=tell, progress=progress
        )
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        for line in imported_lines(found, refused):
            click.echo(line)
    ctx.exit(1 if found.refused else 0)


def imported_lines(found: Imported, refused: Path | None) -> list[str]:
    """Return the lines that a person reads."""
    shown = [
        f"{in_words(found.lines, 'line')} read: {found.added:,} added, {found.changed:,} changed, {found.known:,} as they were"
    ]
    if found.suppressed:
        shown.append(f"  {found.suppressed:,} may not be written to, and stay so")
    shown += [f"  {note}" for note in found.notes]
    if found.refused:
        shown.append(f"Refused ({found.refused:,}):")
        shown += [f"  line {one.number}: {one.reason}" for one in found.refusals]
        if found.refused > len(found.refusals):
            where = str(refused) if refused else "--refused FILE writes them all down"
            shown.append(f"  … and {found.refused - len(found.refusals):,} more; {where}")
    return shown


@command.command("export")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), default="-")
@site_option
@_digest_option(many=False)
def export(path: Path, folder: Path, digest: str | None) -> None:
    """Write readers to PATH: JSON Lines where it ends with .jsonl, CSV otherwise; - is standard output.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it; 'import'
    takes it off again.
    """
    site = read_site(folder)
    with ExitStack() as stack:
        file = sys.stdout
        if str(path) != "-":
            try:
                file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            except OSError as error:
                raise SettingsError(f"cannot write {path}: {error.strerror}") from error
        progress = stack.enter_context(ProgressLine())
        count = action.export(
            site, file, as_json=path.suffix in (".jsonl", ".ndjson"), digest=digest, progress=progress
        )
    if str(path) != "-":
        click.echo(f"{in_words(count, 'reader')} written to {path}")


@command.command("add")
@click.argument("address")
@site_option
@_digest_option(many=True)
@click.option("--topic", "topics", multiple=True, help="Only articles of this topic; may be given again.")
@click.option("--region", "regions", multiple=True, help="Only articles of this region; may be given again.")
@click.option("--brand", "brands", multiple=True, help="Only articles of this brand; may be given again.")
@click.option("--tag", "tags", multiple=True, help="Only articles with this tag; may be given again.")
@click.option("--author", "authors", multiple=True, help="Only articles by this author; may be given again.")
@click.option("--zone", help="The reader's time zone, as in Europe/London.")
@click.option("--language", help="The reader's language, as in en or pt-BR.")
@click.option("--lift", is_flag=True, help="Write to her again although she had left: she has asked for it herself.")
def add(
    address: str,
    folder: Path,
    digests: tuple[str, ...],
    zone: str | None,
    language: str | None,
    lift: bool,
    **follows: tuple[str, ...],
) -> None:
    """Add a reader, or change what she follows."""
    site = read_site(folder)
    now = parse_at(None, site.tz)
    one = action.add(site, address, now, digests=digests, follows=follows, zone=zone, language=language, lift=lift)
    click.echo(_line(action.as_dict(one)))


@command.command("list")
@site_option
@_digest_option(many=False)
@click.option("--status", type=click.Choice(["active", "suppressed"]), help="Only those.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(folder: Path, digest: str | None, status: str | None, as_json: bool) -> None:
    """List readers in the order in which they came."""
    count = 0
    for one in action.readers(read_site(folder), digest=digest, status=status):
        count += 1
        said = action.as_dict(one)
        click.echo(json.dumps(said, ensure_ascii=False) if as_json else _line(said))
    if not as_json:
        click.echo(in_words(count, "reader"))


def _line(said: dict[str, Any]) -> str:
    wanted = [", ".join(said[name]) for name in ("topics", "regions", "brands", "tags", "authors") if said.get(name)]
    parts = [said["address"], said["status"], ", ".join(said["digests"]) or "follows nothing"]
    parts += [f"only {' and '.join(wanted)}"] if wanted else []
    parts += [said[name] for name in ("zone", "language") if said.get(name)]
    return "  ".join(parts)


@command.command("suppress")
@click.argument("address")
@site_option
@click.option("--note", default="", help="Why, for those who ask later.")
def suppress(address: str, folder: Path, note: str) -> None:
    """Write to ADDRESS no more, whoever imports it again."""
    site = read_site(folder)
    news = action.suppress(site, address, parse_at(None, site.tz), note=note)
    click.echo(f"{address} is written to no more." if news else f"{address} was written to no more before.")


@command.command("forget")
@click.argument("address")
@site_option
def forget(address: str, folder: Path) -> None:
    """Erase a person. What is left is a hash that names nobody, so that no list brings her back."""
    site = read_site(folder)
    was_there = action.forget(site, address, parse_at(None, site.tz))
    click.echo(f"{address} is forgotten." if was_there else f"{address} was no reader; no list will make her one.")
