"""The lock file of a publishing run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from publisher.errors import StoreBusy
from publisher.storage.process_lock import open_lock, try_lock

#: Beside publisher.toml; the run that holds it writes its process ID into it.
LOCK_FILE: Final = ".publish.lock"


@contextmanager
def file_lock(path: Path, deadline: float, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file of a publishing run; the operating system releases it if the process is killed."""
    handle = open_lock(path)

    def holder() -> str:
        number = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        return f"process {number}" if number else "another process"

    try:
        wait_for(lambda: try_lock(handle), deadline, lambda: on_wait(holder()), "another process")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def wait_for(try_take: Callable[[], bool], deadline: float, on_wait: Callable[[], None], holder: str) -> None:
    """Call TRY_TAKE until it succeeds.

    Args:
        deadline: the monotonic time at which to give up.
        on_wait: called once, if the lock has to be waited for.
        holder: a name for the other process, for the error.

    Raises:
        StoreBusy: the other process did not finish in time.
    """
    has_reported = False
    while not try_take():
        if not has_reported:
            on_wait()
            has_reported = True
        if time.monotonic() >= deadline:
            raise StoreBusy(f"{holder} is publishing this site and did not finish in time; try again later")
        time.sleep(0.05)
