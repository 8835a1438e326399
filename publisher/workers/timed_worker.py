"""A process that parses untrusted input, with limits on processor time and memory.

If a parser never returns or uses up the memory, only this process ends. It is a new program, because a forked copy of an
open SQLite connection may write its last page again, and other threads may hold locks. A command that has neither yet can
fork it instead, which is faster. The kernel enforces the limit on processor time, so it also ends C code that never
returns to the interpreter.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from publisher.errors import PublisherError
from publisher.failures import Failure, describe_failure
from publisher.workers.forked_process import ForkedProcess, has_one_thread

#: Processor time for one item: one file, or one record of a file with several.
CPU_SECONDS: Final = 10.0
#: Wall-clock time for one item, for a disk that hangs.
WALL_SECONDS: Final = 120.0
#: Address space of the process.
MEMORY_BYTES: Final = 2 << 30
_START_SECONDS: Final = 60.0
PROGRAM: Final = "import sys; from publisher.workers.timed_worker import _serve; _serve(int(sys.argv[1]))"
#: Signals that end a process from outside; parsers do not cause them.
_OUTSIDE_SIGNALS: Final = frozenset([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
_READY: Final = "ready"


class WorkerClosed(PublisherError):
    """The worker was closed because its run ends. The input is not at fault."""

    def __init__(self) -> None:
        super().__init__("parsing was ended with the run; the next run parses these files")


class WorkerStopped(Exception):
    """The process ended before the work was complete; the message is the reason."""

    def __init__(self, reason: str, *, is_transient: bool = False) -> None:
        super().__init__(reason)
        #: True if the cause was outside the process, so that a retry may succeed.
        self.is_transient = is_transient


class TimedWorker:
    """One worker process, started on first use and restarted after it ended."""

    def __init__(
        self,
        *,
        cpu_seconds: float | None = None,
        wall_seconds: float = WALL_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        preload: Sequence[str] = (),
    ) -> None:
        """Create the worker; its process, which imports the modules PRELOAD, is not started yet."""
        self._cpu_seconds = CPU_SECONDS if cpu_seconds is None else cpu_seconds
        self._wall_seconds = wall_seconds
        self._memory_bytes = memory_bytes
        self._preload = tuple(preload)
        self._has_limits = self._is_ready = False
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._socket: socket.socket | None = None
        self._answers: Any = None
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        """End the process of a worker that was not closed."""
        self._end()

    @property
    def pid(self) -> int | None:
        """Return the process ID, or None if no process is running."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process if none is running, without waiting until it is ready.

        Raises:
            PublisherError: the process cannot be started, or the worker was closed.
        """
        self._require_open()
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._start(self._run_program)
        if not self._has_limits:
            self._send_limits()

    def fork(self) -> bool:
        """Fork the process from this one if possible, and return whether it was forked.

        The caller must have no open database. The forked process waits until ``start`` sends its limits and imports.
        If this process has several threads, nothing is done, and ``start`` starts a new program instead.

        Raises:
            PublisherError: the process cannot be started, or the worker was closed.
        """
        self._require_open()
        if self._process is not None or not has_one_thread():
            return False
        self._start(lambda descriptor: ForkedProcess(_serve, descriptor))
        return True

    def iterate(self, function: str, *arguments: Any) -> Iterator[Any]:
        """Call a function in the process and yield its items. The time limit applies to each item.

        Args:
            function: ``module:name``; returns an iterable.
            arguments: values that can be pickled.

        Raises:
            WorkerStopped: the process exceeded a limit, crashed or was killed.
            PublisherError: the process cannot be started, the worker was closed, or the function raised an error.
        """
        is_over = False
        try:
            self._send((function, arguments))
            while True:
                kind, value = self._receive(self._wall_seconds)
                if kind != "item":
                    is_over = True
                    break
                yield value
        finally:
            if not is_over:
                # Unread items would be taken for items of the next call.
                self._end()
        if isinstance(value, Failure):
            raise PublisherError(f"{function} failed in its process: {value}")

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function in the process and return its value. See ``iterate``."""
        (value,) = self.iterate("publisher.workers.timed_worker:_once", function, arguments)
        return value

    def close(self) -> None:
        """End the process. The worker cannot be used any more."""
        self._is_closed = True
        self._end()

    def _send(self, request: tuple[str, tuple[Any, ...]]) -> None:
        self.start()
        self._wait_until_ready()
        connection, _ = self._connection()
        try:
            connection.settimeout(self._wall_seconds)
            connection.sendall(pickle.dumps(request))
        except OSError as error:
            raise self._stopped(error) from error

    def _receive(self, seconds: float) -> tuple[str, Any]:
        connection, answers = self._connection()
        try:
            connection.settimeout(seconds)
            answer: tuple[str, Any] = pickle.load(answers)  # noqa: S301 - of a process of our own
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            # Another thread that closes the worker frees the buffer that is being read, which is a ValueError.
            raise self._stopped(error) from error
        return answer

    def _connection(self) -> tuple[socket.socket, Any]:
        """Return the socket and the stream of answers.

        Raises:
            WorkerClosed: another thread closed the worker.
        """
        connection, answers = self._socket, self._answers
        if connection is None or answers is None:
            raise WorkerClosed
        return connection, answers

    def _require_open(self) -> None:
        if self._is_closed:
            raise WorkerClosed

    def _start(self, run: Callable[[int], subprocess.Popen[bytes] | ForkedProcess]) -> None:
        ours, theirs = socket.socketpair()
        # Above 2, because the process connects its standard streams to the null device.
        descriptor = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 3)
        theirs.close()
        try:
            self._process = run(descriptor)
        except OSError as error:
            ours.close()
            raise _cannot_start(error.strerror) from error
        finally:
            os.close(descriptor)
        self._socket, self._answers = ours, ours.makefile("rb")
        self._has_limits = self._is_ready = False

    def _run_program(self, descriptor: int) -> subprocess.Popen[bytes]:
        # Without the current folder: a module in a site's folder must not be imported.
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(  # noqa: S603 - this interpreter, with a program of our own
            [sys.executable, "-P", "-c", PROGRAM, str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[descriptor],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def _send_limits(self) -> None:
        connection, _ = self._connection()
        try:
            connection.sendall(pickle.dumps((self._cpu_seconds, self._memory_bytes, self._preload)))
        except OSError as error:
            self._end()
            raise _cannot_start(error.strerror) from error
        self._has_limits = True

    def _wait_until_ready(self) -> None:
        if self._is_ready:
            return
        try:
            self._receive(_START_SECONDS)
            self._is_ready = True
        except WorkerStopped as error:
            self._end()
            raise _cannot_start(error) from error

    def _stopped(self, error: BaseException) -> Exception:
        """Return the exception for a process that ended."""
        process = self._process
        if self._is_closed or process is None:
            return WorkerClosed()
        reason = self._reason(error, process)
        is_killed = process.returncode is not None and -process.returncode in _OUTSIDE_SIGNALS
        return WorkerStopped(reason, is_transient=is_killed or isinstance(error, TimeoutError))

    def _reason(self, error: BaseException, process: subprocess.Popen[bytes] | ForkedProcess) -> str:
        if isinstance(error, TimeoutError):
            return f"it took more than {self._wall_seconds:g} seconds"
        try:
            status = process.wait(5)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        if status == -signal.SIGPROF:
            return f"it took more than {self._cpu_seconds:g} seconds of processor time"
        if status == -signal.SIGKILL:
            return "its process was killed, probably because the machine has no memory left"
        return f"its process crashed (signal {-status})" if status < 0 else f"its process ended with status {status}"

    def _end(self) -> None:
        process, connection, answers = self._process, self._socket, self._answers
        self._process = self._socket = self._answers = None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
        for stream in (answers, connection):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _cannot_start(reason: object) -> PublisherError:
    return PublisherError(f"cannot start a process for parsers: {reason}")


def _once(function: str, arguments: tuple[Any, ...]) -> Iterator[Any]:
    yield _resolve(function)(*arguments)


def _resolve(function: str) -> Any:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _serve(number: int) -> None:
    """Serve requests until the other end of the socket is closed. Runs in the worker process."""
    # Terminals and systemd signal all processes of a run; the parent decides when to end this one.
    for number_to_ignore in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number_to_ignore, signal.SIG_IGN)
    # The default action ends the process even in a C function that holds the interpreter lock.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # The parent may end at any time.
    with (
        contextlib.suppress(EOFError, ConnectionError),
        socket.socket(fileno=number) as connection,
        connection.makefile("rwb") as stream,
    ):
        cpu_seconds, memory_bytes, preload = pickle.load(stream)  # noqa: S301 - of the process that started this one
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        for module in preload:
            importlib.import_module(module)
        _answer(stream, _READY, None)
        while True:
            function, arguments = pickle.load(stream)  # noqa: S301
            _answer(stream, "end", _answer_request(stream, function, arguments, cpu_seconds))


def _answer_request(stream: Any, function: str, arguments: tuple[Any, ...], cpu_seconds: float) -> Failure | None:
    """Send the items of a function, and return its error, if any."""
    failure = None
    try:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        for item in _resolve(function)(*arguments):
            signal.setitimer(signal.ITIMER_PROF, 0)
            _answer(stream, "item", item)
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    except Exception as error:
        failure = describe_failure(error)
    signal.setitimer(signal.ITIMER_PROF, 0)
    return failure


def _answer(stream: Any, kind: str, value: Any) -> None:
    pickle.dump((kind, value), stream)
    stream.flush()
