"""Open a file below a folder, following links inside the folder only.

A check of a path before it is opened can be raced: a link is put in place in between. Here the path is resolved
step by step from descriptors, by the kernel (``openat2`` with ``RESOLVE_BENEATH``, Linux 5.6) or in this module.
Links that stay inside are followed: Kubernetes ConfigMaps and git-sync publish folders by them.
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

__all__ = ["NotRegularError", "OutsideError", "open_beneath", "open_file_beneath", "read_beneath"]

#: Links in one path, as in Linux.
_MAX_LINKS: Final = 40
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
#: The number of openat2 where the kernel has one table of calls for all; elsewhere the walk is used.
_OPENAT2: Final = 437 if platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64") else None
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
#: The call is not there, or not allowed; a link is absolute, or a folder was moved meanwhile: the walk decides.
_FALLBACK_ERRORS: Final = frozenset([errno.ENOSYS, errno.EPERM, errno.EXDEV, errno.EAGAIN, errno.EINVAL, errno.E2BIG])


class OutsideError(OSError):
    """A link of the path leads out of the folder."""


class NotRegularError(OSError):
    """The path names something that is not a regular file."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root: str | os.PathLike[str], name: str, *, with_openat2: bool = True) -> int:
    """Return a descriptor for reading of the file NAME below ROOT, which may itself be a link.

    The descriptor does not block, so that a named pipe does not either.

    Args:
        root: the folder.
        name: relative to it.
        with_openat2: False to resolve the path without that call.

    Raises:
        OutsideError: a link, or a ``..``, leads out of the folder.
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
    """Return the regular file NAME below ROOT, open for reading; arguments and errors as for ``open_beneath``.

    Raises:
        NotRegularError: it is a folder, a named pipe or a device.
    """
    handle = open_beneath(root, name)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(errno.EINVAL, "not a regular file", name)
    return os.fdopen(handle, "rb")


def read_beneath(root: str | os.PathLike[str], name: str, max_bytes: int) -> bytes | None:
    """Return the bytes of a regular file below ROOT; None where there is none, or it is larger."""
    try:
        file = open_file_beneath(root, name)
    except (OSError, ValueError):
        return None
    with file:
        return file.read() if os.fstat(file.fileno()).st_size <= max_bytes else None


def _openat2(number: int, folder: int, name: str) -> int | None:
    """Return a descriptor, or None where the walk has to decide."""
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
    """Resolve a path one part at a time; no part is opened through a link that was not looked at."""
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
            found = _open_or_read_link(part, folders[-1], must_be_folder=bool(todo))
            if isinstance(found, int):
                if not todo:
                    return found
                folders.append(found)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
            if found.startswith("/"):
                # An absolute link may also lead to a place inside.
                found = _path_inside(real, found, name)
                while len(folders) > 1:
                    _leave_folder(folders, name)
            todo.extendleft(reversed(found.split("/")))
        return os.dup(folders[-1])
    finally:
        for one in folders:
            os.close(one)


def _leave_folder(folders: list[int], name: str) -> None:
    if len(folders) == 1:
        raise OutsideError(errno.EXDEV, "leads out of the folder", name)
    os.close(folders.pop())


def _open_or_read_link(part: str, folder: int, *, must_be_folder: bool) -> int | str:
    """Return a descriptor of the part, or where it leads if it is a link."""
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
