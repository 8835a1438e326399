"""The process for untrusted input, and its behaviour at its limits."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import PublisherError
from publisher.workers.timed_worker import TimedWorker, WorkerStopped

HERE = "tests.unit.workers.test_timed_worker"

pytestmark = [
    pytest.mark.usefixtures("new_interpreters"),
    # The test runner has threads of its own; Python 3.12 and later warn about that.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # The functions below are called in the process.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.fixture(params=["program", "fork"])
def new_worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TimedWorker]]:
    """Make workers whose process is a program, and workers whose process is forked."""
    workers: list[TimedWorker] = []
    # The threads of the test runner hold no lock that the process needs.
    monkeypatch.setattr("publisher.workers.timed_worker.has_one_thread", lambda: True)

    def make(**limits: Any) -> TimedWorker:
        workers.append(TimedWorker(**limits))
        if request.param == "fork":
            assert workers[-1].fork()
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def count_to(number: int) -> Iterator[int]:
    yield from range(number)


def spin_at(bad: int) -> Iterator[int]:
    for number in range(5):
        if number == bad:
            # In C, with the interpreter lock held.
            re.match(r"(a+)+$", "a" * 64 + "b")
        yield number


def take_memory() -> Iterator[int]:
    yield len(bytearray(3 << 30))


def die(number: int) -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), number)


def wait() -> Iterator[int]:
    import time

    time.sleep(60)
    yield 1


def fail() -> Iterator[int]:
    yield 1
    raise LookupError("unexpected")


def modules() -> list[str]:
    return sorted(sys.modules)


def double(number: int) -> int:
    return number * 2


def test_items_come_in_order_from_one_warm_process(new_worker: Callable[..., TimedWorker]) -> None:
    """The process is started once and serves one request after the other."""
    with new_worker() as worker:
        assert list(worker.iterate(f"{HERE}:count_to", 3)) == [0, 1, 2]
        first = worker.pid
        assert worker.call(f"{HERE}:double", 21) == 42
        assert worker.pid == first
        assert first != os.getpid()
    assert worker.pid is None


def test_a_process_that_takes_too_long_is_stopped_and_started_again(new_worker: Callable[..., TimedWorker]) -> None:
    """Earlier items are kept, the reason names the limit, and the next request succeeds."""
    with new_worker(cpu_seconds=0.5) as worker:
        got: list[int] = []
        with pytest.raises(WorkerStopped, match=r"it took more than 0\.5 seconds of processor time"):
            got.extend(worker.iterate(f"{HERE}:spin_at", 2))
        assert worker.call(f"{HERE}:double", 4) == 8


def test_the_time_limit_applies_to_each_item(new_worker: Callable[..., TimedWorker]) -> None:
    """A file with many records may take longer than the limit in total."""
    with new_worker(cpu_seconds=0.5) as worker:
        assert list(worker.iterate(f"{HERE}:spin_at", 9)) == [0, 1, 2, 3, 4]


def test_memory_is_limited(new_worker: Callable[..., TimedWorker]) -> None:
    """A process that exceeds the limit gets an error."""
    with new_worker(memory_bytes=1 << 30) as worker, pytest.raises(PublisherError, match="MemoryError"):
        list(worker.iterate(f"{HERE}:take_memory"))


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGKILL, "no memory left"), (signal.SIGSEGV, rf"crashed \(signal {int(signal.SIGSEGV)}\)")],
)
def test_the_reason_names_a_crash_or_a_kill(number: int, reason: str, new_worker: Callable[..., TimedWorker]) -> None:
    """The two have different messages."""
    with new_worker() as worker, pytest.raises(WorkerStopped, match=reason):
        list(worker.iterate(f"{HERE}:die", int(number)))


def test_a_process_that_waits_without_working_is_stopped(new_worker: Callable[..., TimedWorker]) -> None:
    """A hanging disk uses no processor time, so wall-clock time is limited too."""
    with new_worker(wall_seconds=0.2) as worker, pytest.raises(WorkerStopped, match=r"more than 0\.2 seconds"):
        # The limit is for answers; starting has its own.
        list(worker.iterate(f"{HERE}:wait"))


def test_an_error_of_the_function_is_raised_in_the_parent(new_worker: Callable[..., TimedWorker]) -> None:
    """The process stays usable after the error."""
    with new_worker() as worker:
        with pytest.raises(PublisherError, match="LookupError: unexpected"):
            list(worker.iterate(f"{HERE}:fail"))
        assert worker.call(f"{HERE}:double", 1) == 2


def test_unread_items_are_not_taken_for_items_of_the_next_request(new_worker: Callable[..., TimedWorker]) -> None:
    """An abandoned request ends the process."""
    with new_worker() as worker:
        items = worker.iterate(f"{HERE}:count_to", 100)
        assert next(items) == 0
        items.close()  # type: ignore[attr-defined]
        assert list(worker.iterate(f"{HERE}:count_to", 2)) == [0, 1]


def test_a_closed_worker_rejects_requests(new_worker: Callable[..., TimedWorker]) -> None:
    """A run that ends starts no process and rejects no file."""
    worker = new_worker()
    threading.Timer(1, worker.close).start()
    with pytest.raises(PublisherError, match="ended with the run"):
        list(worker.iterate(f"{HERE}:wait"))
    with pytest.raises(PublisherError, match="ended with the run"):
        list(worker.iterate(f"{HERE}:count_to", 1))
    assert worker.pid is None


def test_a_worker_can_be_closed_by_another_thread_during_a_call(new_worker: Callable[..., TimedWorker]) -> None:
    """A stopped run gets the same error at whatever moment the runner closes the worker."""
    for delay in (0.0, 0.001, 0.01, 0.02, 0.05):
        worker = new_worker()
        worker.start()
        closing = threading.Timer(delay, worker.close)
        with pytest.raises(PublisherError, match="the next run parses these files"):
            closing.start()
            while True:
                for _ in worker.iterate(f"{HERE}:count_to", 50):
                    pass
        closing.join()


def test_a_process_that_cannot_be_started_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is not reported as a broken article."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nonexistent/python")
        with pytest.raises(PublisherError, match="cannot start a process for parsers"):
            list(TimedWorker().iterate(f"{HERE}:count_to", 1))
    monkeypatch.setattr("publisher.workers.timed_worker.PROGRAM", "raise SystemExit(7)")
    with pytest.raises(PublisherError, match="ended with status 7"):
        list(TimedWorker().iterate(f"{HERE}:count_to", 1))


def test_a_process_is_started_on_first_use() -> None:
    """An unused worker has no process."""
    with TimedWorker() as worker:
        assert worker.pid is None
        assert worker.call(f"{HERE}:double", 1) == 2
        assert worker.pid is not None


def test_a_stopped_forked_process_is_replaced_by_a_new_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """By then a database may be open, so another fork would be unsafe."""
    monkeypatch.setattr("publisher.workers.timed_worker.has_one_thread", lambda: True)
    with TimedWorker(cpu_seconds=0.5) as worker:
        assert worker.fork()
        forked = worker.pid
        worker.start()
        assert worker.pid == forked
        assert not worker.fork()
        assert "pytest" in worker.call(f"{HERE}:modules")
        with pytest.raises(WorkerStopped, match="processor time"):
            list(worker.iterate(f"{HERE}:spin_at", 0))
        worker.start()
        assert worker.pid != forked
        assert "tests.conftest" not in worker.call(f"{HERE}:modules")
    with pytest.raises(PublisherError, match="ended with the run"):
        worker.fork()


def test_a_process_with_several_threads_is_not_forked() -> None:
    """Another thread may hold a lock that is never released in the copy."""
    is_over = threading.Event()
    thread = threading.Thread(target=is_over.wait)
    thread.start()
    with TimedWorker() as worker:
        assert not worker.fork()
        assert worker.pid is None
    is_over.set()
    thread.join()


def test_the_process_imports_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It imports only parsers, and no module from the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "socket.py").write_text("raise SystemExit(9)")
    with TimedWorker() as worker:
        assert worker.call("publisher.articles.parsers.registry:suffix_of", "a.MD") == ".md"
        loaded = worker.call(f"{HERE}:modules")
    assert "publisher.articles.parsers.markdown" in loaded
    assert not {"sqlalchemy", "pydantic", "click", "lxml"} & (set(loaded) - {"pytest"})


def test_a_process_can_be_started_before_it_is_needed() -> None:
    """It imports its modules while the parent does other work."""
    with TimedWorker(preload=["sched"]) as worker:
        worker.start()
        early = worker.pid
        assert early is not None
        assert "sched" in worker.call(f"{HERE}:modules")
        assert worker.pid == early
    with pytest.raises(PublisherError, match="ended with the run"):
        worker.start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_worker_ignores_signals_to_all_processes_of_a_run(
    number: int, new_worker: Callable[..., TimedWorker]
) -> None:
    """A stop of the service must not look like a crash of a parser."""
    with new_worker() as worker:
        list(worker.iterate(f"{HERE}:die", int(number)))
        assert worker.pid is not None


@pytest.mark.parametrize(("number", "is_transient"), [(signal.SIGKILL, True), (signal.SIGSEGV, False)])
def test_a_kill_from_outside_is_transient_and_a_crash_is_not(
    number: int, is_transient: bool, new_worker: Callable[..., TimedWorker]
) -> None:
    """A retry may succeed after a kill, but not after a crash."""
    with new_worker() as worker, pytest.raises(WorkerStopped) as caught:
        list(worker.iterate(f"{HERE}:die", int(number)))
    assert caught.value.is_transient is is_transient
