"""``publish bounces``: process bounces and complaints, and suppress dead addresses."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from publisher import BounceResult
from publisher.cli.common import open_site, print_result, site_option
from publisher.html.text import count_phrase
from publisher.mail.mailboxes import UNREADABLE_FOLDER
from publisher.mail.mime import MAX_MESSAGE_BYTES

_SHOWN = 20


@click.command("bounces")
@click.argument("mailbox", required=False, type=click.Path(path_type=Path, allow_dash=True))
@site_option
@click.option("--keep", is_flag=True, help="Leave everything in the mailbox.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(mailbox: Path | None, folder: Path, keep: bool, as_json: bool) -> int:
    """Process bounces and complaints, and suppress dead addresses.

    MAILBOX is a Maildir or an mbox on this machine, or - for one message on standard input, as a
    mail server pipes it; without it, the mailbox of [bounces] in publisher.toml is read. Each report
    is recorded before it is deleted from the mailbox. Other messages stay there; messages that
    cannot be read are named once and kept aside.

    Exit status: 0 success; 1 some messages were skipped; 2 usage or settings, no such mailbox; 3 failed.
    """
    is_stdin = mailbox is not None and str(mailbox) == "-"
    with open_site(folder) as publisher:
        if is_stdin:
            result = publisher.issues.process_messages([sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)])
        else:
            result = publisher.issues.process_mailbox(path=mailbox, keep=keep)
    print_result(result, lines(result, is_stdin=is_stdin), as_json=as_json)
    return 1 if result.skipped else 0


def lines(result: BounceResult, *, is_stdin: bool = False) -> list[str]:
    """Return the result as lines of text."""
    shown = [f"{count_phrase(result.messages, 'message')} read"]
    shown += [
        f"  {count:,} {text}"
        for count, text in (
            (result.hard, "hard: the address does not exist"),
            (result.soft, "soft: not delivered this time"),
            (result.complaints, "complaints: unsubscribed from everything"),
            (result.unsubscribed, "unsubscribed by mail"),
            (result.unverified, "not counted: not sent to a delivery's return path within 10 days of it"),
            (result.known, "recorded before"),
            (result.left, f"not a report about this site's mail: {'ignored' if is_stdin else 'left in the mailbox'}"),
        )
        if count
    ]
    if result.suppressed:
        shown.append(f"  Suppressed: {', '.join(result.suppressed[:_SHOWN])}")
        if len(result.suppressed) > _SHOWN:
            shown.append(f"  … and {len(result.suppressed) - _SHOWN:,} more; --json lists them all")
    if result.skipped:
        shown.append(f"Skipped {count_phrase(result.skipped, 'message')}:")
        shown += [f"  {problem}" for problem in result.problems]
        if result.skipped > len(result.problems):
            shown.append(f"  … and {result.skipped - len(result.problems):,} more")
    if result.unreadable:
        where = f"in the folder {UNREADABLE_FOLDER}" if is_stdin else "kept aside in the mailbox, marked as unreadable"
        shown.append(f"  Unreadable messages are {where}.")
    return shown
