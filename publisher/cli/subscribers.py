"""``publish subscribers``: import, export, add, list, suppress and forget subscribers."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click

from publisher import ImportResult
from publisher.cli import review
from publisher.cli.common import open_site, print_result, site_option
from publisher.errors import SettingsError
from publisher.html.text import count_phrase
from publisher.model.subscriptions import SubscriptionState
from publisher.private_files import private_opener
from publisher.subscribers.list_parser import RejectedRow, escape_formula


@click.group("subscribers")
def command() -> None:
    """Import, export, add, list, suppress and erase subscribers.

    Exit status: 0 success; 1 some rows were rejected or skipped; 2 usage or settings; 3 failed.
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


_resubscribe_option = click.option(
    "--resubscribe",
    "--lift",
    "resubscribe",
    metavar="REASON",
    help="Subscribe people who have unsubscribed, for this reason, such as 'asked by phone'.",
)


@command.command("import", short_help="Import subscribers from CSV or JSON Lines.")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@site_option
@_digest_option(many=True)
@click.option(
    "--rejected",
    "--refused",
    "rejected",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the number and reason of every rejected or skipped row into a CSV file.",
)
@_resubscribe_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def import_(
    path: Path,
    folder: Path,
    digests: tuple[str, ...],
    rejected: Path | None,
    resubscribe: str | None,
    as_json: bool,
) -> int:
    """Import subscribers from PATH: CSV with column names, or JSON Lines (.jsonl).

    Columns: address (or email), zone, language, digests, topics, regions, brands, tags, authors, and every
    column that says whether a person may be mailed, such as status, unsubscribed_at or bounced. Several values in a cell
    are separated by |. A value that is not understood means not active. --digest names the digests of
    people whose rows name none.

    People who have unsubscribed are skipped, and named. --resubscribe subscribes them again, with a reason.
    """
    with ExitStack() as stack:
        write: Callable[[RejectedRow], None] = lambda row: None  # noqa: E731 - a function that does nothing
        if rejected is not None:
            writer = csv.writer(stack.enter_context(_open_private(rejected)), lineterminator="\n")
            writer.writerow(["row", "reason"])
            write = lambda row: writer.writerow([row.number, escape_formula(row.reason)])  # noqa: E731
        publisher = stack.enter_context(open_site(folder))
        result = publisher.subscribers.import_list(path, digests=digests, resubscribe=resubscribe, on_rejected=write)
    print_result(result.as_dict(), import_lines(result, rejected), as_json=as_json)
    return 1 if result.rejected or result.skipped else 0


def _open_private(path: Path) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", newline="", opener=private_opener)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def import_lines(result: ImportResult, rejected: Path | None) -> list[str]:
    """Return the summary of an import as lines of text."""
    rows = count_phrase(result.rows, "row")
    lines = [f"{rows} read: {result.added:,} added, {result.changed:,} changed, {result.unchanged:,} unchanged"]
    for state, count in sorted(result.inactive.items()):
        lines.append(f"  {count:,} {state} ({', '.join(result.deciding[state])}): not mailed")
    for digest, count in sorted(result.unnamed.items()):
        lines.append(f"  {count:,} unsubscribed from {digest}: their rows do not name it")
    lines += [f"  {note}" for note in result.notes]
    if result.unclear:
        lines.append("Not understood, and therefore not active:")
        for (column, value), count in sorted(result.unclear.items()):
            lines.append(f"  {column}: {value!r} in {count_phrase(count, 'row')}")
    where = str(rejected) if rejected else "--rejected FILE writes them all"
    for verb, count, rows_kept in (
        ("Skipped", result.skipped, result.skips),
        ("Rejected", result.rejected, result.rejections),
    ):
        if count:
            lines.append(f"{verb} {count_phrase(count, 'row')}:")
            lines += [f"  row {row.number}: {row.reason}" for row in rows_kept]
        if count > len(rows_kept):
            lines.append(f"  … and {count - len(rows_kept):,} more; {where}")
    return lines


@command.command("export", short_help="Write subscribers with their states to a file.")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), default="-")
@site_option
@_digest_option(many=False)
def export(path: Path, folder: Path, digest: str | None) -> None:
    """Write subscribers with their states to PATH: JSON Lines (.jsonl) or CSV; - is stdout.

    A cell that a spreadsheet would run as a formula gets an apostrophe, which 'import' removes.
    """
    with ExitStack() as stack:
        publisher = stack.enter_context(open_site(folder, dry_run=True))
        file = sys.stdout
        if str(path) != "-":
            file = stack.enter_context(_open_private(path))
        count = publisher.subscribers.export(file, as_json=path.suffix in (".jsonl", ".ndjson"), digest=digest)
    if str(path) != "-":
        click.echo(f"{count_phrase(count, 'subscriber')} written to {path}")


@command.command("add")
@click.argument("address")
@site_option
@_digest_option(many=True)
@click.option("--topic", "topics", multiple=True, help="Only articles of this topic; may be repeated.")
@click.option("--region", "regions", multiple=True, help="Only articles of this region; may be repeated.")
@click.option("--brand", "brands", multiple=True, help="Only articles of this brand; may be repeated.")
@click.option("--tag", "tags", multiple=True, help="Only articles with this tag; may be repeated.")
@click.option("--author", "authors", multiple=True, help="Only articles by this author; may be repeated.")
@click.option("--zone", help="Their time zone, such as Europe/London.")
@click.option("--language", help="Their language, such as en or pt-BR.")
@_resubscribe_option
def add(
    address: str,
    folder: Path,
    digests: tuple[str, ...],
    zone: str | None,
    language: str | None,
    resubscribe: str | None,
    **follows: tuple[str, ...],
) -> None:
    """Add a subscriber, or change their digests and interests.

    A person who has unsubscribed is subscribed again only with --resubscribe REASON. The option never
    lifts a complaint or an erasure.
    """
    with open_site(folder) as publisher:
        subscriber = publisher.subscribers.add(
            address, digests=digests, follows=follows, zone=zone, language=language, resubscribe=resubscribe
        )
    click.echo(_line(subscriber.as_dict()))


@command.command("list", short_help="List subscribers with their state.")
@site_option
@_digest_option(many=False)
@click.option(
    "--status", type=click.Choice([state.value for state in SubscriptionState]), help="Only people with this state."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(folder: Path, digest: str | None, status: str | None, as_json: bool) -> None:
    """List subscribers with their state, in the order in which they were added."""
    count = 0
    state = SubscriptionState(status) if status else SubscriptionState.ACTIVE if digest else None
    with open_site(folder, dry_run=True) as publisher:
        for subscriber in publisher.subscribers.list(digest=digest, status=state):
            count += 1
            fields = subscriber.as_dict()
            click.echo(json.dumps(fields, ensure_ascii=False) if as_json else _line(fields))
    if not as_json:
        click.echo(count_phrase(count, "subscriber"))


def _line(fields: dict[str, Any]) -> str:
    wanted = [
        ", ".join(fields[name]) for name in ("topics", "regions", "brands", "tags", "authors") if fields.get(name)
    ]
    parts = [fields["address"], fields["status"], ", ".join(fields["digests"]) or "no digest"]
    parts += [f"only {' and '.join(wanted)}"] if wanted else []
    parts += [fields[name] for name in ("zone", "language") if fields.get(name)]
    return "  ".join(parts)


@command.command("suppress", short_help="Stop all mail to an address.")
@click.argument("address")
@site_option
@click.option("--note", default="", help="The reason, for the record.")
def suppress(address: str, folder: Path, note: str) -> None:
    """Stop all mail to ADDRESS, also if a list names it later."""
    with open_site(folder) as publisher:
        is_new = publisher.subscribers.suppress(address, note=note)
    click.echo(f"{address} is suppressed." if is_new else f"{address} is already suppressed.")


@command.command("forget")
@click.argument("address")
@site_option
def forget(address: str, folder: Path) -> None:
    """Erase a person with their history. A keyed hash stays, so that no list adds them again."""
    with open_site(folder) as publisher:
        was_there = publisher.subscribers.erase(address)
    click.echo(f"{address} is erased." if was_there else f"{address} is not a subscriber, and no import will add it.")
