"""``publish next``: show when issues and feeds are due next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from publisher import ScheduleDescription, UpcomingIssues, UpcomingRun
from publisher.cli.common import open_site, parse_at, print_result, site_option
from publisher.html.dates import minute_text
from publisher.model.digests import SendPolicy
from publisher.settings import Site

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
    with open_site(folder, dry_run=True) as publisher:
        site = publisher.site
        now = parse_at(at, site.tz)
        schedules = publisher.schedule.descriptions(name)
        runs = publisher.schedule.upcoming(count, name, after=now)
        without_cadence = publisher.schedule.digests_without_cadence() if name is None else []
        issues = publisher.reports.upcoming_issues(name, at=now)
    fields = {
        "cadences": [schedule.as_dict() for schedule in schedules],
        "slots": [run.as_dict() for run in runs],
        "without_cadence": without_cadence,
        **issues.as_dict(),
    }
    shown = [*lines(site, schedules, runs, now, without_cadence), *_issue_lines(issues)]
    print_result(fields, shown, as_json=as_json)


def _issue_lines(issues: UpcomingIssues) -> list[str]:
    """Return approved issues that are still to be sent, and drafts, as lines of text."""
    shown = []
    for issue in issues.approved:
        shown += [f"{issue.row.path}  No. {issue.row.number}  {issue.row.subject}", f"  {issue.status}"]
    shown += [line for draft in issues.drafts for line in draft.lines()]
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
