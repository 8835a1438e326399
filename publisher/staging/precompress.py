"""Precompressed files, ``.gz`` and ``.br``, that web servers serve instead of the original."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # zlib-ng compresses as well as zlib in half of the time. A window of 31 writes a gzip header without a time.
    from zlib_ng import zlib_ng

    compressor = zlib_ng.compressobj(6, zlib_ng.DEFLATED, 31)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _brotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    import brotli

    compressor: Any = brotli.Compressor(quality=5)
    for chunk in chunks:
        yield compressor.process(chunk)
    yield compressor.finish()


#: Suffix → function that compresses chunks of bytes.
COMPRESSORS: Final[dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]]] = {".gz": _gzip, ".br": _brotli}


def is_current(path: str, mtime_ns: int, suffixes: Collection[str]) -> bool:
    """Return whether a file has exactly these precompressed files, each with the file's own time.

    The common time gives all encodings one Last-Modified in web servers, and shows which precompressed files
    are out of date.
    """
    for suffix in COMPRESSORS:
        try:
            current = os.stat(f"{path}{suffix}").st_mtime_ns
        except OSError:
            current = None
        if current != (mtime_ns if suffix in suffixes else None):
            return False
    return True


def write_precompressed(path: Path, suffix: str, chunks: Iterable[bytes], temporary: Path, mtime_ns: int) -> None:
    """Write one precompressed file of PATH atomically.

    Args:
        suffix: a key of :data:`COMPRESSORS`.
        temporary: the temporary file, on the same file system.
        mtime_ns: the original's time of change, in nanoseconds.
    """
    with temporary.open("wb") as stream:
        for chunk in COMPRESSORS[suffix](chunks):
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    os.utime(temporary, ns=(mtime_ns, mtime_ns))
    os.replace(temporary, f"{path}{suffix}")
