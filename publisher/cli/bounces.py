"""``publish bounces``: what came back is read, and who cannot be reached is struck off."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from publisher.actions.bounces import Processed, process_mailbox, process_messages
from publisher.cli.common import ProgressLine, in_words, parse_at, site_option
from publisher.config import read_site

__all__ = ["command"]

_SHOWN = 20


@click.command("bounces")
@click.argument("mailbox", required=False, type=click.Path(path_type=Path, allow_dash=True))
@site_option
@click.option("--keep", is_flag=True, help="Leave everything in the mailbox.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(mailbox: Path | None, folder: Path, keep: bool, as_json: bool) -> None:
    """Read reports of mail that was not delivered, complaints and leave-takings.

    MAILBOX is a Maildir or an mbox on this machine, or - for one message on standard input, as a
    mail server pipes it; without it, the mailbox of [bounces] in publisher.toml. Each report is
    written down before it is taken out of the mailbox; what is no report stays there.

    Exit status: 0 all well; 2 usage or settings, no such mailbox; 3 failed.
    """
    site = read_site(folder)
    now = parse_at(None, site.tz)
    if mailbox is not None and str(mailbox) == "-":
        found = process_messages(site, [sys.stdin.buffer.read()], now)
    else:
        with ProgressLine() as progress:
            found = process_mailbox(site, now, path=mailbox, keep=keep, progress=progress)
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
        return
    for line in lines(found):
        click.echo(line)


def lines(found: Processed) -> list[str]:
    """Return the lines that a person reads."""
    shown = [f"{in_words(found.messages, 'message')} read"]
    shown += [
        f"  {count:,} {what}"
        for count, what in (
            (found.hard, "from addresses that there are not"),
            (found.soft, "not delivered this time"),
            (found.complaints, "called spam"),
            (found.unsubscribed, "left by mail"),
            (found.known, "read before"),
            (found.left, "no report of ours: left in the mailbox"),
        )
        if count
    ]
    if found.suppressed:
        shown.append(f"  Written to no more: {', '.join(found.suppressed[:_SHOWN])}")
        if len(found.suppressed) > _SHOWN:
            shown.append(f"  … and {len(found.suppressed) - _SHOWN:,} more; --json lists them all")
    return shown
