"""``publish status``: show what is stored, staged, skipped and running."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from publisher.cli.common import count_phrase, parse_at, site_option
from publisher.model.delivery import DeliveryState
from publisher.reports.outbox import issue_status
from publisher.reports.status import Status, load_status
from publisher.schedule.store import SlotRun
from publisher.settings import Site, read_site

__all__ = ["command"]

_NEWEST = 10


@click.command("status")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.pass_context
def command(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Show what is stored, staged, skipped and running.

    The output has the number of articles, feeds and subscribers, each digest with its next slot,
    the newest issues, drafts, and every skipped record with the reason.

    Exit status: 0 success; 1 some records were skipped; 2 usage or settings; 3 failed.
    """
    site = read_site(folder)
    found = load_status(site, parse_at(None, site.tz))
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        for line in lines(site, found):
            click.echo(line)
    ctx.exit(1 if found.refused else 0)


def lines(site: Site, found: Status) -> list[str]:
    """Return the status as lines of text."""
    shown = [
        site.title,
        "",
        f"  store    {count_phrase(found.articles, 'article')} from {count_phrase(found.files, 'file')}"
        + (f", {found.withdrawn:,} more withdrawn" if found.withdrawn else "")
        + (f", {count_phrase(len(found.drafts), 'draft')}" if found.drafts else ""),
        f"  feeds/   {count_phrase(found.feeds, 'feed')} in {count_phrase(found.feed_files, 'file')}",
    ]
    if found.feeds_due:
        shown.append(f"           {count_phrase(found.feeds_due, 'feed')} still to be staged: run 'publish now'")
    if found.announcements:
        shown.append(f"           {count_phrase(found.announcements, 'announcement')} to hubs waiting")
    shown += _slot(site, found.feeds_last)
    for one in found.digests:
        comes = f", next slot {one.next:%a %Y-%m-%d %H:%M}" if one.next else ""
        waits = f", {count_phrase(one.waiting, 'article')} waiting" if one.waiting else ""
        shown.append(f"  digest   {one.slug}: {count_phrase(one.issues, 'issue')}{waits}{comes}")
        shown += _slot(site, one.last)
    if found.subscribers:
        others = [f"{count:,} {state}" for state, count in sorted(found.subscribers.items()) if state != "active"]
        active = f"{found.subscribers.get('active', 0):,} active"
        shown.append(f"  list     {', '.join([active, *others])}")
    if found.blockers:
        shown.append("  mail     blocked for real people by placeholder values:")
        shown += [f"           {text}" for text in found.blockers]
    if found.exposed:
        shown.append("  private  these files can be read by other users of this machine:")
        shown += [f"           {one.path} (mode {one.mode:04o}): {one.fix}" for one in found.exposed]
    if found.stopped:
        shown.append("  mail     held back by refusals:")
        shown += [f"           {text}" for text in found.stopped]
    shown += _runners(site, found)
    shown += _newest(site, found)
    shown += _drafts(found)
    for heading, problems in (("Skipped", found.refused), ("Warnings", found.warnings)):
        if problems:
            shown += ["", f"{heading} ({len(problems):,}):"]
            shown += [f"  {one.where}: {one.reason}" for one in problems]
    return shown


def _drafts(found: Status) -> list[str]:
    shown = []
    if published := found.published_drafts:
        count = len(published)
        words = "says that it is a draft" if count == 1 else "say that they are drafts"
        shown += [
            "",
            f"{count_phrase(count, 'published article')} {words}; the next run withdraws {'it' if count == 1 else 'them'}:",
        ]
        shown += [f"  {one.where}: {one.statement} ({one.title})" for one in published]
    if found.drafts:
        shown += ["", f"Drafts ({len(found.drafts):,}):"]
        shown += [f"  {one.where}: {one.statement}" for one in found.drafts]
    return shown


def _slot(site: Site, run: SlotRun | None) -> list[str]:
    """Return the result of the newest slot of a schedule."""
    if run is None:
        return []
    slot = f"{run.slot.astimezone(site.tz):%a %Y-%m-%d %H:%M}"
    late = f", started {run.late:,.1f} s late" if run.late is not None else ""
    if run.state == "due":
        again = f"{run.leased_until.astimezone(site.tz):%H:%M:%S}"
        return [f"           slot {slot} failed {run.failures} time(s), next attempt at {again}: {run.outcome}"]
    came = run.outcome if run.state in ("done", "skipped") else f"running on {run.runner}"
    return [f"           last slot {slot}{late}: {came}"]


def _runners(site: Site, found: Status) -> list[str]:
    if not found.runners:
        waits = any(one.next for one in found.digests)
        return (
            [
                "  runner   none on this machine: start 'publish run', or call 'publish tick' from cron, to make issues on schedule"
            ]
            if waits
            else []
        )
    shown = []
    for one in found.runners:
        since = datetime.fromisoformat(one["started_at"]).astimezone(site.tz)
        shown.append(f"  runner   {one['runner']}, since {since:%a %Y-%m-%d %H:%M}")
        if one["settings_error"]:
            shown.append(f"           settings rejected, the old ones stay in force: {one['settings_error']}")
        shown += [
            f"           {job['name']} failed {job['failures']} time(s) in a row: {job['said']}"
            for job in one["jobs"]
            if job["failures"]
        ]
    return shown


def _newest(site: Site, found: Status) -> list[str]:
    if not found.issues:
        return []
    shown = ["", "Newest issues:"]
    for row in found.issues[:_NEWEST]:
        state = "" if row.is_staged else "  (not staged yet)"
        if row.errors and row.forced is None:
            state += f"  (blocked by {count_phrase(row.errors, 'error')}: see 'publish check {row.digest}/{row.name}')"
        shown.append(f"  {site.paths.outbox}/{row.digest}/{row.name}  No. {row.number}  {row.subject}{state}")
        if copies := found.deliveries.get(row.id):
            counts = ", ".join(f"{copies[one]:,} {one.value}" for one in DeliveryState if copies.get(one))
            shown.append(f"    {issue_status(site, row, copies)}: {counts}")
    return shown
