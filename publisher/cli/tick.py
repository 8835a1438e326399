"""``publish tick``: run everything that is due once, for cron or a systemd timer."""

from __future__ import annotations

from pathlib import Path

import click

from publisher import PublishResult
from publisher.cli.common import open_site, print_result, site_option
from publisher.cli.now import problem_lines, summary
from publisher.settings import Site


@click.command("tick")
@site_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(folder: Path, as_json: bool) -> int:
    """Do the work of 'publish run' once.

    Makes the issues whose slot has come, updates feeds, sends issues and retries deferred deliveries,
    notifies hubs, processes the bounce mailbox, deletes expired rows. Call it every few minutes from
    cron or a systemd timer; it prints nothing when there was nothing to do. Calls may overlap, and
    may run beside 'publish run': no slot runs twice.

    Exit status: 0 success; 1 done, but some input was skipped or something failed and is retried;
    2 usage or settings, or mail is blocked by placeholder values; 3 failed.
    """
    with open_site(folder) as publisher:
        site, report = publisher.site, publisher.tick()
    print_result(report, report_lines(site, report, folder), as_json=as_json)
    return report.exit_status


def report_lines(site: Site, report: PublishResult, folder: Path) -> list[str]:
    """Return what was done as lines of text; without it, only why the exit status is 1."""
    if _has_done_something(report):
        return [*summary(site, report, folder), *_slot_lines(site, report)]
    held = [f"{issue.issue} is held: {issue.reason}" for issue in report.held]
    return [*held, *problem_lines("Skipped", report.rejected)]


def _has_done_something(report: PublishResult) -> bool:
    done = report.changed or report.sends or report.draft_errors or report.all_blockers or report.notifications.failed
    return bool(done or report.feeds_failed or any(run.is_failed for run in report.scheduled_runs) or report.files_read)


def _slot_lines(site: Site, report: PublishResult) -> list[str]:
    issues = [run for run in report.scheduled_runs if run.schedule != "feeds" or run.is_failed]
    if not issues:
        return []
    lines = ["", "Slots:"]
    for run in issues:
        slot = run.slot.astimezone(site.tz)
        again = "; retried later" if run.is_failed else ""
        name = run.schedule.partition(":")[2] or run.schedule
        lines.append(f"  {name} {slot:%Y-%m-%d %H:%M}, started {run.late:,.0f} s late: {run.outcome}{again}")
    return lines
