"""Options and output that several commands share."""

from __future__ import annotations

import contextlib
import json
import resource
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from publisher import Publisher
from publisher.cli.progress import ProgressLine
from publisher.clock import FixedClock
from publisher.html.text import count_phrase
from publisher.model.delivery import DeliveryState
from publisher.model.result import Result
from publisher.settings import read_site

if TYPE_CHECKING:
    from publisher import CorrectionResult, IssueRow, NotificationResult
    from publisher.workers.timed_worker import TimedWorker

#: The limit of file descriptors that a process asks for.
_DESCRIPTORS = 20_000


def site_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--site DIR`` to a command; the default is the current folder."""
    return click.option(
        "--site",
        "folder",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        help="The site's folder, with its publisher.toml.  [default: the current folder]",
    )(command)


def log_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--log text|json`` to a command."""
    return click.option(
        "--log",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Log lines of key=value, or of JSON.",
    )(command)


def raise_descriptor_limit() -> int:
    """Raise the limit of file descriptors as far as is allowed and useful; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@contextlib.contextmanager
def open_site(
    folder: Path, *, at: str | None = None, dry_run: bool = False, parser_process: TimedWorker | None = None
) -> Iterator[Publisher]:
    """Open a site, at the time of ``--at`` if that is given; progress and waiting are shown on standard error."""
    with ProgressLine() as progress:
        site = read_site(folder)
        clock = FixedClock(parse_at(at, site.tz)) if at is not None else None
        with Publisher(
            site,
            clock=clock,
            progress=progress,
            on_wait=lambda holder: click.echo(f"{holder} is publishing this site; waiting for it", err=True),
            dry_run=dry_run,
            parser_process=parser_process,
        ) as publisher:
            yield publisher


@contextlib.contextmanager
def forked_parser() -> Iterator[TimedWorker]:
    """Return a parser process, forked where that is safe: it saves a short run 0.1 seconds.

    Call it before the settings are read and the database is opened, so that the process has neither.
    """
    from publisher.storage.engine import has_open_database
    from publisher.workers.pool import Workers

    with Workers.new_parser() as worker:
        if not has_open_database():
            worker.fork()
        yield worker


def parse_at(text: str | None, zone: ZoneInfo) -> datetime:
    """Return the time of ``--at``, or the current time without one.

    Raises:
        click.BadParameter: the text is not an ISO 8601 time.
    """
    if text is None:
        return datetime.now(UTC).astimezone(zone).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a time; write it as 2026-11-23T07:00 or 2026-11-23T07:00+01:00"
        raise click.BadParameter(message, param_hint="--at") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(zone).replace(microsecond=0)


def finished_line(row: IssueRow, action: str) -> str:
    """Return a line about an issue of which nothing is left to be sent, so that there is nothing to ACTION."""
    return f"{row.path} {row.finished_state}: there is nothing to {action}."


def times_phrase(count: int) -> str:
    """Return ``once``, ``2 times``."""
    return "once" if count == 1 else f"{count:,} times"


def notification_lines(result: NotificationResult) -> list[str]:
    """Return lines about the notification of hubs."""
    lines = []
    if result.sent:
        lines.append(f"  announced {count_phrase(result.sent, 'changed feed')}")
    if result.waiting:
        waiting = count_phrase(result.waiting, "announcement")
        lines.append(f"  {waiting} waiting: the changed feeds are not live yet, or a hub did not answer.")
        lines.append("  The next 'publish now' tries again, or run 'publish announce' once they are live.")
    return lines + [f"  {line}" for line in result.failed[:5]]


def correction_lines(done: str, edited: CorrectionResult, folder: Path) -> list[str]:
    """Return lines about a corrected or withdrawn article."""
    lines = [f"{done}: {edited.title}", f"  {edited.link}", f"  {edited.id}"]
    report = edited.report
    if report is not None:
        counts = f"{count_phrase(len(report.feeds_changed), 'file')} written"
        removed = f", {len(report.feeds_removed):,} removed" if report.feeds_removed else ""
        lines.append(f"  {counts}{removed}")
        lines += notification_lines(report.notifications)
        lines += [f"  skipped: {problem.where}: {problem.reason}" for problem in report.rejected]
    if edited.gone is not None:
        lines.append(f"  its URL now responds with 410 and {folder / edited.gone}")
    if edited.issues:
        these = "This issue contains" if len(edited.issues) == 1 else "These issues contain"
        lines.append(f"  {these} the old version; mail that was sent cannot be recalled:")
        lines += [f"    {folder / path}" for path in edited.issues]
    if edited.approved:
        these = "This approved issue contains" if len(edited.approved) == 1 else "These approved issues contain"
        lines.append(f"  {these} the old version, and nothing of it is sent. To bring it up to date:")
        lines += [f"    publish reopen {path}" for path in edited.approved]
    return lines


def print_result(
    result: Result | dict[str, Any], lines: Iterable[str], *, as_json: bool, indent: int | None = 2
) -> None:
    """Print a result as JSON, or as lines of text."""
    if as_json:
        values = result if isinstance(result, dict) else result.as_dict()
        lines = [json.dumps(values, ensure_ascii=False, indent=indent)]
    for line in lines:
        click.echo(line)


def counts_by_state(states: Mapping[DeliveryState, int]) -> str:
    """Return numbers of deliveries in words: ``3 queued, 1 failed``; empty for none."""
    return ", ".join(f"{states[state]:,} {state.value}" for state in DeliveryState if states.get(state))


def issue_state_lines(state: str, deliveries: str) -> list[str]:
    """Return the state of an issue and its deliveries, on one line unless the state is a sentence."""
    if not deliveries:
        return [state]
    return [state, f"deliveries: {deliveries}"] if ": " in state or ". " in state else [f"{state}: {deliveries}"]
