"""Locks that end with their process: `publisher.storage.process_lock`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from publisher.errors import StoreError
from publisher.storage.process_lock import hold_lock, is_locked, open_lock, try_hold_lock

_HOLDER = """
import sys
from pathlib import Path
from publisher.storage.process_lock import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_lock_is_private_and_its_file_is_deleted(tmp_path: Path) -> None:
    """Nobody but the owner can open the file, and no file is left behind."""
    path = tmp_path / "locks" / "1.lock"
    assert not is_locked(path)
    with hold_lock(path):
        assert is_locked(path)
        assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0
    assert not path.exists() and not is_locked(path)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """The file stays, and does not count as locked."""
    path = tmp_path / "1.lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert is_locked(path)
        holder.kill()
        holder.wait()
        assert path.exists() and not is_locked(path)


def test_one_of_two_blocks_gets_the_lock(tmp_path: Path) -> None:
    """The second block is told so and runs; a later block gets the lock."""
    path = tmp_path / "mail.alone"
    with try_hold_lock(path) as first, try_hold_lock(path) as second:
        assert (first, second) == (True, False)
    with try_hold_lock(path) as third:
        assert third


def test_a_lock_that_cannot_be_opened_names_the_fix(tmp_path: Path) -> None:
    """The message names the file and tells that the folder must be writable."""
    with pytest.raises(StoreError, match=r"missing/1\.lock.*must be writable"):
        open_lock(tmp_path / "missing" / "1.lock")
