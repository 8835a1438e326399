"""``publish outbox``: list drafts, issues and the state of their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from publisher import DraftStatus, OutboxIssue
from publisher.cli.common import counts_by_state, issue_state_lines, open_site, print_result, site_option
from publisher.html.text import count_phrase

LISTED_ISSUES = 20


@click.command("outbox")
@click.argument("digest", required=False)
@site_option
@click.option("--all", "show_all", is_flag=True, help="Show all issues, not only the newest 20.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(digest: str | None, folder: Path, show_all: bool, as_json: bool) -> int:
    """List drafts, all issues, or those of DIGEST, and the state of their deliveries.

    For each draft: its articles, when it becomes an issue, and how to approve it. For each issue: its
    state, with the time when it is sent or the reason why it is held, the number of its subscribers, and
    how many deliveries are queued, accepted, deferred, failed, suppressed or uncertain. Uncertain
    deliveries are listed by address.

    Exit status: 0 success; 1 there are uncertain deliveries; 2 usage or settings; 3 failed.
    """
    with open_site(folder, dry_run=True) as publisher:
        issues = publisher.reports.outbox(digest)
        drafts = publisher.reports.upcoming_issues(digest).drafts
    listed = {"drafts": [draft.as_dict() for draft in drafts], "issues": [issue.as_dict() for issue in issues]}
    shown = lines(drafts, issues if show_all else issues[:LISTED_ISSUES])
    if len(issues) > LISTED_ISSUES and not show_all:
        shown.append(f"… and {len(issues) - LISTED_ISSUES:,} older issues; --all shows them")
    print_result(listed, shown, as_json=as_json)
    return 1 if any(issue.uncertain for issue in issues) else 0


def lines(drafts: Sequence[DraftStatus], issues: Sequence[OutboxIssue]) -> list[str]:
    """Return drafts and issues as lines of text."""
    if not issues and not drafts:
        return ["No draft and no issue yet. 'publish now' reads articles/ and makes drafts."]
    shown = [line for draft in drafts for line in draft.lines()]
    for issue in issues:
        row = issue.row
        shown.append(f"{row.digest}/{row.name}  No. {row.number}  {row.subject}")
        counts = counts_by_state(issue.states)
        deliveries = f"{count_phrase(issue.subscribers, 'subscriber')} ({counts})" if counts else ""
        shown += [f"  {line}" for line in issue_state_lines(issue.status, deliveries)]
        if issue.due is not None:
            shown.append(f"  next attempt at {issue.due:%Y-%m-%d %H:%M}")
        shown += [f"  {text}" for text in issue.stopped]
        if issue.uncertain:
            shown.append("  uncertain deliveries; to settle them, use --uncertain of 'publish send':")
            shown += [f"    {address}" for address in issue.uncertain]
    return shown
