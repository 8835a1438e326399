"""``publish next``: show when issues and feeds are due next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from publisher.cli.common import parse_at, site_option
from publisher.digests.store import IssueRow
from publisher.html.dates import minute_text
from publisher.model.digests import SendPolicy
from publisher.reports.issue_drafts import DraftStatus, upcoming_issues
from publisher.reports.outbox import issue_dict
from publisher.reports.upcoming import (
    ScheduleDescription,
    UpcomingRun,
    describe_schedules,
    digests_without_cadence,
    upcoming_runs,
)
from publisher.settings import Site, read_site

__all__ = ["command"]

#: How a digest without a cadence gets its issues.
_NO_CADENCE: Final[Mapping[SendPolicy, str]] = {
    SendPolicy.REVIEW: "no cadence: an issue is sent once you approve it (publish approve {slug})",
    SendPolicy.AUTO: "no cadence, no review: every run with something new sends an issue, also 'publish now'",
    SendPolicy.NONE: "no cadence: 'publish now {slug}' publishes an issue, without mail",
}


@click.command("next")
@click.argument("name", metavar="[DIGEST]", required=False)
@site_option
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="Number of slots.")
@click.option("--at", metavar="TIME", help="Start of the list (ISO 8601).  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print cadences and slots as JSON.")
def command(name: str | None, folder: Path, count: int, at: str | None, as_json: bool) -> None:
    """Show when issues and feeds are due next.

    The output has each cadence in words and the digests without one, then the next slots in the
    site's zone and in UTC, then approved issues and drafts. DIGEST limits it to one digest; 'feeds' is
    the name of the feeds.

    Exit status: 0 success; 2 usage or settings; 3 the database cannot be read.
    """
    site = read_site(folder)
    now = parse_at(at, site.tz)
    schedules, runs = describe_schedules(site, name), upcoming_runs(site, now, count, name)
    without_cadence = digests_without_cadence(site) if name is None else []
    drafts, approved = upcoming_issues(site, now)
    drafts = [draft for draft in drafts if name in (None, draft.digest)]
    approved = [(row, state) for row, state in approved if name in (None, row.digest)]
    if as_json:
        fields = _as_dict(schedules, runs, without_cadence)
        fields["drafts"] = [draft.as_dict() for draft in drafts]
        fields["approved"] = [{**issue_dict(row), "status": state} for row, state in approved]
        click.echo(json.dumps(fields, ensure_ascii=False, indent=2))
        return
    for line in [*lines(site, schedules, runs, now, without_cadence), *_issue_lines(drafts, approved)]:
        click.echo(line)


def _as_dict(
    schedules: list[ScheduleDescription], runs: list[UpcomingRun], without_cadence: list[str]
) -> dict[str, object]:
    return {
        "cadences": [
            {
                "name": schedule.name,
                "words": schedule.words,
                "zone": schedule.zone,
                "deliver_at": f"{schedule.deliver_at:%H:%M}" if schedule.deliver_at else None,
            }
            for schedule in schedules
        ],
        "slots": [{"name": run.name, "slot": run.slot.isoformat()} for run in runs],
        "without_cadence": without_cadence,
    }


def _issue_lines(drafts: list[DraftStatus], approved: list[tuple[IssueRow, str]]) -> list[str]:
    """Return approved issues that are still to be sent, and drafts, as lines of text."""
    shown = [line for row, state in approved for line in (f"{row.path}  No. {row.number}  {row.subject}", f"  {state}")]
    shown += [line for draft in drafts for line in draft.lines()]
    return ["", "  Next issues:", *(f"  {line}" for line in shown)] if shown else []


def lines(
    site: Site,
    schedules: list[ScheduleDescription],
    runs: list[UpcomingRun],
    now: datetime,
    without_cadence: list[str],
) -> list[str]:
    """Return schedules, digests without a cadence and runs as lines of text."""
    width = max(map(len, [*(schedule.name for schedule in schedules), *without_cadence]), default=0)
    shown = []
    for schedule in schedules:
        zone = "" if schedule.zone == site.zone else f" ({schedule.zone})"
        local_time = f"; delivered at {schedule.deliver_at:%H:%M} local time" if schedule.deliver_at else ""
        shown.append(f"  {schedule.name:<{width}}  {schedule.words}{zone}{local_time}")
    shown += [
        f"  {name:<{width}}  {_NO_CADENCE[site.digests[name].send].format(slug=name)}" for name in without_cadence
    ]
    if not schedules:
        words = 'No digest has a cadence. Add one under [digests.NAME], for example cadence = "0 7 * * mon-fri".'
        return [*shown, words]
    if not runs:
        return [*shown, "", "No more slots."]
    is_utc = site.zone == "UTC"
    shown += ["", f"  {site.zone}" if is_utc else f"  {site.zone:<20}  UTC"]
    for slot in runs:
        local = minute_text(slot.slot, site.tz)
        utc = "" if is_utc else f"{slot.slot.astimezone(UTC):%Y-%m-%d %H:%M}  "
        shown.append(
            f"  {local:<{20 if is_utc else max(20, len(site.zone))}}  {utc}{_in(slot.slot, now):>9}  {slot.name}"
        )
    return shown


def _in(slot: datetime, now: datetime) -> str:
    minutes = round((slot - now).total_seconds() / 60)
    if minutes < 90:
        return f"in {minutes} min"
    return f"in {round(minutes / 60)} h" if minutes < 60 * 48 else f"in {round(minutes / 1440):,} d"
