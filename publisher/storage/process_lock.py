"""File locks that the operating system releases when their process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from publisher.errors import StoreBusy, StoreError
from publisher.private_files import FILE_MODE, make_private_folder

#: Beside publisher.toml; the run that holds it writes its process ID into it.
LOCK_FILE: Final = ".publish.lock"


def open_lock(path: Path, *, make_folder: bool = False) -> int:
    """Open a lock file, create it if it is missing, and return its descriptor.

    MAKE_FOLDER creates its folder too, for its owner only.

    Raises:
        StoreError: the file cannot be opened.
    """
    try:
        if make_folder:
            make_private_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise StoreError(
            f"cannot open the lock {path}: {error.strerror}; the site's folder must be writable"
        ) from error


def try_lock(handle: int) -> bool:
    """Lock an open file, and return False if another process or descriptor has locked it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock of this process alone, and delete its file at the end.

    Raises:
        StoreError: the file cannot be opened.
    """
    handle = open_lock(path, make_folder=True)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        # Deleted before it is released: a process that opens the file now creates a new one.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


@contextmanager
def try_hold_lock(path: Path) -> Iterator[bool]:
    """Yield whether the lock is held by this block; its file stays.

    Raises:
        StoreError: the file cannot be opened.
    """
    handle = open_lock(path, make_folder=True)
    try:
        yield try_lock(handle)
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock; False if there is no such file.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(handle)
    finally:
        os.close(handle)


# -- the lock of a publishing run ----------------------------------------------------------------------


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
