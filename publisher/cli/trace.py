"""``publish trace``: show the delivery history of an issue for one subscriber."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from publisher import DeliveryHistory
from publisher.cli.common import open_site, print_result, site_option


@click.command("trace")
@click.argument("issue")
@click.argument("address")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print the history as JSON.")
def command(issue: str, address: str, folder: Path, as_json: bool) -> int:
    """Show the delivery history of ISSUE for ADDRESS, and the history of their subscriptions.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue. The output has
    the delivery's state, Message-ID, articles, and each step with its time and the server's words, or
    the reason why there is no delivery; then each change of the subscriber's state with its source.

    Exit status: 0 there is a delivery; 1 there is none; 2 usage or settings, no such issue; 3 failed.
    """
    with open_site(folder, dry_run=True) as publisher:
        history = publisher.issues.trace(issue, address)
    print_result(history, lines(history), as_json=as_json)
    return 0 if history.state is not None else 1


def lines(history: DeliveryHistory) -> list[str]:
    """Return the history as lines of text."""
    shown = [
        f"{history.digest}/{history.name}, No. {history.number}: {history.subject}",
        f"  to      {history.address} ({history.status})",
    ]
    if history.suppressed:
        shown.append(f"  address {history.suppressed}")
    if history.state is None:
        shown.append(f"  no delivery: {history.reason}")
    else:
        shown.append(f"  state   {history.state.value}")
        if history.due is not None:
            shown.append(f"          next attempt at {history.due:%Y-%m-%d %H:%M:%S}")
        shown.append(f"  message {history.message_id}")
        shown += [f"  {'article' if not index else ' ' * 7} {title}" for index, title in enumerate(history.articles)]
        shown.append("  delivery")
        shown += [f"    {event.at:%Y-%m-%d %H:%M:%S}  {event.text}" for event in history.events]
    if history.changes:
        shown.append("  subscriptions (UTC)")
        shown += [
            f"    {datetime.fromtimestamp(change.at, UTC):%Y-%m-%d %H:%M:%S}  {change.as_words()}"
            for change in history.changes
        ]
    return shown
