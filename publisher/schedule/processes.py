"""Registry of active runners, one status file and one lock per process, and of the calls of 'publish tick'."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection

from publisher.errors import StoreError
from publisher.private_files import make_private_folder, private_opener
from publisher.storage import facts
from publisher.storage.process_lock import hold_lock, is_locked, try_hold_lock

#: Folder beside publisher.toml.
RUNNERS_FOLDER: Final = ".publish.runners"
#: The name of the fact with the times of the latest calls of 'publish tick' (Unix times), and how many are kept.
_TICKS: Final = "ticks"
_KEPT_TICKS: Final = 5
#: The longest interval between calls, and how much later than expected one may come, in seconds.
_MAX_TICK_INTERVAL: Final = 86_400
_TICK_TOLERANCE: Final = 120


def process_name() -> str:
    """Return the name of this process as the holder of claims: host name and process ID."""
    return f"{socket.gethostname()} {os.getpid()}"


class RunnerFile:
    """Status file of this runner, valid for as long as its process lives. A context manager."""

    def __init__(self, root: Path) -> None:
        self._folder = root / RUNNERS_FOLDER
        self._name = process_name().replace(" ", "-")
        self._lock = ExitStack()

    def __enter__(self) -> Self:
        """Lock the file, and delete the files of runners that ended without doing so.

        Raises:
            StoreError: the site's folder is not writable.
        """
        path = self._folder / f"{self._name}.lock"
        try:
            make_private_folder(self._folder)
            _delete_stale(self._folder)
        except OSError as error:
            raise StoreError(f"cannot open the lock {path}: {error.strerror}; the folder must be writable") from error
        self._lock.enter_context(hold_lock(path))
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            (self._folder / f"{self._name}.json").unlink()
        self._lock.close()

    def write(self, status: dict[str, Any]) -> None:
        """Replace the status. An error of the disk is ignored: the runner does not depend on it."""
        path = self._folder / f"{self._name}.json"
        draft = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            with open(draft, "w", encoding="utf-8", opener=private_opener) as file:
                json.dump(status, file, indent=1)
            draft.replace(path)


def _is_active(path: Path) -> bool:
    try:
        return is_locked(path)
    except OSError:
        return False


def _delete_stale(folder: Path) -> None:
    for path in folder.glob("*.lock"):
        if not _is_active(path):
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)


def list_runners(root: Path) -> list[dict[str, Any]]:
    """Return the status of each active runner on this machine, by name."""
    statuses = []
    for path in sorted((root / RUNNERS_FOLDER).glob("*.json")):
        if _is_active(path.with_suffix(".lock")):
            with contextlib.suppress(OSError, ValueError):
                statuses.append(json.loads(path.read_text("utf-8")))
    return statuses


def _tick_times(connection: Connection) -> list[int]:
    return [int(text) for text in (facts.get_fact(connection, _TICKS) or "").split()]


def record_tick(connection: Connection, now: datetime) -> None:
    """Store that 'publish tick' was called."""
    times = [*_tick_times(connection), int(now.timestamp())]
    facts.set_fact(connection, _TICKS, " ".join(map(str, times[-_KEPT_TICKS:])))


def is_attended(connection: Connection, root: Path, now: datetime) -> bool:
    """Return whether a runner is active on this machine, or 'publish tick' is called at intervals.

    A single call shows no interval: a person may have made it. The next one is expected within the longest of the latest
    intervals.
    """
    times = _tick_times(connection)
    interval = min(max((later - before for before, later in pairwise(times)), default=0), _MAX_TICK_INTERVAL)
    is_called = interval > 0 and now.timestamp() - times[-1] <= interval + _TICK_TOLERANCE
    return is_called or bool(list_runners(root))


@contextmanager
def try_process_lock(root: Path, name: str) -> Iterator[bool]:
    """Yield whether no other process on this machine is inside the same block.

    Raises:
        StoreError: the site's folder is not writable.
    """
    with try_hold_lock(root / RUNNERS_FOLDER / f"{name}.alone") as is_alone:
        yield is_alone
