"""``publish stats``: show statistics of feeds, issues and clicks."""

from __future__ import annotations

from pathlib import Path

import click

from publisher import Stats
from publisher.cli.common import counts_by_state, open_site, print_result, site_option
from publisher.html.text import count_phrase
from publisher.settings import Site

_LISTED = 20


@click.command("stats")
@site_option
@click.option(
    "--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="Number of days, including today."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(folder: Path, days: int, as_json: bool) -> None:
    """Show statistics of feeds, issues and clicks.

    Feeds: subscribers, as feed readers report them or as 'publish serve' counts them. Issues: the state
    of their deliveries, and clicks if they are counted. No address is stored and nobody is tracked.

    Exit status: 0 success; 2 usage or settings; 3 failed.
    """
    with open_site(folder, dry_run=True) as publisher:
        site, stats = publisher.site, publisher.reports.stats(days=days)
    print_result(stats, lines(site, stats), as_json=as_json)


def lines(site: Site, stats: Stats) -> list[str]:
    """Return the statistics as lines of text."""
    shown = [f"{site.title}, {count_phrase(stats.days, 'day')}", ""]
    if not stats.feeds:
        shown.append("  feeds    no requests yet: 'publish serve' counts them")
    for feed in stats.feeds[:_LISTED]:
        programs = ", ".join(
            f"{name} {count:,}" for name, count in sorted(feed.programs.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        saved = f", {feed.unchanged / feed.requests:.0%} unchanged" if feed.requests else ""
        shown.append(f"  feeds/{feed.feed}: {count_phrase(feed.subscribers, 'subscriber')} on {feed.day} ({programs})")
        shown.append(f"    {count_phrase(feed.requests, 'request')}{saved}")
    if len(stats.feeds) > _LISTED:
        shown.append(f"  … and {len(stats.feeds) - _LISTED:,} more; --json lists them all")
    if stats.hub:
        shown.append(f"  hub      {count_phrase(stats.hub, 'subscription')}")
    if stats.subscribers:
        shown.append(f"  mail     {count_phrase(stats.subscribers.get('active', 0), 'active subscriber')}")
    for issue in stats.issues[:_LISTED]:
        clicks = f"; {count_phrase(issue.clicks[0], 'click')}" if issue.clicks else ""
        shown.append(f"  {issue.digest}/{issue.name}  No. {issue.number}  {issue.subject}")
        shown.append(f"    {counts_by_state(issue.deliveries) or 'no deliveries'}{clicks}")
    return shown
