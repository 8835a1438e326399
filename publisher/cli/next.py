"""``publish next``: show when issues and feeds are due next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from publisher.cli.common import parse_at, site_option
from publisher.reports.upcoming import (
    ScheduleDescription,
    UpcomingRun,
    describe_schedules,
    digests_without_cadence,
    upcoming_runs,
)
from publisher.settings import Site, read_site

__all__ = ["command"]

#: What is said of a digest without a cadence.
_NO_CADENCE = "no cadence: 'publish now' makes its issues, 'publish run' and 'publish tick' do not"


@click.command("next")
@click.argument("name", metavar="[DIGEST]", required=False)
@site_option
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="Number of slots.")
@click.option("--at", metavar="TIME", help="Start of the list (ISO 8601).  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print cadences and slots as JSON.")
def command(name: str | None, folder: Path, count: int, at: str | None, as_json: bool) -> None:
    """Show when issues and feeds are due next.

    The output has each cadence in words and the digests without one, then the next slots in the
    site's zone and in UTC. DIGEST limits it to one digest; 'feeds' is the name of the feeds.

    Exit status: 0 success; 2 usage or settings.
    """
    site = read_site(folder)
    now = parse_at(at, site.tz)
    schedules, runs = describe_schedules(site, name), upcoming_runs(site, now, count, name)
    without_cadence = digests_without_cadence(site) if name is None else []
    if as_json:
        click.echo(json.dumps(_as_dict(schedules, runs, without_cadence), ensure_ascii=False, indent=2))
        return
    for line in lines(site, schedules, runs, now, without_cadence):
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


def lines(
    site: Site,
    schedules: list[ScheduleDescription],
    runs: list[UpcomingRun],
    now: datetime,
    without_cadence: list[str],
) -> list[str]:
    """Return schedules, digests without a cadence and runs as lines of text."""
    if not schedules:
        return ['No digest has a cadence. Add one under [digests.NAME], for example cadence = "0 7 * * mon-fri".']
    width = max(map(len, [*(schedule.name for schedule in schedules), *without_cadence]))
    shown = []
    for schedule in schedules:
        zone = "" if schedule.zone == site.zone else f" ({schedule.zone})"
        local_time = f"; delivered at {schedule.deliver_at:%H:%M} local time" if schedule.deliver_at else ""
        shown.append(f"  {schedule.name:<{width}}  {schedule.words}{zone}{local_time}")
    shown += [f"  {name:<{width}}  {_NO_CADENCE}" for name in without_cadence]
    if not runs:
        return [*shown, "", "No more slots."]
    is_utc = site.zone == "UTC"
    shown += ["", f"  {site.zone}" if is_utc else f"  {site.zone:<20}  UTC"]
    for slot in runs:
        local = f"{slot.slot.astimezone(site.tz):%a %Y-%m-%d %H:%M}"
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
