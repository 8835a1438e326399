"""The articles folder → what lies there, with a signature of each file that a change moves.

A folder of 100,000 files is looked at on every run, so the look must be cheap: names and
``stat`` only, gathered in buckets whose fingerprints tell at once where nothing happened.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from publisher.errors import SettingsError

__all__ = ["BUCKETS", "Listing", "bucket_of", "scan"]

#: So many groups of files, by a hash of their name.
BUCKETS: Final = 256
#: A file changed less than this long before the scan (nanoseconds) may change again within the
#: same tick of the file system's clock, unseen: it is read again next time.
_TICK = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies in the articles folder."""

    #: Bucket → name → signature. Names are relative, with ``/`` on every system.
    buckets: tuple[dict[str, str], ...]

    def fingerprint(self, bucket: int) -> str:
        """A hash that differs whenever a file of the bucket comes, goes or changes.

        Empty while a file may still change unseen: no two such are equal.
        """
        if not all(self.buckets[bucket].values()):
            return ""
        lines = sorted(f"{name}\0{signature}\n" for name, signature in self.buckets[bucket].items())
        return hashlib.blake2b("".join(lines).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def __contains__(self, name: str) -> bool:
        return name in self.buckets[bucket_of(name)]

    def __len__(self) -> int:
        return sum(map(len, self.buckets))


def bucket_of(name: str) -> int:
    """Return the bucket that a file's name falls into."""
    return zlib.crc32(name.encode("utf-8", "surrogateescape")) % BUCKETS


def scan(root: Path, now_ns: int) -> Listing:
    """Return what lies below ``root``; hidden files and editors' backups are passed over.

    Args:
        root: the articles folder.
        now_ns: the wall clock, nanoseconds since 1970.

    Raises:
        SettingsError: the folder is not there or cannot be listed.
    """
    buckets: tuple[dict[str, str], ...] = tuple({} for _ in range(BUCKETS))
    recent = now_ns - _TICK
    try:
        for name, info in _walk(str(root), ""):
            # The change time moves with every write, rename and chmod, even if an editor restores mtime.
            signature = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}" if info.st_ctime_ns < recent else ""
            buckets[bucket_of(name)][name] = signature
    except FileNotFoundError:
        raise SettingsError(f"no folder {root}; make it, or set paths.articles to where article records are") from None
    except OSError as error:
        raise SettingsError(f"cannot list {root}: {error.strerror} ({error.filename})") from error
    return Listing(buckets=buckets)


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith("~"):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
                continue
            try:
                info = entry.stat(follow_symlinks=True)
            except FileNotFoundError:
                # A broken link, or a file that went away meanwhile: the reader says so by name.
                info = entry.stat(follow_symlinks=False)
            yield f"{prefix}{entry.name}", info
