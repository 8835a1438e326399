"""``publish approve``: approve the draft of a newsletter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from publisher import Approval, ApprovalPlan, ApprovalTime
from publisher.cli.common import open_site, print_result, site_option
from publisher.cli.reopen import reopened_lines
from publisher.findings.silence import count_rules
from publisher.html.dates import minute_text
from publisher.html.text import count_phrase
from publisher.model.digests import SendPolicy
from publisher.settings import Site

#: Headlines that are shown before the question.
_LISTED = 20


@click.command("approve")
@click.argument("digest")
@site_option
@click.option("--yes", "-y", "is_confirmed", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option(
    "--now",
    "is_sent_now",
    is_flag=True,
    help="Send it now in place of its slot, with the articles that are published by now.",
)
@click.option("--expect", metavar="HASH", help="Refuse if the draft is not this version any more.")
@click.option("--revoke", is_flag=True, help="Make the approved issue a draft again, as 'publish reopen' does.")
@click.option("--json", "as_json", is_flag=True, help="Print what was approved as JSON.")
def command(
    digest: str,
    folder: Path,
    is_confirmed: bool,
    is_sent_now: bool,
    expect: str | None,
    revoke: bool,
    as_json: bool,
) -> int:
    """Approve the draft of DIGEST: its next issue, as it is now.

    Reads articles/ first, shows the draft, the number of its recipients, when it is sent and what blocks
    it, and asks. From then on its text is fixed. It is sent at its slot, or at once if that has passed, to
    the subscribers at that time. Until then, 'publish reopen DIGEST' takes the approval back.

    Exit status: 0 success; 2 usage or settings, no draft, it cannot be approved, or the answer was no;
    3 failed.
    """
    if revoke:
        with open_site(folder) as publisher:
            row = publisher.issues.reopen(digest)
        print_result({"reopened": row.path}, reopened_lines(publisher.site, row), as_json=as_json, indent=None)
        return 0
    time = ApprovalTime.NOW if is_sent_now else ApprovalTime.SLOT
    return confirm_and_approve(
        folder, digest, time, "Approve it?", is_confirmed=is_confirmed, expect=expect, as_json=as_json
    )


def confirm_and_approve(
    folder: Path,
    digest: str,
    time: ApprovalTime,
    question: str,
    *,
    is_confirmed: bool,
    as_json: bool,
    expect: str | None = None,
) -> int:
    """Show a draft, ask, and approve it; return the exit status."""
    if not is_confirmed and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: add --yes to approve without one")
    if not is_confirmed:
        with open_site(folder) as publisher:
            plan = publisher.digests.plan_approval(digest, time=time)
        for line in plan_lines(plan):
            click.echo(line, err=as_json)
        if plan.stops:
            return 2
        if not click.confirm(question, err=as_json):
            click.echo("Nothing was changed.", err=as_json)
            return 2
        expect = expect or plan.draft.hash
    with open_site(folder) as publisher:
        approval = publisher.digests.approve(digest, time=time, expect=expect)
    print_result(_as_dict(approval), approval_lines(publisher.site, approval), as_json=as_json, indent=None)
    return 0


def plan_lines(plan: ApprovalPlan) -> list[str]:
    """Return the lines that come before the question."""
    draft = plan.draft
    more = len(plan.articles) - _LISTED
    warnings = len(draft.findings) - draft.errors
    recipients = f"{count_phrase(plan.people, 'subscriber')} today" if plan.is_mailed else "the web, without mail"
    return [
        f"Draft of {draft.digest} No. {draft.number}, version {draft.hash}",
        f"  subject  {draft.subject}",
        f"  articles {plan.articles[0]}",
        *(f"           {title}" for title in plan.articles[1:_LISTED]),
        *([f"           and {more} more"] if more > 0 else []),
        *([f"  as of    {plan.as_of:%a %Y-%m-%d %H:%M}"] if plan.as_of is not None else []),
        f"  goes to  {recipients}",
        f"  sent     {plan.sent}",
        *([f"  warnings {warnings:,}: 'publish check {draft.digest}' shows them"] if warnings else []),
        *([f"  silenced {count_rules(draft.silenced)}"] if draft.silenced else []),
        *(f"  blocked  {reason}" for reason in plan.stops),
        *(f"  skipped  {reason}" for reason in plan.refused),
        *([f"  late     {plan.overdue}"] if plan.overdue else []),
        *([f"           To send it now: publish approve {draft.digest} --now"] if plan.overdue else []),
    ]


def approval_lines(site: Site, approval: Approval) -> list[str]:
    """Return what was approved, as lines of text."""
    row, opened = approval.row, approval.opened
    is_mailed = site.digests[row.digest].send is not SendPolicy.NONE
    lines = [f"Approved {row.path}, No. {row.number}: {row.subject}"]
    if opened is not None and not is_mailed:
        return [*lines, f"  It is published, without mail: {site.paths.outbox}/{row.path}/index.html"]
    if opened is not None:
        people = count_phrase(opened.subscribers, "subscriber")
        if approval.is_attended:
            lines.append(f"  It is sent now, to {people}.")
        else:
            lines.append(f"  It is ready for {people}, and nothing runs on this machine.")
            lines.append(f"  To send it: publish send {row.path}")
        return [*lines, f"  To stop it: publish pause {row.path}"]
    if approval.trouble:
        return [*lines, f"  It is not sent yet: {approval.trouble}"]
    if is_mailed and not site.can_send:
        lines.append("  It is sent once publisher.toml has a mail server ([smtp]).")
    else:
        when = minute_text(row.slot, site.tz)
        lines.append(f"  It is {'sent' if is_mailed else 'published, without mail,'} {when}.")
        if not approval.is_attended:
            lines.append("  Nothing runs then: start 'publish run', or call 'publish tick' from cron.")
    return [*lines, f"  To change it before: publish reopen {row.digest}"]


def _as_dict(approval: Approval) -> dict[str, Any]:
    row, opened = approval.row, approval.opened
    return {
        "digest": row.digest,
        "name": row.name,
        "number": row.number,
        "subject": row.subject,
        "slot": row.slot.isoformat(),
        "approved": row.approved,
        "opened": opened is not None,
        "subscribers": opened.subscribers if opened is not None else None,
        "trouble": approval.trouble,
    }
