"""Run modules of this project as processes, without the time that a new interpreter takes to import them."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent.parent
#: As of ``subprocess``.
PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL


#: This process's end of the control socket of its fork server, when there is one.
_CONTROL: list[socket.socket] = []


def use_control(control: socket.socket) -> None:
    """Have processes forked by the server of this socket."""
    _CONTROL[:] = [control]


def _control() -> socket.socket:
    """Return the control socket, and start the fork server of this test process first if there is none."""
    if _CONTROL:
        return _CONTROL[0]
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
        cwd=ROOT,
        pass_fds=[theirs.fileno()],
        stdin=DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait(30)

    atexit.register(end)
    use_control(ours)
    return ours


class Process:
    """A running ``python -m MODULE ARGUMENTS``, with the part of ``subprocess.Popen`` that tests use.

    Args:
        module: the module to run as ``__main__``.
        arguments: its command line.
        cwd: its working directory; this repository by default.
        env: its whole environment; that of this process by default.
        stdin: a file, or DEVNULL.
        stdout: a file, DEVNULL, or PIPE (kept for ``communicate``).
        stderr: a file, DEVNULL, PIPE, or STDOUT.
        descriptors: open files; their numbers in the process are its last arguments.
        umask: its umask; that of the fork server by default.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[bytes] | int = DEVNULL,
        stdout: IO[bytes] | int = DEVNULL,
        stderr: IO[bytes] | int = DEVNULL,
        descriptors: Sequence[int] = (),
        umask: int | None = None,
    ) -> None:
        self.returncode: int | None = None
        self._name = " ".join((module, *arguments))
        self._channel, theirs = socket.socketpair()
        self._kept: dict[str, IO[bytes]] = {}
        try:
            streams = [self._stream("stdin", stdin), self._stream("stdout", stdout)]
            streams.append(streams[1] if stderr == STDOUT else self._stream("stderr", stderr))
            control = _control()
            socket.send_fds(control, [b"x"], [*streams, control.fileno(), theirs.fileno(), *descriptors])
            request = {
                "module": module,
                "arguments": arguments,
                "cwd": str(cwd or ROOT),
                "env": dict(os.environ if env is None else env),
                "umask": umask,
            }
            self._channel.sendall(json.dumps(request).encode() + b"\n")
        finally:
            theirs.close()
            if "null" in self._kept:
                self._kept.pop("null").close()
        self.pid = self._number()

    def _stream(self, name: str, wanted: IO[bytes] | int) -> int:
        if wanted == DEVNULL:
            if "null" not in self._kept:
                self._kept["null"] = Path(os.devnull).open("r+b", buffering=0)  # noqa: SIM115 - closed with the process
            return self._kept["null"].fileno()
        if wanted == PIPE:
            self._kept[name] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
            return self._kept[name].fileno()
        return wanted if isinstance(wanted, int) else wanted.fileno()

    def _number(self) -> int:
        """Read the next answer of the fork server: the process ID, and at the end the exit status."""
        line = b""
        while not line.endswith(b"\n"):
            data = self._channel.recv(1)
            if not data:
                raise RuntimeError(f"{self._name}: the fork server has ended; see its traceback above")
            line += data
        return int(line)

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._channel.settimeout(timeout)
            try:
                self.returncode = self._number()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self._name, timeout or 0) from None
            self._channel.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for the end, and return what was written to the streams that are PIPE."""
        self.wait(timeout)
        return self._written("stdout"), self._written("stderr")

    def _written(self, name: str) -> bytes:
        if name not in self._kept:
            return b""
        with self._kept.pop(name) as file:
            file.seek(0)
            return file.read()

    def send_signal(self, number: int) -> None:
        # The process may end after the poll, and the fork server then takes its exit status.
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_module(
    module: str,
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes = b"",  # noqa: A002 - as in subprocess.run
    timeout: float = 120,
    umask: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m MODULE ARGUMENTS`` to its end, as ``subprocess.run`` does.

    Raises:
        subprocess.TimeoutExpired: it did not end in time, and was killed.
    """
    with tempfile.TemporaryFile() as stdin:
        stdin.write(input)
        stdin.seek(0)
        process = Process(module, *arguments, cwd=cwd, env=env, stdin=stdin, stdout=PIPE, stderr=PIPE, umask=umask)
    try:
        stdout, stderr = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode is not None
    return subprocess.CompletedProcess((module, *arguments), process.returncode, stdout, stderr)


def run_publish(
    *arguments: str,
    cwd: Path | None = None,
    input: str = "",  # noqa: A002 - as in subprocess.run
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``publish ARGUMENTS`` to its end; keywords are added to its environment."""
    done = run_module("publisher", *arguments, cwd=cwd, env={**os.environ, **environment}, input=input.encode())
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def publish_output(root: Path, *arguments: str) -> str:
    """Return what ``publish ARGUMENTS`` prints about the site in a folder; it may skip some input."""
    done = run_publish(*arguments, "--site", str(root))
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def run_in_new_interpreter(
    *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``publish ARGUMENTS`` as a user starts it: for what an interpreter decides at its start, as its hash seed."""
    return subprocess.run(
        [sys.executable, "-m", "publisher", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
