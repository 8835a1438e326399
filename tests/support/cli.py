"""The command line in this process, for tests that need neither a process nor a terminal of their own."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import click
from click.testing import CliRunner

from publisher.cli import publish
from publisher.errors import PublisherError

#: Modules of commands that ask on a terminal.
_ASKING = ("approve", "cancel")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit status and the output of a command."""

    status: int
    stdout: str
    stderr: str


def run_command(folder: Path, *arguments: str, answer: str | None = None) -> CommandResult:
    """Run a command in the site of FOLDER, as ``publisher.cli.main`` does.

    With ANSWER, there is a terminal on which it is typed.
    """
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: answer is not None))
    with ExitStack() as stack:
        for name in _ASKING:
            stack.enter_context(patch.object(importlib.import_module(f"publisher.cli.{name}"), "sys", terminal))
        result = CliRunner().invoke(
            publish, [*arguments, "--site", str(folder)], input=answer and answer + "\n", standalone_mode=False
        )
    error = result.exception
    if isinstance(error, click.ClickException):
        return CommandResult(error.exit_code, result.stdout, result.stderr + error.format_message())
    if isinstance(error, PublisherError):
        return CommandResult(error.exit_status, result.stdout, f"{result.stderr}publish: {error}")
    if error is not None and not isinstance(error, SystemExit):
        raise error
    status = result.return_value if isinstance(result.return_value, int) else result.exit_code
    return CommandResult(status, result.stdout, result.stderr)
