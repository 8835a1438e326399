"""The ``publish`` command: each subcommand is a module, imported when it is called.

A command parses its arguments, calls one use case and prints the result. It makes no decisions of its own.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from publisher.errors import PublisherError
from publisher.version import __version__

#: Subcommand → its summary in ``publish --help``. The module of the same name implements it.
COMMANDS: Final = {
    "init": "Create a new site: settings, a first article, folders.",
    "now": "Read new and changed articles, regenerate feeds and drafts of issues, and stage them.",
    "run": "Run the schedule: feeds, issues, mail and bounces, each at its time.",
    "serve": "Serve feeds and pages over HTTP, and run the schedule.",
    "tick": "Run everything that is due once, for cron.",
    "next": "Show when issues and feeds are due next.",
    "note": "Set the editor's note, and choose and order the articles of a digest's next issue.",
    "preview": "Render a digest's next issue without changing anything.",
    "check": "Check feeds, drafts and issues against the rules of validators, feed readers and mail clients.",
    "outbox": "List drafts, issues and the state of their deliveries.",
    "approve": "Approve the draft of a digest's next issue.",
    "reopen": "Make an approved issue a draft again.",
    "discard": "Leave the articles of a draft out of a newsletter.",
    "send": "Send an issue to its subscribers.",
    "cancel": "Cancel the deliveries of an issue that were not made yet.",
    "pause": "Pause the delivery of an issue.",
    "resume": "Resume an issue that is paused, or that too many refusals have stopped.",
    "trace": "Show the delivery history of an issue for one subscriber.",
    "bounces": "Process bounces and complaints, and suppress dead addresses.",
    "subscribers": "Import, export, add, list, suppress and erase subscribers.",
    "dkim-key": "Create a DKIM key and print its DNS record.",
    "correct": "Publish a correction of an article.",
    "retract": "Withdraw an article from all feeds and pages.",
    "announce": "Notify WebSub and rssCloud hubs of changed feeds.",
    "hosting": "Print web server configuration for serving feeds/.",
    "stats": "Show statistics of feeds, issues and clicks.",
    "status": "Show what is stored, staged, skipped and running.",
}

#: Old name of a subcommand → its name. Old names still work, with a note on standard error.
DEPRECATED_COMMANDS: Final = {"who": "trace"}


class _LazyGroup(click.Group):
    """A command group that imports a subcommand only when it is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = DEPRECATED_COMMANDS.get(args[0])
        if name is None:
            return super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:
            click.echo(f"publish: 'publish {args[0]}' is deprecated. Use 'publish {name}'.", err=True)
        return super().resolve_command(ctx, [name, *args[1:]])

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
    """Turn article files into feeds and newsletter issues.

    A site is a folder with a publisher.toml. Put article files into its articles/ folder and run
    'publish now'. It stages feeds in feeds/ and drafts of newsletter issues in outbox/.

    \b
      publish init my-site     create a site
      cd my-site
      publish now              stage its feeds and the draft of its first issue

    Exit status: 0 success; 1 done, but some input was skipped; 2 usage or settings; 3 failed.
    """  # noqa: D301 - click needs the literal backspace


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        # Without standalone mode, click returns the status that the command returns.
        sys.exit(publish.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("publish: interrupted; run the command again to continue", err=True)
        sys.exit(130)
    except PublisherError as error:
        click.echo(f"publish: {error}", err=True)
        sys.exit(error.exit_status)
    except Exception as error:
        from publisher.failures import describe_failure

        # Python would end with status 1, which means that the work is done.
        failure = describe_failure(error)
        click.echo(f"{failure.traceback}publish: unexpected error: {failure.summary}", err=True)
        click.echo("This is a fault of publisher. Please report it with the lines above.", err=True)
        sys.exit(PublisherError.exit_status)
