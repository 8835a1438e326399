"""``publish stats``: how many read feeds, and what became of each issue."""

from __future__ import annotations

import json
from pathlib import Path

import click

from publisher.cli.common import count_phrase, parse_at, site_option
from publisher.model.delivery import DeliveryState
from publisher.reports.stats import Stats, load_stats
from publisher.settings import Site, read_site

__all__ = ["command"]

_LISTED = 20
_SHOWN = (DeliveryState.ACCEPTED, DeliveryState.FAILED, DeliveryState.UNCERTAIN, DeliveryState.SUPPRESSED)


@click.command("stats")
@site_option
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="Of so many days.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(folder: Path, days: int, as_json: bool) -> None:
    """Show who reads.

    Feeds: readers as reader programs tell them and as they come by themselves, counted by 'publish
    serve'. Issues: what became of their copies, and how often articles were opened from them where
    clicks are counted. No address is kept, and nobody is followed.

    Exit status: 0 success; 2 usage or settings; 3 failed.
    """
    site = read_site(folder)
    found = load_stats(site, parse_at(None, site.tz), days=days)
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        for line in lines(site, found):
            click.echo(line)


def lines(site: Site, found: Stats) -> list[str]:
    """Return the lines that a person reads."""
    shown = [f"{site.title}, {count_phrase(found.days, 'day')}", ""]
    if not found.feeds:
        shown.append("  feeds    nobody has asked for one yet: 'publish serve' counts who does")
    for one in found.feeds[:_LISTED]:
        programs = ", ".join(
            f"{name} {count:,}" for name, count in sorted(one.programs.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        saved = f", {one.unchanged / one.requests:.0%} unchanged" if one.requests else ""
        shown.append(f"  feeds/{one.feed}: {count_phrase(one.subscribers, 'reader')} on {one.day} ({programs})")
        shown.append(f"    {count_phrase(one.requests, 'request')}{saved}")
    if len(found.feeds) > _LISTED:
        shown.append(f"  … and {len(found.feeds) - _LISTED:,} more; --json lists them all")
    if found.hub:
        shown.append(f"  hub      {count_phrase(found.hub, 'subscription')}")
    if found.subscribers:
        shown.append(f"  readers  {found.subscribers.get('active', 0):,} by mail")
    for issue in found.issues[:_LISTED]:
        counts = ", ".join(
            f"{issue.deliveries[state]:,} {state.value}" for state in _SHOWN if issue.deliveries.get(state)
        )
        waits = sum(count for state, count in issue.deliveries.items() if state not in _SHOWN)
        said = ", ".join(part for part in (counts, f"{waits:,} waiting" if waits else "") if part)
        clicks = f"; opened {issue.clicks[0]:,} times" if issue.clicks else ""
        shown.append(f"  {issue.digest}/{issue.name}  No. {issue.number}  {issue.subject}")
        shown.append(f"    {said or 'no deliveries'}{clicks}")
    return shown
