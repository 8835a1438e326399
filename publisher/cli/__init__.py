"""``publish``: one command a file, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from publisher import __version__
from publisher.errors import PublisherError

__all__ = ["COMMANDS", "main", "publish"]

#: Command → what ``publish --help`` says of it. The module of the same name holds it.
COMMANDS: Final = {
    "init": "Make a new site: settings, a first article, folders.",
    "now": "Read new articles, regenerate feeds and issues, stage them.",
    "run": "Keep everything going: feeds, issues, mail, each at its time.",
    "serve": "Hand out feeds on the web, and do what 'publish run' does.",
    "tick": "Do once what 'publish run' does all the time.",
    "next": "Show when issues and feeds are due next.",
    "note": "Set the editor's note and the lead of a digest's next issue.",
    "preview": "Write what a digest's next issue looks like, and change nothing.",
    "check": "Check feeds and issues against the rules of validators, mail and reader programs.",
    "outbox": "Show every issue, and where its copies are.",
    "approve": "Let an issue be sent, as it is now.",
    "send": "Send an issue to its readers, each once.",
    "pause": "Stop an issue that is being sent, or is to be.",
    "resume": "Let a paused issue go on.",
    "who": "Tell the whole story of one reader's copy of an issue.",
    "bounces": "Read what came back, and strike off who cannot be reached.",
    "subscribers": "Import, export, add, list, suppress and forget readers.",
    "dkim-key": "Make a key that signs mail, and print its DNS record.",
    "correct": "Show a correction in an article, and bring it back into its feeds.",
    "retract": "Withdraw an article from every feed and page, and say why.",
    "announce": "Tell hubs of feeds that have changed.",
    "hosting": "Print settings for a web server that serves feeds/.",
    "stats": "Show who reads: feeds, issues, clicks.",
    "status": "Show what is in the store and what is staged.",
}


class _LazyGroup(click.Group):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"publisher.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="publish")
def publish() -> None:
    """Turn article records into feeds and newsletter issues.

    A site is a folder with a publisher.toml. Drop article records into its articles/, run
    'publish now', and find feeds in feeds/ and newsletter issues in outbox/.

    \b
      publish init my-site     make a site
      cd my-site
      publish now              stage its feeds and its first issue

    Exit status: 0 all well; 1 done, but something was set aside by name; 2 usage or settings;
    3 failed.
    """  # noqa: D301 - click wants the backspace itself


def main() -> None:
    """Run the command line; end with its exit status."""
    try:
        # Without standalone mode click returns what a command passed to ctx.exit().
        sys.exit(publish.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("publish: stopped; run it again to go on", err=True)
        sys.exit(130)
    except PublisherError as error:
        click.echo(f"publish: {error}", err=True)
        sys.exit(error.exit_status)
