"""Open a file below a folder, following symbolic links inside the folder only.

A check before the file is opened has a race condition: the path can become a link in between. So the kernel
(``openat2`` with ``RESOLVE_BENEATH``, Linux 5.6) or this module resolves the path step by step from descriptors.
Links that stay inside are followed, because Kubernetes ConfigMaps and git-sync publish folders with them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import stat
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final

#: Symbolic links in one path, as in Linux.
_MAX_LINKS: Final = 40
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
#: The system call number of openat2 on the platforms that share it; others resolve the path in this module.
_OPENAT2: Final = 437 if platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64") else None
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
#: Errors after which this module resolves the path: no such call, a seccomp filter, an absolute link, a race.
_FALLBACK_ERRORS: Final = frozenset([errno.ENOSYS, errno.EPERM, errno.EXDEV, errno.EAGAIN, errno.EINVAL, errno.E2BIG])


class OutsideError(OSError):
    """A link of the path leads out of the folder."""


class NotRegularError(OSError):
    """The path names something that is not a regular file."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root: str | os.PathLike[str], name: str, *, with_openat2: bool = True) -> int:
    """Open the file NAME below ROOT for reading, and return its descriptor.

    The descriptor is non-blocking, so that opening a named pipe returns at once.

    Args:
        root: the folder, or a link to it.
        name: the path relative to ROOT.
        with_openat2: False to resolve the path without that system call.

    Raises:
        OutsideError: a link or ``..`` leads out of the folder.
        OSError: the file cannot be opened.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if with_openat2 and _OPENAT2 is not None:
            handle = _openat2(_OPENAT2, folder, name)
            if handle is not None:
                return handle
        return _walk(folder, root, name)
    finally:
        os.close(folder)


def open_file_beneath(root: str | os.PathLike[str], name: str) -> BinaryIO:
    """Open the regular file NAME below ROOT for reading; arguments and errors as for ``open_beneath``.

    Raises:
        NotRegularError: it is a folder, a named pipe or a device.
    """
    handle = open_beneath(root, name)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(errno.EINVAL, "not a regular file", name)
    return os.fdopen(handle, "rb")


def read_beneath(root: str | os.PathLike[str], name: str, max_bytes: int) -> bytes | None:
    """Return the bytes of a regular file below ROOT; None if it does not exist or is larger than MAX_BYTES."""
    try:
        file = open_file_beneath(root, name)
    except (OSError, ValueError):
        return None
    with file:
        return file.read() if os.fstat(file.fileno()).st_size <= max_bytes else None


def _openat2(number: int, folder: int, name: str) -> int | None:
    """Return a descriptor, or None if :func:`_walk` has to resolve the path."""
    how = _OpenHow(_FLAGS, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    path = os.fsencode(name)
    if b"\0" in path:
        raise ValueError("embedded null byte")
    call = ctypes.CDLL(None, use_errno=True).syscall
    handle = call(ctypes.c_long(number), folder, path, ctypes.byref(how), ctypes.sizeof(how))
    if handle >= 0:
        return int(handle)
    code = ctypes.get_errno()
    if code in _FALLBACK_ERRORS:
        return None
    raise OSError(code, os.strerror(code), name)


def _walk(folder: int, root: str | os.PathLike[str], name: str) -> int:
    """Resolve a path one part at a time, and return a descriptor; links are read, never followed by the kernel."""
    real = Path(os.path.realpath(root))
    todo = deque(name.split("/"))
    folders = [os.dup(folder)]
    links = 0
    try:
        while todo:
            part = todo.popleft()
            if part == "..":
                _leave_folder(folders, name)
            if part in ("", ".", ".."):
                continue
            opened = _open_or_read_link(part, folders[-1], must_be_folder=bool(todo))
            if isinstance(opened, int):
                if not todo:
                    return opened
                folders.append(opened)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
            if opened.startswith("/"):
                # The target of an absolute link may be inside the folder.
                opened = _path_inside(real, opened, name)
                while len(folders) > 1:
                    _leave_folder(folders, name)
            todo.extendleft(reversed(opened.split("/")))
        return os.dup(folders[-1])
    finally:
        for handle in folders:
            os.close(handle)


def _leave_folder(folders: list[int], name: str) -> None:
    if len(folders) == 1:
        raise OutsideError(errno.EXDEV, "leads out of the folder", name)
    os.close(folders.pop())


def _open_or_read_link(part: str, folder: int, *, must_be_folder: bool) -> int | str:
    """Return a descriptor of the part, or the target if it is a link."""
    try:
        handle = os.open(part, _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return os.readlink(part, dir_fd=folder)
    if must_be_folder and not stat.S_ISDIR(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), part)
    return handle


def _path_inside(real: Path, target: str, name: str) -> str:
    path = Path(os.path.normpath(target))
    if not path.is_relative_to(real):
        raise OutsideError(errno.EXDEV, "leads out of the folder", name)
    return str(path.relative_to(real))
