"""In-memory cache of staged files, with one ETag per content encoding."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

from publisher.web.etags import etag_of

#: Content-Encoding → suffix of the precompressed file; smaller encodings first.
_PRECOMPRESSED: Final = (("br", ".br"), ("gzip", ".gz"))

#: A file is checked again after this time; without it, 10,000 requests a second would check it 10,000 times.
_FRESH_SECONDS: Final = 0.002
#: Approximate bytes of memory for each file besides its content.
_OVERHEAD_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class EncodedBody:
    """A file in one encoding."""

    body: bytes
    #: A strong ETag (RFC 9110 §8.8.3): each encoding has its own.
    etag: bytes


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A staged file in all its encodings."""

    #: Inode, size and modification time in nanoseconds.
    signature: tuple[int, int, int]
    #: The Last-Modified header, and the same time in seconds since 1970.
    modified: bytes
    seconds: int
    #: Content-Encoding → content; always has ``identity``.
    encodings: dict[str, EncodedBody]
    #: Approximate bytes of memory.
    size: int
    #: Response headers that the server has computed for this version.
    headers: dict[str, Any] = field(default_factory=dict, compare=False)


class FileCache:
    """The files of a folder. The ones read last stay in memory."""

    def __init__(self, folder: Path, *, max_bytes: int = 48 * 1024 * 1024) -> None:
        """Create an empty cache of at most MAX_BYTES, with an overhead for each file."""
        self._folder = str(folder)
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        #: Cached file → when it was last compared with the file system, by the monotonic clock.
        self._checked_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def find(self, path: str) -> CachedFile | None:
        """Return the file at a path below the folder; None if there is none or it is not public.

        Staging replaces files by renaming, so a changed file always has another inode, size or modification time.
        Comparing these costs a few microseconds.
        """
        known = self._files.get(path)
        now = time.monotonic()
        if known is None:
            if not _is_public(path):
                return None
        elif now - self._checked_at.get(path, 0.0) < _FRESH_SECONDS:
            return known
        name = f"{self._folder}/{path}"
        try:
            status = os.stat(name, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        if known is not None and known.signature == _signature(status):
            self._checked_at[path] = now
            return known
        if not stat.S_ISREG(status.st_mode):
            return None
        return self._read(path, name)

    def _read(self, path: str, name: str) -> CachedFile | None:
        read = _contents(name)
        if read is None:
            return None
        signature, body = read
        encodings = {"identity": _encoded(body)}
        for coding, suffix in _PRECOMPRESSED:
            compressed = _contents(name + suffix)
            # A precompressed file has the time of its file. With another time it belongs to another version.
            if compressed is not None and compressed[0][2] == signature[2]:
                encodings[coding] = _encoded(compressed[1])
        seconds = signature[2] // 1_000_000_000
        size = _OVERHEAD_BYTES + sum(len(encoded.body) for encoded in encodings.values())
        file = CachedFile(signature, formatdate(seconds, usegmt=True).encode(), seconds, encodings, size)
        self._add(path, file)
        return file

    def _add(self, path: str, file: CachedFile) -> None:
        with self._lock:
            before = self._files.pop(path, None)
            self._used_bytes += file.size - (before.size if before is not None else 0)
            self._files[path] = file
            while self._used_bytes > self._max_bytes and len(self._files) > 1:
                # The file that was read longest ago.
                name, dropped = self._files.popitem(last=False)
                self._checked_at.pop(name, None)
                self._used_bytes -= dropped.size


def _is_public(path: str) -> bool:
    """Return whether a path may be served: inside the folder, not hidden or precompressed."""
    if "\0" in path or "\\" in path or path.startswith("_") or path.endswith((".gz", ".br")):
        return False
    return all(part and not part.startswith(".") for part in path.split("/"))


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _contents(name: str) -> tuple[tuple[int, int, int], bytes] | None:
    """Return the signature and content of one file, even if it is replaced meanwhile."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - a third of the time of pathlib's
            return _signature(os.fstat(file.fileno())), file.read()
    except OSError:
        return None


def _encoded(body: bytes) -> EncodedBody:
    return EncodedBody(body, etag_of(body))
