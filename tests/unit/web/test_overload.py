"""The web server when the system, the database or the settings fail for a while."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from publisher.api.reports import Reports
from publisher.errors import PublisherError, StoreBusy
from publisher.storage.engine import Database
from publisher.web import Web, app, bounded_server
from publisher.web.bounded_server import Listener, most_connections
from publisher.web.metrics import Metrics
from publisher.web.rate_limits import network_of
from publisher.web.writers import FormWriters
from tests.conftest import SiteKit
from tests.support.web_visitor import Visitor

BASE = "https://review.example"


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    info = warning = error


class Connection:
    """An accepted connection of the server."""

    def __init__(self, *, is_waiting: bool) -> None:
        self.is_waiting_for_client = is_waiting
        self.wait_order = (1, 0.0)
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


class FullSocket:
    """A socket whose ``accept`` fails as it does when the system has no descriptor left."""

    def __init__(self, sock: socket.socket, failures: int) -> None:
        self._sock = sock
        self.failures = failures

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            self.failures -= 1
            raise OSError(23, "Too many open files in system")
        return self._sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


async def accepted(listener: Listener, port: int, count: int) -> int:
    """Connect a number of clients, and return how many connections the server has begun within some rounds."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    begun: list[socket.socket] = []

    async def begin(sock: socket.socket) -> None:
        begun.append(sock)

    listener._begin = begin  # type: ignore[method-assign]
    for _ in range(50):
        await asyncio.sleep(0.001)
    for sock in (*clients, *begun):
        sock.close()
    return len(begun)


@pytest.mark.parametrize("failures", [0, 2])
def test_a_server_without_free_descriptors_accepts_clients_later(
    monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """It waits a moment, and does not ask the system again and again."""
    monkeypatch.setattr(bounded_server, "PAUSE_SECONDS", 0.001)

    async def run() -> int:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            server: Any = SimpleNamespace(server_state=SimpleNamespace(connections=set()))
            full: Any = FullSocket(sock, failures)
            listener = Listener(server, full, 10)
            count = await accepted(listener, sock.getsockname()[1], 3)
            listener.close()
            listener.close()
            listener._resume()
            await listener.wait_closed()
            return count

    assert asyncio.run(run()) == 3


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_full_server_closes_the_slowest_client_or_waits(monkeypatch: pytest.MonkeyPatch, is_waiting: bool) -> None:
    """A client that gets its response is never closed for another one."""
    monkeypatch.setattr(bounded_server, "PAUSE_SECONDS", 0.001)
    connection = Connection(is_waiting=is_waiting)

    async def run() -> int:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            server: Any = SimpleNamespace(server_state=SimpleNamespace(connections={connection}))
            listener = Listener(server, sock, 1)
            count = await accepted(listener, sock.getsockname()[1], 1)
            listener.close()
            return count

    assert asyncio.run(run()) == 0
    assert connection.is_aborted is is_waiting


def test_a_client_that_leaves_at_once_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop cannot take its connection."""

    async def run() -> int:
        ours, theirs = socket.socketpair()
        with socket.create_server(("127.0.0.1", 0)) as sock, theirs:
            listener = Listener(SimpleNamespace(), sock, 1)  # type: ignore[arg-type]

            async def fail(*_: object) -> None:
                raise ConnectionResetError

            monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", fail)
            await listener._begin(ours)
        return ours.fileno()

    assert asyncio.run(run()) == -1


def test_the_number_of_connections_leaves_descriptors_for_files_and_mail() -> None:
    """With a very low limit, half of it."""
    assert most_connections(20_000, deliveries=10) < 20_000 - 10
    assert most_connections(20, deliveries=10) == 10


def test_metrics_at_an_address_in_use_are_an_error(kit: SiteKit) -> None:
    """The message names the address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(PublisherError, match=f"cannot listen on 127.0.0.1:{port} for metrics: Address already in"):
            Metrics(kit.site, lambda: "").serve("127.0.0.1", port)


def test_an_address_that_is_no_ip_address_is_a_network_of_its_own() -> None:
    """As of a client on a Unix socket behind a web server."""
    assert network_of("unix:") == "unix:"
    assert network_of("::ffff:198.51.100.7") == network_of("198.51.100.9") == "198.51.100.0/24"


def test_a_busy_database_is_a_503_with_the_time_to_try_again(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """On pages that read, and in forms that write."""
    kit.open().close()
    web = Web(kit.site)

    def fail(*_: object, **__: object) -> None:
        raise StoreBusy("another process is writing to it")

    monkeypatch.setattr(Database, "read", fail)
    answer = Visitor(web).get(f"{BASE}/newsletters/")
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    web.close()

    async def write() -> None:
        writers = FormWriters()
        try:
            await writers.run("form", 0, fail)
        finally:
            writers.close()

    with pytest.raises(Exception, match="503"):
        asyncio.run(write())


def test_a_form_gives_up_while_all_its_threads_wait_for_the_database() -> None:
    """It never runs later, when its person has sent it again."""
    calls: list[int] = []

    async def run() -> None:
        writers = FormWriters()
        with ThreadPoolExecutor(1) as threads:
            writers._threads["form"] = threads
            gate = asyncio.get_running_loop().create_future()
            loop = asyncio.get_running_loop()
            threads.submit(lambda: asyncio.run_coroutine_threadsafe(_wait(gate), loop).result())
            with pytest.raises(Exception, match="503"):
                await writers.run("form", 0.01, calls.append, 1)
            gate.set_result(None)
            await writers.run("form", 5, calls.append, 2)

    async def _wait(gate: asyncio.Future[None]) -> None:
        await gate

    asyncio.run(run())
    assert calls == [2]


def test_the_lifespan_of_the_server_stores_counts_and_survives_failures(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed check of the settings is logged, and the next one is made."""
    kit.open().close()
    log = Log()
    web = Web(kit.site, log=log)  # type: ignore[arg-type]
    monkeypatch.setattr(app, "SETTINGS_CHECK_SECONDS", 0.001)
    monkeypatch.setattr(app, "STORE_COUNTS_SECONDS", 0)
    checks: list[int] = []
    has_checked_twice = asyncio.Event()

    text = (kit.root / "publisher.toml").read_text("utf-8")

    def read(root: Path) -> None:
        checks.append(1)
        if len(checks) == 2:
            has_checked_twice.set()
        # The settings change again: the next check reads them, too.
        kit.settings(text + "\n" * (len(checks) + 1))
        raise RuntimeError("it failed")

    monkeypatch.setattr("publisher.settings.read.read_site", read)
    kit.settings(text + "\n")
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        if not received:
            await has_checked_twice.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": received.pop(0)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    received = ["lifespan.other", "lifespan.startup", "lifespan.other"]
    asyncio.run(web({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ("background check failed", {"reason": "RuntimeError: it failed"}) in log.events


def test_statistics_that_cannot_be_stored_are_logged(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """They never stop the server."""
    log = Log()
    web = Web(kit.site, log=log)  # type: ignore[arg-type]

    def fail(*_: object) -> None:
        raise PublisherError("the disk is full")

    monkeypatch.setattr(Reports, "record_feed_requests", fail)
    web.store_counts()
    web.close()
    assert log.events == [("statistics not saved", {"reason": "the disk is full"})]


def test_removed_settings_keep_the_server_running(kit: SiteKit) -> None:
    """As while an editor saves the file."""
    kit.open().close()
    web = Web(kit.site)
    (kit.root / "publisher.toml").unlink()
    web._check_settings()
    assert Visitor(web).get(f"{BASE}/healthz").status == 200
    web.close()
