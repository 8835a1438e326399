"""More slow connections than file descriptors: ``publish serve`` goes on publishing and answering."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from publisher.web.bounded_server import most_connections
from tests.acceptance.test_serve import get
from tests.conftest import SiteKit
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and sets limits as Linux does")
ROOT = Path(__file__).parent.parent.parent
LIMIT = 1024


class Limited:
    """``publish serve`` with a hard limit of descriptors."""

    def __init__(self, kit: SiteKit, limit: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = kit.root.parent / "serve.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "publisher", "serve", "--port", str(self.port), "--site", str(kit.root)]
            self.process = subprocess.Popen(
                ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "-", *command], cwd=ROOT, stdout=log, stderr=log
            )

    @property
    def descriptors(self) -> int:
        """The number of open descriptors."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@pytest.fixture
def limited(kit: SiteKit) -> Iterator[Callable[[int], Limited]]:
    made: list[Limited] = []

    def start(limit: int) -> Limited:
        made.append(Limited(kit, limit))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.mark.slow(reason="load: two thousand connections")
def test_two_thousand_slow_connections_stop_neither_publishing_nor_responses(
    kit: SiteKit, limited: Callable[[int], Limited]
) -> None:
    """A reserve of descriptors stays free for publishing, and the slowest clients make room for others."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 < hard < 2200:
        pytest.skip("this machine allows no 2,000 connections")
    kit.article("first.md", "First")
    serving = limited(LIMIT)
    until(lambda: get(f"{serving.url}/readyz")[0] == 200)
    slow = subprocess.Popen(
        [sys.executable, "-m", "tests.support.slow_connections", "127.0.0.1", str(serving.port), "2000"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert slow.stdout is not None and slow.stdout.readline() == b"open\n"
        until(lambda: serving.descriptors > LIMIT // 2)
        most = 0
        for number in range(5):
            kit.article(f"n{number}.md", f"Number {number}", date="2026-11-21")
            until(lambda number=number: f"Number {number}".encode() in (kit.root / "feeds" / "all.rss").read_bytes())
            most = max(most, serving.descriptors)
        # Somebody else is answered meanwhile.
        until(lambda: get(f"{serving.url}/readyz")[0] == 200)
        until(lambda: b"Number 4" in get(f"{serving.url}/feeds/all.rss")[1])
        assert most < LIMIT - 100
    finally:
        slow.communicate()
    log = serving.log.read_text()
    assert "Too many open files" not in log and "level=error" not in log
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(60) == 0


def test_a_full_server_answers_a_new_client(kit: SiteKit, limited: Callable[[int], Limited]) -> None:
    """Clients that have sent nothing for longest are closed for it, and the bound holds."""
    serving = limited(256)
    until(lambda: get(f"{serving.url}/healthz")[0] == 200)
    clients = []
    for _ in range(300):
        clients.append(socket.create_connection(("127.0.0.1", serving.port), timeout=20))
        if len(clients) > 130:
            clients[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in clients[-1].recv(1000)
    assert serving.descriptors < 256 - 50
    for client in clients:
        client.close()


def test_the_limit_of_connections_leaves_a_reserve() -> None:
    """The bound follows from the limit of descriptors and the connections to mail servers."""
    assert most_connections(20_000, deliveries=10) == 19_690
    assert most_connections(1_024, deliveries=10) == 714
    assert most_connections(1_024, deliveries=200) == 524
    assert most_connections(256, deliveries=200) == 128


def test_the_limit_of_file_descriptors_is_raised_if_allowed() -> None:
    """A process asks for 20,000 descriptors and gets what the hard limit allows."""
    code = (
        "import resource, sys; from publisher.cli.common import raise_descriptor_limit; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1]))); "
        "print(raise_descriptor_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code, "600"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["600", "600", "600"]
