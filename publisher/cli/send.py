"""``publish send``: send an issue and show the progress."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from publisher import DeliveryCounts, SendResult
from publisher.cli.common import open_site, print_result, site_option
from publisher.cli.progress import LINE_SECONDS, ProgressDisplay
from publisher.html.text import count_phrase
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.settings import Site


@click.command("send")
@click.argument("issue")
@site_option
@click.option("--test", "address", metavar="ADDRESS", help="Send the draft, marked [Test], to this address only.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Make at most this many deliveries.")
@click.option(
    "--uncertain",
    type=click.Choice([policy.value for policy in UncertainPolicy if policy is not UncertainPolicy.HOLD]),
    help="Send uncertain deliveries again, or count them as delivered.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(
    issue: str,
    folder: Path,
    address: str | None,
    limit: int | None,
    uncertain: str | None,
    as_json: bool,
) -> int:
    """Send ISSUE to its subscribers, once each.

    ISSUE is DIGEST/NAME as 'publish outbox' shows it, or DIGEST for its newest issue that is not sent
    completely. The issue must be approved, its slot must have come, and nothing may hold it. If the
    command is stopped or killed, run it again: it continues where it was. It may run several times at
    once. A later run retries deferred deliveries.

    With --test, ISSUE is DIGEST: its draft is sent to one address, after new articles were read.

    Exit status: 0 all deliveries were made; 1 some wait, failed or are uncertain; 2 usage or
    settings, or the issue is blocked; 3 failed.
    """
    if address is not None:
        with open_site(folder) as publisher:
            outcome = publisher.issues.send_test(issue, address)
        click.echo(f"{address}: {outcome.state.value}: {outcome.answer}")
        return 0 if outcome.state is DeliveryState.ACCEPTED else 1
    signal.signal(signal.SIGTERM, _stop)
    with open_site(folder) as publisher, SendProgress() as progress:
        policy = UncertainPolicy(uncertain) if uncertain else None
        sent = publisher.issues.send(issue, limit=limit, uncertain=policy, on_progress=progress)
        site = publisher.site
    print_result(sent, sent_lines(site, sent), as_json=as_json)
    held = any(sent.states.get(state) for state in (DeliveryState.FAILED, DeliveryState.UNCERTAIN))
    return 1 if sent.waiting or held else 0


def _stop(*_: object) -> None:
    # Like Ctrl-C: finish the open messages; the next run sends the others.
    raise KeyboardInterrupt


def sent_lines(site: Site, sent: SendResult) -> list[str]:
    """Return the result as lines of text."""
    counts, name = sent.counts, f"{sent.digest}/{sent.name}"
    rate = f", {counts.done / sent.seconds:,.0f} a second" if sent.seconds >= 1 and counts.done > 1 else ""
    lines = [f"Sent {name}: {count_phrase(counts.accepted, 'message')} accepted{rate}"]
    if not sent.states:
        reason = f"{sent.digest} had no subscribers when the issue was sent, or they already had all of its articles"
        lines = [f"{name} has no recipients: {reason}."]
    elif not counts.done and not sent.waiting and not sent.stop_reason:
        lines = [f"{name} has no deliveries left to make."]
    lines += [
        f"  {count:,} {word}"
        for count, word in (
            (counts.deferred, "deferred: refused for now, retried later"),
            (counts.failed, "failed: refused for good"),
            (counts.suppressed, "not sent: unsubscribed, suppressed or paused"),
        )
        if count
    ]
    if sent.stop_reason:
        lines.append(f"  Stopped early: {sent.stop_reason}")
    if sent.paused_domains:
        lines.append(f"  Paused domains: {', '.join(sent.paused_domains)}")
    if sent.waiting:
        comes = f", the next at {sent.next_due.astimezone(site.tz):%Y-%m-%d %H:%M}" if sent.next_due else ""
        lines.append(f"  {count_phrase(sent.waiting, 'delivery')} waiting{comes}: run 'publish send {name}' again")
    if sent.uncertain:
        lines.append(
            f"  {count_phrase(len(sent.uncertain), 'delivery')} uncertain; use --uncertain resend or --uncertain skip:"
        )
        lines += [f"    {address}" for address in sent.uncertain]
    return lines


class SendProgress(ProgressDisplay):
    """Progress of a run."""

    #: The counts of the last line.
    _counts: tuple[int, ...] = ()

    def __call__(self, counts: DeliveryCounts, total: int) -> None:
        """Show how many of ``total`` deliveries are made."""
        now = self._clock()
        if now - self._started < 1:
            return
        if self._terminal:
            self.draw("", counts.done, total, progress_text(counts, total, now - self._started))
        elif now - self._printed_at >= LINE_SECONDS:
            self._printed_at = now
            shown = (counts.accepted, counts.deferred, counts.failed, counts.uncertain, total)
            if shown != self._counts:
                self._counts = shown
                click.echo(progress_text(counts, total, now - self._started), err=True)


def progress_text(counts: DeliveryCounts, total: int, seconds: float) -> str:
    """Return ``1,200 of 50,000, 4,100 a second: 1,190 accepted, 8 deferred, 2 failed; 12 s left``."""
    rate = counts.done / seconds if seconds else 0.0
    parts = [f"{counts.accepted:,} accepted", f"{counts.deferred:,} deferred", f"{counts.failed:,} failed"]
    if counts.uncertain:
        parts.append(f"{counts.uncertain:,} uncertain")
    eta = f"; {(total - counts.done) / rate:,.0f} s left" if rate and total > counts.done else ""
    return f"{counts.done:,} of {total:,}, {rate:,.0f} a second: {', '.join(parts)}{eta}"
