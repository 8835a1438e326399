"""``publish approve``: approve an issue for sending."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from publisher.cli.common import count_phrase, parse_at, report_wait, site_option
from publisher.delivery.approval import ApprovalPlan, ApprovalResult, approve, plan_approval
from publisher.settings import Site, read_site

__all__ = ["command"]


@click.command("approve")
@click.argument("issue")
@site_option
@click.option("--yes", "-y", "is_confirmed", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option("--revoke", is_flag=True, help="Take an approval back. Nothing is asked.")
@click.option("--json", "as_json", is_flag=True, help="Print what was approved as JSON.")
@click.pass_context
def command(ctx: click.Context, issue: str, folder: Path, is_confirmed: bool, revoke: bool, as_json: bool) -> None:
    """Approve ISSUE for sending, as it is now.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue. Shows how many
    people get it, its subject and when it is sent, and asks. Any later change of its bytes, its headers
    or its audience makes the approval void.

    Exit status: 0 success; 2 usage or settings, no such issue, it may not be sent, or the answer was
    no; 3 failed.
    """
    site = read_site(folder)
    if revoke:
        _revoke(site, issue, as_json)
        return
    if not is_confirmed and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: add --yes to approve without one")
    now = parse_at(None, site.tz)
    plan = plan_approval(site, issue, now)
    name = f"{plan.digest}/{plan.name}"
    if not is_confirmed:
        for line in plan_lines(plan):
            click.echo(line, err=as_json)
        if not click.confirm("Approve it?", err=as_json):
            click.echo("Nothing was changed.", err=as_json)
            ctx.exit(2)
    approval = approve(site, name, now, expect=plan.hash, on_wait=report_wait)
    if as_json:
        click.echo(json.dumps(_as_dict(approval), ensure_ascii=False))
        return
    click.echo(f"Approved {name}, No. {approval.number}: {approval.subject}")
    click.echo(f"  for {count_phrase(approval.subscribers, 'subscriber')}, content {plan.hash[:16]}")
    click.echo(f"  It is sent {plan.describe_send_time()}.")
    if plan.recipients:
        click.echo(f"  To stop it: publish pause {name}")


def plan_lines(plan: ApprovalPlan) -> list[str]:
    """Return the lines that come before the question."""
    return [
        f"{plan.digest}/{plan.name}, No. {plan.number}",
        f"  subject  {plan.subject}",
        f"  goes to  {count_phrase(plan.recipients, 'subscriber')}",
        f"  sent     {plan.describe_send_time()}",
    ]


def _revoke(site: Site, issue: str, as_json: bool) -> None:
    approval = approve(site, issue, parse_at(None, site.tz), revoke=True, on_wait=report_wait)
    if as_json:
        click.echo(json.dumps(_as_dict(approval), ensure_ascii=False))
    else:
        click.echo(f"{approval.digest}/{approval.name} is no longer approved.")


def _as_dict(approval: ApprovalResult) -> dict[str, object]:
    return {
        "digest": approval.digest,
        "name": approval.name,
        "number": approval.number,
        "subject": approval.subject,
        "subscribers": approval.subscribers,
        "approved": approval.hash,
    }
