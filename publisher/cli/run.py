"""``publish run``: the process that stays."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from publisher.cli.common import raise_descriptor_limit, site_option
from publisher.config import read_site

__all__ = ["command"]


@click.command("run")
@site_option
@click.option(
    "--log",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Log lines of key=value, or of JSON.",
)
def command(folder: Path, form: str) -> None:
    """Keep everything going, until it is stopped.

    Makes issues when their cadence says so, stages feeds on theirs and at once when something
    changes in articles/, sends what may leave, tries again what was refused for now, tells hubs,
    reads the mailbox of what came back. Several may run on one store: no slot is run twice. Logs
    to standard output, a line an event.

    SIGTERM or Ctrl-C: messages in hand are finished, then it ends. SIGHUP: settings are read
    again; that happens by itself too when publisher.toml changes.

    Exit status: 0 it was stopped; 2 usage or settings; 3 failed.
    """
    from publisher.schedule import Runner, make_log

    site = read_site(folder)
    raise_descriptor_limit()
    runner = Runner(site, make_log(sys.stdout, as_json=form == "json"))

    def stop(*_: object) -> None:
        runner.stop()
        # Who asks twice does not want to wait.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, lambda *_: runner.reload())
    runner.run()
