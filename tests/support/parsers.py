"""Processes for parsers: forks in place of new interpreters, and one that the tests of a worker share."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from publisher.workers import timed_worker
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker
from tests.support.processes import Process

MODULE = "tests.support.parsers"

_shared: list[TimedWorker] = []


def shared_parser() -> TimedWorker | None:
    """Return the process; None lets a run start its own. Tests that replace parsers replace this function."""
    if not _shared:
        _shared.append(Workers(1).timed())
    return _shared[0]


def close_shared_parser() -> None:
    """End the process."""
    while _shared:
        _shared.pop().close()


class _ForkedParser(Process):
    """Takes what ``publisher.workers.timed_worker`` passes to ``subprocess.Popen``."""

    def __init__(self, command: Sequence[str], *, pass_fds: Sequence[int], env: Mapping[str, str], **_: Any) -> None:
        super().__init__(MODULE, env=env, descriptors=pass_fds)


def fork_parsers() -> None:
    """Start each process for parsers as a fork of the fork server: with its limits, without a new interpreter.

    The program itself must not fork: it may have an open database and threads, which the fork server never has.
    """
    real = timed_worker.subprocess
    timed_worker.subprocess = SimpleNamespace(  # type: ignore[attr-defined]
        Popen=_ForkedParser, DEVNULL=real.DEVNULL, TimeoutExpired=real.TimeoutExpired
    )


if __name__ == "__main__":
    timed_worker._serve(int(sys.argv[1]))
