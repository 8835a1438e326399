"""Atomic write-if-changed into feeds/ and outbox/.

A file is written whole under a name of its own, fsynced, and renamed over the old one: a crash
at any point leaves the old file or the new one, never half of one.
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

__all__ = ["StagedFolder", "StagedWrite"]

#: New files are written here, inside the folder that they are staged in, so that a rename does.
_TEMPORARY_FOLDER: Final = ".staging"
#: Files up to this size are compared in memory before anything is written.
_MAX_MEMORY_BYTES: Final = 8 * 1024 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
#: Bytes of files that may be in memory until their twins are made.
_MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024
_NS_PER_SECOND: Final = 1_000_000_000
#: Twins that may wait, however small.
_MAX_QUEUED_FILES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedWrite:
    """A staged file."""

    #: Relative to the stage's folder.
    path: str
    sha256: str
    size: int
    mtime_ns: int
    #: False where the file was there already, byte for byte.
    changed: bool


class StagedFolder:
    """A folder that is staged into. With ``dry_run`` it only tells what would change.

    With ``is_private`` a new folder, and what is staged into it, may be read by its owner only.

    With ``twins``, suffixes of :data:`publisher.staging.precompress.COMPRESSORS`, every file gets its pre-compressed
    ones, made by threads while the next files are staged: :meth:`wait_for_compression` waits for them.
    """

    def __init__(
        self, root: Path, *, dry_run: bool = False, compress: Sequence[str] | None = None, is_private: bool = False
    ) -> None:
        self.root = root
        self._prefix = f"{root}/"
        self.dry_run = dry_run
        # Whoever opens the folder to others opens what is staged there: a web server may be meant to read it.
        self._is_private = is_private and is_private_folder(root)
        self.compress = compress
        self._threads: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._queued = 0
        self._touched: set[Path] = set()
        self._folders: set[Path] = set()

    def __enter__(self) -> Self:
        self._sweep()
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        self.sync()
        self._sweep()

    def is_unchanged(self, path: str, size: int, mtime_ns: int) -> bool:
        """Tell whether a staged file is still as it was written, by size and time, and its twins with it."""
        # Text, not a Path: it is asked of every staged file in every run.
        name = f"{self._prefix}{path}"
        try:
            info = os.stat(name, follow_symlinks=False)
        except OSError:
            return False
        if info.st_size != size or info.st_mtime_ns != mtime_ns:
            return False
        return self.compress is None or is_current(name, mtime_ns, self.compress)

    def put(self, path: str, chunks: Iterable[bytes]) -> StagedWrite:
        """Stage a file, and leave it alone where it holds these bytes already.

        Raises:
            StageError: it cannot be written; what was staged before is untouched.
        """
        target = self.root / path
        try:
            written, data = self._put(target, path, iter(chunks))
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
        """Wait until every file that was staged has its twins.

        Raises:
            StageError: one of them cannot be written.
        """
        while self._waiting:
            self._wait_for_oldest()

    def _wait_for_oldest(self) -> None:
        future, size = self._waiting.popleft()
        self._queued -= size
        future.result()

    def _precompress(self, path: str, mtime_ns: int, data: bytes | None, suffixes: Sequence[str]) -> None:
        """Let the twins of a file be made, of a large one from the disk; those that are not wanted go."""
        if self._threads is None:
            # Half of them wait for the disk while the others compress.
            self._threads = ThreadPoolExecutor(2 * (os.cpu_count() or 1))
        self._make(self.root / _TEMPORARY_FOLDER)
        target = self.root / path
        self._touched.add(target.parent)

        def make(suffix: str) -> None:
            draft = self.root / _TEMPORARY_FOLDER / hashlib.sha256(f"{path}{suffix}".encode()).hexdigest()[:32]
            try:
                write_precompressed(
                    target, suffix, [data] if data is not None else _read_chunks(target), draft, mtime_ns
                )
            except OSError as error:
                raise StageError(_error_message(f"{path}{suffix}", error)) from error

        for suffix in COMPRESSORS:
            if suffix not in suffixes:
                Path(f"{target}{suffix}").unlink(missing_ok=True)
                continue
            size = len(data or b"")
            self._waiting.append((self._threads.submit(make, suffix), size))
            self._queued += size
        while self._queued > _MAX_QUEUED_BYTES or len(self._waiting) > _MAX_QUEUED_FILES:
            self._wait_for_oldest()

    def remove(self, path: str) -> bool:
        """Take a staged file away, and the folder that it leaves empty; tell whether it was there."""
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
                parent.rmdir()
                self._touched.discard(parent)
                self._folders.discard(parent)
                parent = parent.parent
                self._touched.add(parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StageError(_error_message(path, error)) from error
        return True

    def sync(self) -> None:
        """Make renames and removals durable. Until then a power cut may bring old files back."""
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

    def _put(self, target: Path, path: str, chunks: Iterator[bytes]) -> tuple[StagedWrite, bytes | None]:
        """Return the file, and its bytes where they are in memory."""
        head, size = [], 0
        for chunk in chunks:
            head.append(chunk)
            size += len(chunk)
            if size > _MAX_MEMORY_BYTES:
                break
        else:
            data = b"".join(head)
            digest = hashlib.sha256(data).hexdigest()
            known = self._same(target, path, size, digest)
            if known or self.dry_run:
                return known or StagedWrite(path=path, sha256=digest, size=size, mtime_ns=0, changed=True), data
            return self._replace(target, path, self._draft(path, [data])[0], digest, size), data
        if self.dry_run:
            digest, size = _hash_chunks(head, chunks)
            known = self._same(target, path, size, digest)
            return known or StagedWrite(path=path, sha256=digest, size=size, mtime_ns=0, changed=True), None
        draft, digest, size = self._draft(path, _join_chunks(head, chunks))
        known = self._same(target, path, size, digest)
        if known:
            draft.unlink()
            return known, None
        return self._replace(target, path, draft, digest, size), None

    def _same(self, target: Path, path: str, size: int, digest: str) -> StagedWrite | None:
        """Return the file as it is, if it holds the bytes with this hash."""
        try:
            info = os.stat(target, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if info.st_size != size or target.is_symlink() or not target.is_file():
            return None
        with target.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != digest:
            return None
        return StagedWrite(path=path, sha256=digest, size=size, mtime_ns=info.st_mtime_ns, changed=False)

    def _draft(self, path: str, chunks: Iterable[bytes]) -> tuple[Path, str, int]:
        drafts = self.root / _TEMPORARY_FOLDER
        self._make(drafts)
        draft = drafts / hashlib.sha256(path.encode()).hexdigest()[:32]
        hashing, size = hashlib.sha256(), 0
        opener = private_opener if self._is_private else None
        with open(draft, "wb", buffering=_CHUNK_BYTES, opener=opener) as stream:
            for chunk in chunks:
                stream.write(chunk)
                hashing.update(chunk)
                size += len(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        return draft, hashing.hexdigest(), size

    def _replace(self, target: Path, path: str, draft: Path, digest: str, size: int) -> StagedWrite:
        self._make(target.parent)
        _set_later_mtime(draft, target)
        os.replace(draft, target)
        self._touched.add(target.parent)
        info = os.stat(target)
        return StagedWrite(path=path, sha256=digest, size=size, mtime_ns=info.st_mtime_ns, changed=True)

    def _make(self, folder: Path) -> None:
        if folder not in self._folders:
            if self._is_private:
                make_private_folder(folder)
            else:
                folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
            self._touched.add(folder.parent)

    def _sweep(self) -> None:
        """Take away what a run that was killed left unfinished."""
        drafts = self.root / _TEMPORARY_FOLDER
        if not self.dry_run and drafts.is_dir():
            shutil.rmtree(drafts, ignore_errors=True)
            self._folders.discard(drafts)


def _set_later_mtime(draft: Path, target: Path) -> None:
    """Date a draft at least one whole second after the file that it replaces.

    HTTP dates count seconds. libcurl drops a new version with the ``Last-Modified`` of the old one
    (CURLOPT_TIMECONDITION), and the ETag of nginx consists of time and size.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        second = os.stat(target, follow_symlinks=False).st_mtime_ns // _NS_PER_SECOND
        if os.stat(draft).st_mtime_ns // _NS_PER_SECOND <= second:
            time_ns = (second + 1) * _NS_PER_SECOND
            os.utime(draft, ns=(time_ns, time_ns))


def _read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _join_chunks(head: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from head
    head.clear()
    yield from rest


def _hash_chunks(head: list[bytes], rest: Iterator[bytes]) -> tuple[str, int]:
    hashing, size = hashlib.sha256(), 0
    for chunk in _join_chunks(head, rest):
        hashing.update(chunk)
        size += len(chunk)
    return hashing.hexdigest(), size


def _error_message(path: str, error: OSError) -> str:
    reason, where = error.strerror or str(error), error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot stage {path}: the disk is full; free space and run publish now again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot stage {path}: {where} may not be written ({reason}); make the folder writable, then run publish now again"
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"cannot stage {path}: a file stands where a folder is needed, or the other way round ({where}); move it away"
    return f"cannot stage {path}: {reason} ({where})"
