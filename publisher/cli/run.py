"""``publish run``: run the schedule until stopped."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from publisher.cli.common import log_option, raise_descriptor_limit, site_option
from publisher.settings import read_site


@click.command("run")
@site_option
@log_option
def command(folder: Path, form: str) -> None:
    """Run the schedule: feeds, issues, mail and bounces, each at its time.

    Makes issues at their cadence, updates feeds at once when a file in articles/ changes, sends
    issues that need no approval or have it, retries deferred deliveries, notifies hubs and
    processes the bounce mailbox. Several runners may share one database: no slot runs twice. Logs
    one line per event to standard output.

    SIGTERM or Ctrl-C finishes the open messages and stops. SIGHUP reloads the settings; a change
    of publisher.toml does so too.

    Exit status: 0 stopped; 2 usage or settings; 3 failed.
    """
    from publisher.runner import Runner, make_log

    site = read_site(folder)
    raise_descriptor_limit()
    runner = Runner(site, make_log(sys.stdout, as_json=form == "json"))

    def stop(*_: object) -> None:
        runner.stop()
        # A second signal ends the process at once.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, lambda *_: runner.reload())
    if not runner.run():
        # Python would wait for the threads of the unfinished jobs.
        sys.stdout.flush()
        os._exit(0)
