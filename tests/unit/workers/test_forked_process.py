"""A forked process inherits only memory and one descriptor from its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from publisher.workers.forked_process import ForkedProcess, has_one_thread

#: The test runner has threads of its own; Python 3.12 and later warn about that.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def answer_of(work: Callable[[], Any]) -> Any:
    """Return what a function returns in a forked process."""
    ours, theirs = socket.socketpair()

    def send(descriptor: int) -> None:
        os.write(descriptor, json.dumps(work()).encode())

    process = ForkedProcess(send, theirs.fileno())
    theirs.close()
    with ours, ours.makefile() as stream:
        answer = stream.read()
    assert process.wait(10) == 0
    return json.loads(answer)


def test_all_descriptors_but_one_are_closed() -> None:
    """A compromised parser cannot use files or connections of its parent."""
    with tempfile.TemporaryFile() as file, socket.socket() as connection:

        def opened() -> dict[int, str]:
            links = {
                number: f"/proc/self/fd/{number}"
                for number in (int(path.name) for path in list(Path("/proc/self/fd").iterdir()))
            }
            return {number: str(Path(link).readlink()) for number, link in links.items() if os.path.lexists(link)}

        there = opened()
        assert {file.fileno(), connection.fileno()} <= set(there)
        left = {int(number): name for number, name in answer_of(opened).items()}
    assert [left.pop(number) for number in range(3)] == ["/dev/null"] * 3
    assert [name.partition(":")[0] for name in left.values()] == ["socket"]


def test_descriptors_are_closed_where_the_system_does_not_list_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /dev/fd, each possible number is closed."""
    with tempfile.TemporaryFile() as file:

        def is_open() -> bool:
            return Path(f"/proc/self/fd/{file.fileno()}").exists()

        def fail(path: Path) -> None:
            raise FileNotFoundError(path)

        monkeypatch.setattr(Path, "iterdir", fail)
        assert not has_one_thread()
        assert is_open()
        assert answer_of(is_open) is False


def test_signal_handlers_are_reset_and_signals_blocked() -> None:
    """A signal to all processes must not run the parent's handlers in the child."""

    def state() -> list[Any]:
        handler = signal.getsignal(signal.SIGUSR1)
        return [handler == signal.SIG_DFL, len(signal.pthread_sigmask(signal.SIG_BLOCK, ())) > 20]

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        assert answer_of(state) == [True, True]
        assert callable(signal.getsignal(signal.SIGUSR1))
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    ("end", "status"), [("pass", 0), ("raise SystemExit(0)", 1), ("1 / 0", 1), ("os.kill(os.getpid(), 9)", -9)]
)
def test_exit_handlers_and_buffers_are_left_to_the_parent(end: str, status: int) -> None:
    """The parent's output is written once, and its exit handlers run once."""
    program = f"""
        import atexit, os, socket, sys, tempfile
        from publisher.workers.forked_process import ForkedProcess, has_one_thread

        atexit.register(print, "exit handler")
        print("buffered")
        file = tempfile.NamedTemporaryFile("w")
        file.write("once")
        left, right = socket.socketpair()

        def work(descriptor):
            print("unseen")
            sys.stdout.flush()
            {end}

        assert has_one_thread()
        process = ForkedProcess(work, right.fileno())
        assert process.wait(10) == {status}, process.returncode
        file.flush()
        print(open(file.name).read())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, env=_buffered(), check=False
    )
    assert (done.stdout, done.stderr) == ("buffered\nonce\nexit handler\n", "")


def _buffered() -> dict[str, str]:
    """Return an environment in which output to a pipe is buffered."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def test_a_forked_process_can_be_awaited_and_killed() -> None:
    """Its methods behave like those of ``subprocess.Popen``."""
    ours, theirs = socket.socketpair()
    process = ForkedProcess(lambda descriptor: signal.pause(), theirs.fileno())
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait() == process.poll() == -signal.SIGKILL
    process.kill()
    for end in (ours, theirs):
        end.close()


def test_a_process_that_other_code_has_awaited_counts_as_ended() -> None:
    """A SIGCHLD handler may have read its status."""
    ours, theirs = socket.socketpair()
    process = ForkedProcess(lambda descriptor: None, theirs.fileno())
    os.waitpid(process.pid, 0)
    assert process.wait() == 0
    for end in (ours, theirs):
        end.close()


@pytest.mark.parametrize(
    ("before", "is_forked"),
    [
        ("", True),
        ("database = Database.open('sqlite://')", False),
        ("Database.open('sqlite://').close()", True),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", False),
    ],
)
def test_a_command_forks_its_parser_only_before_it_has_threads_or_a_database(before: str, is_forked: bool) -> None:
    """A copied open database may be written; a copied lock may never be released."""
    program = f"""
        import threading
        from publisher.cli.common import forked_parser
        from publisher.storage.engine import Database

        {before}
        with forked_parser() as worker:
            print(worker.pid is not None)
            print(worker.call("publisher.articles.parsers.registry:suffix_of", "a.MD"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{is_forked}\n.md\n"
