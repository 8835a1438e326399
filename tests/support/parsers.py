"""One process for parsers that the tests of a worker share: a new one for each run takes most of a test's time."""

from __future__ import annotations

from publisher.parallel import Workers
from publisher.timed_worker import TimedWorker

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
