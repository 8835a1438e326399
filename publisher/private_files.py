"""Create files and folders that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["FILE_MODE", "FOLDER_MODE", "create_private", "is_private_folder", "make_private_folder", "private_opener"]

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def private_opener(path: str, flags: int) -> int:
    """Open a file for ``open(..., opener=private_opener)``; a new one is its owner's only, under any umask."""
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


def create_private(path: Path) -> None:
    """Create an empty file that only its owner may read; a file that exists stays as it is.

    Raises:
        OSError: it cannot be created.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except FileExistsError:
        return


def make_private_folder(path: Path) -> None:
    """Create a folder, and those above it, that only their owner may enter; a folder that exists stays as it is.

    Raises:
        OSError: it cannot be created.
    """
    if not path.parent.exists():
        make_private_folder(path.parent)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def is_private_folder(path: Path) -> bool:
    """Tell whether nobody but its owner may enter a folder; True also where there is none."""
    try:
        return path.stat().st_mode & 0o077 == 0
    except FileNotFoundError:
        return True
