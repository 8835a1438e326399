"""Atomic write-if-changed into feeds/ and outbox/.

A file is written to a temporary file, synced to disk, and renamed over the old one. A crash at any point
leaves the old or the new file, both complete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from publisher.errors import StageError
from publisher.private_files import is_private_folder, make_private_folder, private_opener
from publisher.staging.precompress import COMPRESSORS, is_current, write_precompressed

#: The folder of temporary files, inside the staged folder, so that a rename stays on one file system.
_TEMPORARY_FOLDER: Final = ".staging"
#: Files up to this size are compared with the staged file before anything is written.
MAX_MEMORY_BYTES: Final = 8 * 1024 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
#: Bytes of files that may wait in memory for compression.
MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024
_NS_PER_SECOND: Final = 1_000_000_000
#: Files that may wait for compression, whatever their size.
_MAX_QUEUED_FILES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedWrite:
    """A staged file."""

    #: Relative to the staged folder.
    path: str
    sha256: str
    size: int
    mtime_ns: int
    #: False if the file already had these bytes.
    changed: bool


class StagedFolder:
    """A folder of staged files. With ``dry_run`` it only reports what would change.

    With ``is_private``, only the owner can read a new folder and the files that are staged in it.

    With ``compress``, suffixes of :data:`publisher.staging.precompress.COMPRESSORS`, threads write the precompressed
    files while the next files are staged. :meth:`wait_for_compression` waits for them.
    """

    def __init__(
        self, root: Path, *, dry_run: bool = False, compress: Sequence[str] | None = None, is_private: bool = False
    ) -> None:
        self.root = root
        self._prefix = f"{root}/"
        self.dry_run = dry_run
        # A folder that others may read stays so, with its files: a web server may need it.
        self._is_private = is_private and is_private_folder(root)
        self.compress = compress
        self._threads: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._queued_bytes = 0
        self._touched: set[Path] = set()
        self._folders: set[Path] = set()

    def __enter__(self) -> Self:
        self._delete_temporary()
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        self.sync()
        self._delete_temporary()

    def is_unchanged(self, path: str, size: int, mtime_ns: int) -> bool:
        """Return whether a staged file and its precompressed files have the size and time that were written."""
        # A string is faster than a Path, and every run checks every staged file.
        name = f"{self._prefix}{path}"
        try:
            info = os.stat(name, follow_symlinks=False)
        except OSError:
            return False
        if info.st_size != size or info.st_mtime_ns != mtime_ns:
            return False
        return self.compress is None or is_current(name, mtime_ns, self.compress)

    def put(self, path: str, chunks: Iterable[bytes]) -> StagedWrite:
        """Stage a file, unless it already has these bytes.

        Raises:
            StageError: the file cannot be written; the old file is unchanged.
        """
        target = self.root / path
        try:
            written, data = self._write(target, path, iter(chunks))
        except OSError as error:
            raise StageError(_error_message(path, error)) from error
        if (
            self.compress is not None
            and not self.dry_run
            and not is_current(str(target), written.mtime_ns, self.compress)
        ):
            self._precompress(path, written.mtime_ns, data, self.compress)
        return written

    def wait_for_compression(self) -> None:
        """Wait until the precompressed files of all staged files are written.

        Raises:
            StageError: a precompressed file cannot be written.
        """
        while self._waiting:
            self._wait_for_oldest()

    def _wait_for_oldest(self) -> None:
        future, size = self._waiting.popleft()
        self._queued_bytes -= size
        future.result()

    def _precompress(self, path: str, mtime_ns: int, data: bytes | None, suffixes: Sequence[str]) -> None:
        """Queue the precompressed files of a file, and delete those that are not configured.

        DATA is None for a large file, which is read from disk.
        """
        if self._threads is None:
            # Two threads a core: one waits for the disk while the other compresses.
            self._threads = ThreadPoolExecutor(2 * (os.cpu_count() or 1))
        self._make_folder(self.root / _TEMPORARY_FOLDER)
        target = self.root / path
        self._touched.add(target.parent)

        def make(suffix: str) -> None:
            temporary = self.root / _TEMPORARY_FOLDER / hashlib.sha256(f"{path}{suffix}".encode()).hexdigest()[:32]
            try:
                write_precompressed(
                    target, suffix, [data] if data is not None else _read_chunks(target), temporary, mtime_ns
                )
            except OSError as error:
                raise StageError(_error_message(f"{path}{suffix}", error)) from error

        for suffix in COMPRESSORS:
            if suffix not in suffixes:
                Path(f"{target}{suffix}").unlink(missing_ok=True)
                continue
            size = len(data or b"")
            self._waiting.append((self._threads.submit(make, suffix), size))
            self._queued_bytes += size
        while self._queued_bytes > MAX_QUEUED_BYTES or len(self._waiting) > _MAX_QUEUED_FILES:
            self._wait_for_oldest()

    def remove(self, path: str) -> bool:
        """Delete a staged file and the folders that become empty, and return whether it existed."""
        target = self.root / path
        try:
            if self.dry_run:
                return target.exists()
            target.unlink(missing_ok=False)
            for suffix in COMPRESSORS if self.compress is not None else ():
                Path(f"{target}{suffix}").unlink(missing_ok=True)
            self._touched.add(target.parent)
            parent = target.parent
            while parent != self.root and not any(parent.iterdir()):
                # An operator may have put the folder elsewhere.
                parent.unlink() if parent.is_symlink() else parent.rmdir()
                self._touched.discard(parent)
                self._folders.discard(parent)
                parent = parent.parent
                self._touched.add(parent)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StageError(_error_message(path, error)) from error
        return True

    def sync(self) -> None:
        """Make renames and deletions durable. Before, a power failure may bring old files back."""
        for folder in sorted(self._touched):
            try:
                handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._touched.clear()

    def _write(self, target: Path, path: str, chunks: Iterator[bytes]) -> tuple[StagedWrite, bytes | None]:
        """Write the file if it changed. Return it, and its bytes unless it is too large for memory."""
        head, size = [], 0
        for chunk in chunks:
            head.append(chunk)
            size += len(chunk)
            if size > MAX_MEMORY_BYTES:
                break
        else:
            data = b"".join(head)
            digest = hashlib.sha256(data).hexdigest()
            known = self._unchanged(target, path, size, digest)
            if known or self.dry_run:
                return known or StagedWrite(path=path, sha256=digest, size=size, mtime_ns=0, changed=True), data
            return self._replace(target, path, self._write_temporary(path, [data])[0], digest, size), data
        if self.dry_run:
            digest, size = _hash_chunks(head, chunks)
            known = self._unchanged(target, path, size, digest)
            return known or StagedWrite(path=path, sha256=digest, size=size, mtime_ns=0, changed=True), None
        temporary, digest, size = self._write_temporary(path, _join_chunks(head, chunks))
        known = self._unchanged(target, path, size, digest)
        if known:
            temporary.unlink()
            return known, None
        return self._replace(target, path, temporary, digest, size), None

    def _unchanged(self, target: Path, path: str, size: int, digest: str) -> StagedWrite | None:
        """Return the staged file if it has these bytes, given by size and hash; None otherwise."""
        try:
            info = os.stat(target, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if info.st_size != size or target.is_symlink() or not target.is_file():
            return None
        with target.open("rb") as stream:
            current = hashlib.file_digest(stream, "sha256").hexdigest()
        if current != digest:
            return None
        return StagedWrite(path=path, sha256=digest, size=size, mtime_ns=info.st_mtime_ns, changed=False)

    def _write_temporary(self, path: str, chunks: Iterable[bytes]) -> tuple[Path, str, int]:
        temporary_folder = self.root / _TEMPORARY_FOLDER
        self._make_folder(temporary_folder)
        temporary = temporary_folder / hashlib.sha256(path.encode()).hexdigest()[:32]
        hasher, size = hashlib.sha256(), 0
        opener = private_opener if self._is_private else None
        with open(temporary, "wb", buffering=_CHUNK_BYTES, opener=opener) as stream:
            for chunk in chunks:
                stream.write(chunk)
                hasher.update(chunk)
                size += len(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        return temporary, hasher.hexdigest(), size

    def _replace(self, target: Path, path: str, temporary: Path, digest: str, size: int) -> StagedWrite:
        self._make_folder(target.parent)
        _set_later_mtime(temporary, target)
        os.replace(temporary, target)
        self._touched.add(target.parent)
        info = os.stat(target)
        return StagedWrite(path=path, sha256=digest, size=size, mtime_ns=info.st_mtime_ns, changed=True)

    def _make_folder(self, folder: Path) -> None:
        if folder not in self._folders:
            if self._is_private:
                make_private_folder(folder)
            else:
                folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
            self._touched.add(folder.parent)

    def _delete_temporary(self) -> None:
        """Delete the temporary files of a killed run."""
        temporary_folder = self.root / _TEMPORARY_FOLDER
        if not self.dry_run and temporary_folder.is_dir():
            shutil.rmtree(temporary_folder, ignore_errors=True)
            self._folders.discard(temporary_folder)


def _set_later_mtime(temporary: Path, target: Path) -> None:
    """Set the time of a new file at least one whole second after that of the file that it replaces.

    HTTP dates have a resolution of one second. libcurl ignores a new version with the ``Last-Modified`` of
    the old one (CURLOPT_TIMECONDITION), and the ETag of nginx consists of time and size.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        second = os.stat(target, follow_symlinks=False).st_mtime_ns // _NS_PER_SECOND
        if os.stat(temporary).st_mtime_ns // _NS_PER_SECOND <= second:
            time_ns = (second + 1) * _NS_PER_SECOND
            os.utime(temporary, ns=(time_ns, time_ns))


def _read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _join_chunks(head: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from head
    head.clear()
    yield from rest


def _hash_chunks(head: list[bytes], rest: Iterator[bytes]) -> tuple[str, int]:
    hasher, size = hashlib.sha256(), 0
    for chunk in _join_chunks(head, rest):
        hasher.update(chunk)
        size += len(chunk)
    return hasher.hexdigest(), size


def _error_message(path: str, error: OSError) -> str:
    reason, where = error.strerror or str(error), error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot stage {path}: the disk is full. Free space and run publish now again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot stage {path}: no permission to write {where} ({reason}). Make the folder writable, then run publish now again"
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"cannot stage {path}: there is a file in place of a folder, or a folder in place of a file ({where}). Move it away"
    return f"cannot stage {path}: {reason} ({where})"
