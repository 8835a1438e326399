"""List the articles folder, with a signature of each file that changes when the file does.

A folder of 100,000 files is listed on every run, so this must be cheap: names and ``stat`` only, in buckets
whose fingerprints show at once where nothing has changed.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from publisher.errors import SettingsError

__all__ = ["BUCKETS", "FolderListing", "bucket_of", "scan_folder"]

#: So many groups of files, by a hash of their name.
BUCKETS: Final = 256
#: A file changed less than this long before the scan (nanoseconds) may change again within the
#: same tick of the file system's clock, unseen: it is read again next time.
_TICK = 100_000_000
#: … and some file systems count whole seconds, or every other one.
_COARSE_TICK = 2_000_000_000


class FolderListing:
    """The files of the articles folder: for each bucket, one line per file with its name and signature."""

    def __init__(self, lines: list[list[str]], restless: set[str], unlisted: Sequence[str] = ()) -> None:
        self._lines = lines
        #: Folders that cannot be listed, with a slash at the end. Their files count as present.
        self._unlisted = tuple(unlisted)
        #: Files that may have changed unseen since they were looked at.
        self._restless = restless
        self._restless_buckets = {bucket_of(name) for name in restless}

    def fingerprint(self, bucket: int) -> str:
        """A hash that differs whenever a file of the bucket comes, goes or changes.

        Empty while a file may still change unseen: no two such are equal.
        """
        if bucket in self._restless_buckets:
            return ""
        text = "\n".join(sorted(self._lines[bucket]))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def files(self, bucket: int) -> dict[str, str]:
        """Return name → signature of the bucket's files; an empty one where a file may change unseen.

        Names are relative to the folder, with ``/`` on every system.
        """
        found = {}
        for line in self._lines[bucket]:
            name, _, signature = line.rpartition("\0")
            found[name] = "" if name in self._restless else signature
        return found

    def __contains__(self, name: str) -> bool:
        start = name + "\0"
        return name.startswith(self._unlisted) or any(line.startswith(start) for line in self._lines[bucket_of(name)])

    def __len__(self) -> int:
        return sum(map(len, self._lines))


def bucket_of(name: str) -> int:
    """Return the bucket that a file's name falls into."""
    return zlib.crc32(name.encode()) % BUCKETS


def scan_folder(root: Path, now_ns: int) -> FolderListing:
    """Return the files below ``root``, without hidden files and editors' backups.

    A folder that cannot be listed stands in the listing under its own name with a slash at the end, and the parser
    rejects it by that name.

    Args:
        root: the articles folder.
        now_ns: the wall clock, nanoseconds since 1970.

    Raises:
        SettingsError: the folder does not exist or cannot be listed.
    """
    lines: list[list[str]] = [[] for _ in range(BUCKETS)]
    restless: set[str] = set()
    unlisted: list[str] = []
    recent, rather_recent = now_ns - _TICK, now_ns - _COARSE_TICK
    try:
        for name, info in _walk(str(root), ""):
            # The change time moves with every write, rename and chmod, even if an editor restores mtime.
            changed = info.st_ctime_ns
            lines[bucket_of(name)].append(f"{name}\0{info.st_size}:{info.st_mtime_ns}:{changed}")
            if changed >= recent or (changed >= rather_recent and changed % 1_000_000_000 == 0):
                restless.add(name)
            if name.endswith("/"):
                unlisted.append(name)
    except FileNotFoundError:
        raise SettingsError(f"no folder {root}; make it, or set paths.articles to where article records are") from None
    except OSError as error:
        raise SettingsError(f"cannot list {root}: {error.strerror} ({error.filename})") from error
    return FolderListing(lines, restless, unlisted)


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (name, status) of each file, and of each folder that cannot be listed; ``prefix`` stands before names.

    Raises:
        OSError: the first folder cannot be listed.
    """
    # A stack, not recursion: folders may be nested deeper than Python calls, or than descriptors are allowed.
    todo: list[tuple[str, str, os.stat_result | None]] = [(folder, prefix, None)]
    while todo:
        path, prefix, info = todo.pop()
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
                        todo.append((entry.path, f"{prefix}{name}/", status))
                    else:
                        yield _written(prefix + name), status
        except (FileNotFoundError, NotADirectoryError):
            # A folder that was removed after its parent was listed.
            if info is None:
                raise
        except OSError:
            if info is None:
                raise
            yield _written(prefix), info


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of an entry, or None where it was removed meanwhile.

    A link that cannot be followed (broken, a loop, a target that may not be seen) has its own status: the parser
    rejects it by name.
    """
    try:
        return entry.stat(follow_symlinks=not entry.is_dir(follow_symlinks=False))
    except OSError:
        try:
            return entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None


def _written(name: str) -> str:
    """Return a name that can be written down, bytes of it that are not UTF-8 as a backslash and hexadecimal."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
