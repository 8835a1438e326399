"""List the articles folder, with a signature of each file that changes when the file changes.

A folder of 100,000 files is listed on every run, so only names and ``stat`` results are read. Files are grouped in
buckets; a bucket with an unchanged fingerprint is skipped.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from publisher.errors import SettingsError

#: Number of groups of files, by a hash of their name.
BUCKETS: Final = 256
#: A file that changed less than this before the scan may change again without a new time stamp, because the
#: clock of the file system has not ticked. It is parsed again in the next run.
_TICK_NANOSECONDS = 100_000_000
#: The same for file systems that store whole seconds, or every other second.
_COARSE_TICK_NANOSECONDS = 2_000_000_000


class FolderListing:
    """The files of the articles folder by bucket, with a signature of each file."""

    def __init__(self, lines: list[list[str]], recent: set[str], unlisted: Sequence[str] = ()) -> None:
        self._lines = lines
        #: Folders that cannot be listed, with a slash at the end. Their files count as present.
        self._unlisted = tuple(unlisted)
        #: Files that changed so recently that a further change may not show in their signature.
        self._recent = recent
        self._recent_buckets = {bucket_of(name) for name in recent}

    def fingerprint(self, bucket: int) -> str:
        """Return a hash that changes when a file of the bucket is added, removed or changed.

        It is empty while a file may change without a new signature. An empty fingerprint never counts as unchanged.
        """
        if bucket in self._recent_buckets:
            return ""
        text = "\n".join(sorted(self._lines[bucket]))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def files(self, bucket: int) -> dict[str, str]:
        """Return the signatures of the bucket's files by name; empty for recently changed files.

        Names are relative to the folder, with ``/`` on every system.
        """
        signatures = {}
        for line in self._lines[bucket]:
            name, _, signature = line.rpartition("\0")
            signatures[name] = "" if name in self._recent else signature
        return signatures

    def __contains__(self, name: str) -> bool:
        start = name + "\0"
        return name.startswith(self._unlisted) or any(line.startswith(start) for line in self._lines[bucket_of(name)])

    def __len__(self) -> int:
        return sum(map(len, self._lines))


def bucket_of(name: str) -> int:
    """Return the bucket number of a file name."""
    return zlib.crc32(name.encode()) % BUCKETS


def scan_folder(root: Path, now_ns: int) -> FolderListing:
    """Return the files below ROOT, without hidden files and backup files of editors.

    A folder that cannot be listed is in the listing under its name with a slash at the end, so that the parser
    rejects it by name.

    Raises:
        SettingsError: the folder does not exist or cannot be listed.
    """
    lines: list[list[str]] = [[] for _ in range(BUCKETS)]
    recent: set[str] = set()
    unlisted: list[str] = []
    tick_start, coarse_tick_start = now_ns - _TICK_NANOSECONDS, now_ns - _COARSE_TICK_NANOSECONDS
    try:
        for name, info in _walk(str(root), ""):
            # ctime changes with every write, rename and chmod, even if an editor restores mtime.
            changed = info.st_ctime_ns
            lines[bucket_of(name)].append(f"{name}\0{info.st_size}:{info.st_mtime_ns}:{changed}")
            if changed >= tick_start or (changed >= coarse_tick_start and changed % 1_000_000_000 == 0):
                recent.add(name)
            if name.endswith("/"):
                unlisted.append(name)
    except FileNotFoundError:
        raise SettingsError(f"no folder {root}. Create it, or set paths.articles to the folder of articles") from None
    except OSError as error:
        raise SettingsError(f"cannot list {error.filename or root}: {error.strerror}") from error
    return FolderListing(lines, recent, unlisted)


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (name, status) of each file and of each folder that cannot be listed.

    Raises:
        OSError: the first folder cannot be listed.
    """
    # A stack, not recursion: folders may be nested deeper than the recursion limit or the limit of descriptors.
    stack: list[tuple[str, str, os.stat_result | None]] = [(folder, prefix, None)]
    while stack:
        path, prefix, info = stack.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    name = entry.name
                    if name[0] == "." or name[-1] == "~":
                        continue
                    status = _status(entry)
                    if status is None:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        stack.append((entry.path, f"{prefix}{name}/", status))
                    else:
                        yield _printable(prefix + name), status
        except (FileNotFoundError, NotADirectoryError):
            # The folder was removed after its parent was listed.
            if info is None:
                raise
        except OSError:
            if info is None:
                raise
            yield _printable(prefix), info


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of an entry, or None if it was removed in the meantime.

    A link that cannot be followed (broken, a loop, no permission) has its own status, and the parser rejects it.
    """
    try:
        return entry.stat(follow_symlinks=not entry.is_dir(follow_symlinks=False))
    except OSError:
        try:
            return entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None


def _printable(name: str) -> str:
    r"""Return a name as valid Unicode; bytes that are not UTF-8 become ``\xNN``."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
