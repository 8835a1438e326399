"""Create files and folders that only their owner can read."""

from __future__ import annotations

import os
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def private_opener(path: str, flags: int) -> int:
    """Open a file for ``open(..., opener=...)``; a new file has mode 0600."""
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


def make_private_folder(path: Path) -> None:
    """Create a folder and its parents with mode 0700. Existing folders are not changed.

    Raises:
        OSError: the folder cannot be created.
    """
    if not path.parent.exists():
        make_private_folder(path.parent)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def is_private_folder(path: Path) -> bool:
    """Return whether only its owner can enter a folder; True if it does not exist."""
    try:
        return path.stat().st_mode & 0o077 == 0
    except FileNotFoundError:
        return True
