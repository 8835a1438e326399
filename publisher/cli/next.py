"""``publish next``: a person sees whether a cadence says what she meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from publisher.cli.common import parse_at, site_option
from publisher.reports.upcoming import ScheduleDescription, UpcomingRun, describe_schedules, upcoming_runs
from publisher.settings import Site, read_site

__all__ = ["command"]


@click.command("next")
@click.argument("name", metavar="[DIGEST]", required=False)
@site_option
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to show.")
@click.option("--at", metavar="TIME", help="From this time on (ISO 8601), not from now.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str | None, folder: Path, count: int, at: str | None, as_json: bool) -> None:
    """Show when issues and feeds are due next.

    Each cadence in words, then the coming slots, on the newsroom's clock and in UTC. With DIGEST
    only its own; 'feeds' names the feeds.

    Exit status: 0 success; 2 usage or settings.
    """
    site = read_site(folder)
    now = parse_at(at, site.tz)
    said, coming = describe_schedules(site, name), upcoming_runs(site, now, count, name)
    if as_json:
        click.echo(json.dumps(_as_dict(said, coming), ensure_ascii=False, indent=2))
        return
    for line in lines(site, said, coming, now):
        click.echo(line)


def _as_dict(said: list[ScheduleDescription], coming: list[UpcomingRun]) -> dict[str, object]:
    return {
        "cadences": [
            {
                "name": one.name,
                "words": one.words,
                "zone": one.zone,
                "deliver_at": f"{one.deliver_at:%H:%M}" if one.deliver_at else None,
            }
            for one in said
        ],
        "slots": [{"name": one.name, "slot": one.slot.isoformat()} for one in coming],
    }


def lines(site: Site, said: list[ScheduleDescription], coming: list[UpcomingRun], now: datetime) -> list[str]:
    """Return the lines that a person reads."""
    if not said:
        return ['Nothing has a cadence: add one under [digests.NAME], as in cadence = "0 7 * * mon-fri".']
    width = max(len(one.name) for one in said)
    shown = []
    for one in said:
        zone = "" if one.zone == site.zone else f" ({one.zone})"
        morning = f"; delivered at {one.deliver_at:%H:%M} local time" if one.deliver_at else ""
        shown.append(f"  {one.name:<{width}}  {one.words}{zone}{morning}")
    if not coming:
        return [*shown, "", "Nothing is to come any more."]
    is_utc = site.zone == "UTC"
    shown += ["", f"  {site.zone}" if is_utc else f"  {site.zone:<20}  UTC"]
    for slot in coming:
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
