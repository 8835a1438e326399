"""A process that is forked from this one and inherits only what it is given.

A fork starts in milliseconds, with all modules of this process imported; a new interpreter needs a tenth of a second
of processor time or more. A fork copies locks that other threads hold and open database connections, so it is safe
only in a process with a single thread and without an open database.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

#: Open files of a process on a system that cannot list them.
_MAX_DESCRIPTORS: Final = 65_536


def has_one_thread() -> bool:
    """Return whether this process has a single thread, threads of C libraries included.

    Returns False on a system that does not list the threads of a process.
    """
    try:
        return threading.active_count() == 1 and len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


class ForkedProcess:
    """A forked process, with the methods of ``subprocess.Popen`` that end it and wait for it."""

    def __init__(self, work: Callable[[int], None], descriptor: int) -> None:
        """Fork a process that runs ``work(descriptor)`` and ends.

        Its standard streams are the null device, and all other descriptors are closed. Signal handlers are reset, and
        all signals are blocked until ``work`` unblocks them. The process never runs exit handlers of this one, and
        never flushes its buffers.

        Args:
            work: runs in the process; an exception ends it with status 1.
            descriptor: an open file, above 2.

        Raises:
            OSError: the process cannot be forked.
        """
        # A signal between the fork and the reset would run this process's handler in the child.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _run_child(work, descriptor)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while the process is running."""
        with self._lock:
            if self.returncode is None:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    # Something else in this process has waited for it.
                    self.returncode = 0
                else:
                    if pid:
                        self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended.

        Raises:
            subprocess.TimeoutExpired: it did not end within ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.0005
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(["fork"], timeout or 0)
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        return status

    def kill(self) -> None:
        """Send SIGKILL if the process is running."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _run_child(work: Callable[[int], None], descriptor: int) -> NoReturn:
    status = 1
    try:
        # Finalizers of this process's objects must not run here: they close files that are no longer ours.
        gc.freeze()
        _reset_signals()
        _close_descriptors(descriptor)
        work(descriptor)
        status = 0
    finally:
        # Not SystemExit: that would run exit handlers and flush the buffers that were copied.
        os._exit(status)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)


def _close_descriptors(keep: int) -> None:
    """Connect the standard streams to the null device, and close all others but KEEP."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    try:
        listed = [int(path.name) for path in Path("/dev/fd").iterdir()]
    except OSError:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        listed = list(range(_MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, _MAX_DESCRIPTORS)))
    for number in listed:
        if number > 2 and number != keep:
            with contextlib.suppress(OSError):
                os.close(number)
