"""Runners that live: each has a file that says how it is, and a lock that goes with its process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from publisher.errors import StoreError
from publisher.private_files import FILE_MODE, make_private_folder, private_opener

__all__ = ["FOLDER", "RunnerFile", "living_runners", "try_process_lock"]

#: Beside publisher.toml.
FOLDER: Final = ".publish.runners"


class RunnerFile:
    """What one runner says of itself, for as long as it lives. Use it in a ``with``."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._lock = -1

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            StoreError: the site's folder cannot be written to.
        """
        path = self._folder / f"{self._name}.lock"
        try:
            make_private_folder(self._folder)
            _clear(self._folder)
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise StoreError(f"cannot open the lock {path}: {error.strerror}; the folder must be writable") from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        for suffix in ("json", "lock"):
            with contextlib.suppress(OSError):
                (self._folder / f"{self._name}.{suffix}").unlink()
        os.close(self._lock)

    def write(self, said: dict[str, Any]) -> None:
        """Say how the runner is. A disk that is full keeps it from nothing else."""
        path = self._folder / f"{self._name}.json"
        draft = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            with open(draft, "w", encoding="utf-8", opener=private_opener) as file:
                json.dump(said, file, indent=1)
            draft.replace(path)


def _is_held(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _clear(folder: Path) -> None:
    """Take away what runners left that were killed."""
    for path in folder.glob("*.lock"):
        if not _is_held(path):
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)


def living_runners(root: Path) -> list[dict[str, Any]]:
    """Return what runners on this machine say of themselves, by name."""
    found = []
    for path in sorted((root / FOLDER).glob("*.json")):
        if _is_held(path.with_suffix(".lock")):
            with contextlib.suppress(OSError, ValueError):
                found.append(json.loads(path.read_text("utf-8")))
    return found


@contextmanager
def try_process_lock(root: Path, name: str) -> Iterator[bool]:
    """Yield whether nobody else on this machine is inside the same block."""
    make_private_folder(root / FOLDER)
    handle = os.open(root / FOLDER / f"{name}.alone", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
