"""``publish status``: show what is stored, staged, skipped and running."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from publisher import SlotRun, Status
from publisher.cli.common import (
    counts_by_state,
    issue_state_lines,
    open_site,
    print_result,
    site_option,
    times_phrase,
)
from publisher.html.dates import minute_text
from publisher.html.text import count_phrase
from publisher.settings import Site

_NEWEST = 10


@click.command("status")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def command(folder: Path, as_json: bool) -> int:
    """Show what is stored, staged, skipped and running.

    The output has the number of articles, feeds and subscribers, each digest with its next slot,
    the drafts of next issues, the newest issues with their state, drafts of articles, and every skipped
    record with the reason.

    Exit status: 0 success; 1 some records were skipped; 2 usage or settings; 3 failed.
    """
    with open_site(folder, dry_run=True) as publisher:
        site, status = publisher.site, publisher.reports.status()
    print_result(status, lines(site, status), as_json=as_json)
    return 1 if status.refused else 0


def lines(site: Site, status: Status) -> list[str]:
    """Return the status as lines of text."""
    shown = [
        site.title,
        *([""] if status.notices else []),
        *(f"NOTE: {notice}" for notice in status.notices),
        "",
        f"  store    {count_phrase(status.articles, 'article')} from {count_phrase(status.files, 'file')}"
        + (f", {status.withdrawn:,} more withdrawn" if status.withdrawn else "")
        + (f", {count_phrase(len(status.drafts), 'draft')}" if status.drafts else ""),
        f"  feeds/   {count_phrase(status.feeds, 'feed')} in {count_phrase(status.feed_files, 'file')}",
    ]
    if status.feeds_due:
        shown.append(f"           {count_phrase(status.feeds_due, 'feed')} still to be staged: run 'publish now'")
    if status.announcements:
        shown.append(f"           {count_phrase(status.announcements, 'announcement')} to hubs waiting")
    shown += _slot(site, status.feeds_last)
    for digest in status.digests:
        comes = f", next slot {digest.next:%a %Y-%m-%d %H:%M}" if digest.next else ""
        waits = f", {count_phrase(digest.waiting, 'article')} waiting" if digest.waiting else ""
        shown.append(f"  digest   {digest.slug}: {count_phrase(digest.issues, 'issue')}{waits}{comes}")
        shown += _slot(site, digest.last)
    shown += _mail(status)
    shown += _runners(site, status)
    if status.issue_drafts:
        shown += ["", "Next issues:", *(f"  {line}" for draft in status.issue_drafts for line in draft.lines())]
    shown += _newest(site, status)
    shown += _drafts(status)
    for heading, problems in (("Skipped", status.refused), ("Warnings", status.warnings)):
        if problems:
            shown += ["", f"{heading} ({len(problems):,}):"]
            shown += [f"  {problem.where}: {problem.reason}" for problem in problems]
    return shown


def _mail(status: Status) -> list[str]:
    """Return lines about subscribers, and about what blocks mail to them."""
    shown = []
    if status.subscribers:
        others = [f"{count:,} {state}" for state, count in sorted(status.subscribers.items()) if state != "active"]
        active = count_phrase(status.subscribers.get("active", 0), "active subscriber")
        shown.append(f"  mail     {', '.join([active, *others])}")
    if status.blockers:
        shown.append("  mail     blocked for real people by placeholder values:")
        shown += [f"           {text}" for text in status.blockers]
    if status.exposed:
        shown.append("  private  these files can be read by other users of this machine:")
        shown += [f"           {exposed.path} (mode {exposed.mode:04o}): {exposed.fix}" for exposed in status.exposed]
    if status.stopped:
        shown.append("  mail     held back by refusals:")
        shown += [f"           {text}" for text in status.stopped]
    return shown


def _drafts(status: Status) -> list[str]:
    shown = []
    if published := status.published_drafts:
        count = len(published)
        words = "says that it is a draft" if count == 1 else "say that they are drafts"
        shown += [
            "",
            f"{count_phrase(count, 'published article')} {words}; the next run withdraws {'it' if count == 1 else 'them'}:",
        ]
        shown += [f"  {draft.where}: {draft.statement} ({draft.title})" for draft in published]
    if status.drafts:
        shown += ["", f"Drafts ({len(status.drafts):,}):"]
        shown += [f"  {draft.where}: {draft.statement}" for draft in status.drafts]
    return shown


def _slot(site: Site, run: SlotRun | None) -> list[str]:
    """Return the result of the newest slot of a schedule."""
    if run is None:
        return []
    slot = minute_text(run.slot, site.tz)
    late = f", started {run.late:,.1f} s late" if run.late is not None else ""
    if run.state == "due":
        again = f"{run.leased_until.astimezone(site.tz):%H:%M:%S}"
        return [f"           slot {slot} failed {times_phrase(run.failures)}, next attempt at {again}: {run.outcome}"]
    outcome = run.outcome if run.state in ("done", "skipped") else f"running on {run.runner}"
    return [f"           last slot {slot}{late}: {outcome}"]


def _runners(site: Site, status: Status) -> list[str]:
    if not status.runners:
        waits = any(digest.next for digest in status.digests)
        return (
            [
                "  runner   none on this machine: start 'publish run', or call 'publish tick' from cron, to make issues on schedule"
            ]
            if waits
            else []
        )
    shown = []
    for runner in status.runners:
        since = datetime.fromisoformat(runner["started_at"]).astimezone(site.tz)
        shown.append(f"  runner   {runner['runner']}, since {since:%a %Y-%m-%d %H:%M}")
        if runner["settings_error"]:
            shown.append(f"           settings rejected, the previous ones stay in use: {runner['settings_error']}")
        shown += [
            f"           {job['name']} failed {times_phrase(job['failures'])}{' in a row' if job['failures'] > 1 else ''}: {job['last_error']}"
            for job in runner["jobs"]
            if job["failures"]
        ]
    return shown


def _newest(site: Site, status: Status) -> list[str]:
    if not status.issues:
        return []
    shown = ["", "Newest issues:"]
    for row in status.issues[:_NEWEST]:
        note = "" if row.is_staged else "  (not staged yet)"
        if row.errors and row.forced is None:
            note += f"  (blocked by {count_phrase(row.errors, 'error')}: see 'publish check {row.digest}/{row.name}')"
        shown.append(f"  {site.paths.outbox}/{row.digest}/{row.name}  No. {row.number}  {row.subject}{note}")
        states = status.deliveries.get(row.id, {})
        if state := status.states.get(row.id):
            shown += [f"    {line}" for line in issue_state_lines(state, counts_by_state(states))]
    return shown
