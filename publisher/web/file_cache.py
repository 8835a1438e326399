"""Staged files as they are handed out: in memory, with an ETag for each encoding, fresh at every request."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

__all__ = ["CachedFile", "EncodedBody", "FileCache", "etag_of"]

#: Content-Encoding → the suffix of the compressed twin. What is smaller first.
_TWINS: Final = (("br", ".br"), ("gzip", ".gz"))

#: Seconds for which what was looked at counts as seen: at ten thousand requests a second one look does for many.
_BLINK: Final = 0.002
#: Bytes of what is kept beside a file's own, about: marks, headers of headers.
_BESIDE: Final = 4_096


@dataclass(frozen=True, slots=True)
class EncodedBody:
    """A file in one encoding."""

    body: bytes
    #: Strong (RFC 9110 §8.8.3): of these very bytes, and none of another encoding's.
    etag: bytes


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file, with the time of its last change."""

    #: What tells that it is still the same: inode, size, modification time.
    signature: tuple[int, int, int]
    #: ``Last-Modified``, and the same in seconds since 1970.
    modified: bytes
    seconds: int
    #: Content-Encoding → bytes; ``identity`` is always one.
    encodings: dict[str, EncodedBody]
    #: Bytes in memory, about.
    size: int
    #: What who hands it out has made of it; gone with it.
    headers: dict[str, Any] = field(default_factory=dict, compare=False)


class FileCache:
    """The files below one folder. Those that are asked for most stay in memory."""

    def __init__(self, folder: Path, *, most: int = 48 * 1024 * 1024) -> None:
        """Begin with nothing in memory.

        Args:
            folder: what is handed out.
            most: bytes that are kept in memory, all encodings and a little beside each file counted.
        """
        self._folder = str(folder)
        self._most = most
        self._held = 0
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        #: File in memory → when its marks were looked at last.
        self._looked: dict[str, float] = {}
        self._lock = threading.Lock()

    def find(self, path: str) -> CachedFile | None:
        """Return the file at a path below the folder; None where there is none, or it is nobody's business.

        Staging replaces a file by renaming another one to its place; so a look at its marks, which costs a few
        microseconds, tells whether what is in memory is what is there.
        """
        known = self._files.get(path)
        now = time.monotonic()
        if known is None:
            if not _is_public(path):
                return None
        elif now - self._looked.get(path, 0.0) < _BLINK:
            return known
        name = f"{self._folder}/{path}"
        try:
            found = os.stat(name, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        if known is not None and known.signature == _signature(found):
            self._looked[path] = now
            return known
        if not stat.S_ISREG(found.st_mode):
            return None
        return self._read(path, name)

    def _read(self, path: str, name: str) -> CachedFile | None:
        read = _contents(name)
        if read is None:
            return None
        signature, body = read
        encodings = {"identity": _encoded(body)}
        for coding, suffix in _TWINS:
            twin = _contents(name + suffix)
            # Twins have the time of their file; one that has another is of the bytes before, or of those to come.
            if twin is not None and twin[0][2] == signature[2]:
                encodings[coding] = _encoded(twin[1])
        seconds = signature[2] // 1_000_000_000
        size = _BESIDE + sum(len(one.body) for one in encodings.values())
        made = CachedFile(signature, formatdate(seconds, usegmt=True).encode(), seconds, encodings, size)
        self._keep(path, made)
        return made

    def _keep(self, path: str, made: CachedFile) -> None:
        with self._lock:
            before = self._files.pop(path, None)
            self._held += made.size - (before.size if before is not None else 0)
            self._files[path] = made
            while self._held > self._most and len(self._files) > 1:
                # The one that was read longest ago; what is asked for all the time is soon back.
                name, dropped = self._files.popitem(last=False)
                self._looked.pop(name, None)
                self._held -= dropped.size


def _is_public(path: str) -> bool:
    """Tell whether a path may be asked for: no way out, nothing hidden, no twin by its own name."""
    if "\0" in path or "\\" in path or path.startswith("_") or path.endswith((".gz", ".br")):
        return False
    return all(part and not part.startswith(".") for part in path.split("/"))


def _signature(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _contents(name: str) -> tuple[tuple[int, int, int], bytes] | None:
    """Return a file's marks and bytes, of one and the same file even if another takes its place meanwhile."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - a third of the time of pathlib's
            return _signature(os.fstat(file.fileno())), file.read()
    except OSError:
        return None


def etag_of(body: bytes) -> bytes:
    """Return a strong ETag of these very bytes (RFC 9110 §8.8.3)."""
    return b'"%s"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()


def _encoded(body: bytes) -> EncodedBody:
    return EncodedBody(body, etag_of(body))
