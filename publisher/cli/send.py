"""``publish send``: an issue goes out, and a person sees how."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import click

from publisher.actions.deliver import Sent, deliver
from publisher.actions.dispatch import Tally
from publisher.actions.oneoff import send_test
from publisher.cli.common import in_words, parse_at, site_option
from publisher.config import Site, read_site
from publisher.model import DeliveryState, UncertainPolicy

__all__ = ["command", "sent_lines"]

#: Seconds between two lines where there is no terminal.
_INTERVAL = 5.0


@click.command("send")
@click.argument("issue")
@site_option
@click.option("--test", "address", metavar="ADDRESS", help="Send one copy, marked as a test, to this address only.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Send no more than so many copies.")
@click.option(
    "--uncertain",
    type=click.Choice([one.value for one in UncertainPolicy if one is not UncertainPolicy.HOLD]),
    help="What becomes of copies of which nobody knows whether they were delivered: send again, or count as delivered.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    issue: str,
    folder: Path,
    address: str | None,
    limit: int | None,
    uncertain: str | None,
    as_json: bool,
) -> None:
    """Send ISSUE to its readers, each once.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest one. It has to
    have passed its preflight and, where its digest says send = "review", to be approved.
    Stopped or killed at any moment, the command goes on where it was when it is run again; it
    may run several times at once. What a server refuses for now is tried again by a later run.

    Exit status: 0 all copies have left; 1 some wait, failed or are uncertain; 2 usage or settings,
    or the issue may not be sent; 3 failed.
    """
    site = read_site(folder)
    if address is not None:
        outcome = send_test(site, issue, address, parse_at(None, site.tz))
        click.echo(f"{address}: {outcome.state.value}: {outcome.answer}")
        ctx.exit(0 if outcome.state is DeliveryState.ACCEPTED else 1)
    signal.signal(signal.SIGTERM, _stop)
    with SendProgress() as progress:
        sent = deliver(
            site, issue, limit=limit, uncertain=UncertainPolicy(uncertain) if uncertain else None, watch=progress
        )
    if as_json:
        click.echo(json.dumps(as_dict(sent), ensure_ascii=False, indent=2))
    else:
        for line in sent_lines(site, sent):
            click.echo(line)
    held = any(sent.states.get(one) for one in (DeliveryState.FAILED, DeliveryState.UNCERTAIN))
    ctx.exit(1 if sent.waiting or held else 0)


def _stop(*_: object) -> None:
    # Like Ctrl-C: the messages in hand are finished, and the rest waits for the next run.
    raise KeyboardInterrupt


def as_dict(sent: Sent) -> dict[str, Any]:
    """Return what was done, for a program."""
    tally = sent.tally
    return {
        "digest": sent.digest,
        "name": sent.name,
        "run": {
            "accepted": tally.accepted,
            "deferred": tally.deferred,
            "failed": tally.failed,
            "uncertain": tally.uncertain,
            "suppressed": tally.suppressed,
            "seconds": round(sent.seconds, 3),
        },
        "copies": {state.value: sent.states.get(state, 0) for state in DeliveryState},
        "uncertain": sent.uncertain,
        "trouble": sent.trouble,
        "resting": sent.resting,
        "next_due": sent.next_due.isoformat() if sent.next_due else None,
    }


def sent_lines(site: Site, sent: Sent) -> list[str]:
    """Return the lines that a person reads."""
    tally, name = sent.tally, f"{sent.digest}/{sent.name}"
    rate = f", {tally.done / sent.seconds:,.0f} a second" if sent.seconds >= 1 and tally.done > 1 else ""
    lines = [f"Sent {name}: {in_words(tally.accepted, 'copy')} accepted{rate}"]
    if not sent.states:
        lines = [
            f"Nobody gets {name}: nobody followed {sent.digest} when it was made, or everybody had all of it before."
        ]
    lines += [
        f"  {count:,} {word}"
        for count, word in (
            (tally.deferred, "refused for now, to be tried again"),
            (tally.failed, "refused for good"),
            (tally.suppressed, "not sent: unsubscribed, suppressed or paused"),
        )
        if count
    ]
    if sent.trouble:
        lines.append(f"  It ended before all was done: {sent.trouble}")
    if sent.resting:
        lines.append(f"  These domains ask for patience: {', '.join(sent.resting)}")
    if sent.waiting:
        comes = f", the next at {sent.next_due.astimezone(site.tz):%Y-%m-%d %H:%M}" if sent.next_due else ""
        lines.append(f"  {in_words(sent.waiting, 'copy')} still to be sent{comes}: run 'publish send {name}' again")
    if sent.uncertain:
        lines.append(
            f"  Nobody knows whether these {len(sent.uncertain):,} were delivered; --uncertain resend or skip decides:"
        )
        lines += [f"    {address}" for address in sent.uncertain]
    return lines


class SendProgress:
    """How far a run is, on standard error: a bar on a terminal, plain lines otherwise."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, terminal: bool | None = None) -> None:
        self._clock = clock
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._began = self._spoke = clock()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, tally: Tally, total: int) -> None:
        """Tell what was done of so many copies."""
        now = self._clock()
        if now - self._began < 1:
            return
        if self._terminal:
            self._draw(tally, total)
        elif now - self._spoke >= _INTERVAL:
            self._spoke = now
            click.echo(said(tally, total, now - self._began), err=True)

    def _draw(self, tally: Tally, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True, force_terminal=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        self._bar.update(
            self._task, completed=tally.done, description=said(tally, total, self._clock() - self._began, left=False)
        )


def said(tally: Tally, total: int, seconds: float, *, left: bool = True) -> str:
    """Return ``1,200 of 50,000, 4,100 a second: 1,190 accepted, 8 deferred, 2 failed; 12 s left``."""
    rate = tally.done / seconds if seconds else 0.0
    parts = [f"{tally.accepted:,} accepted", f"{tally.deferred:,} deferred", f"{tally.failed:,} failed"]
    if tally.uncertain:
        parts.append(f"{tally.uncertain:,} uncertain")
    eta = f"; {(total - tally.done) / rate:,.0f} s left" if left and rate and total > tally.done else ""
    return f"{tally.done:,} of {total:,}, {rate:,.0f} a second: {', '.join(parts)}{eta}"
