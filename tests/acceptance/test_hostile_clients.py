"""Hostile clients at a real server: slow, endless and fuzzed requests."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_serve import Serving, get
from tests.acceptance.test_subscriber_life import at_home, ended
from tests.conftest import MailKit, SiteKit
from tests.support.ports import free_port
from tests.support.waiting import until

__all__ = ["ended"]

#: What a process has in memory and which connections it holds is asked of Linux.
on_linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no /proc here")
HOST = b"Host: review.example\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
WHOLE = b"GET /feeds/all.rss HTTP/1.1\r\n" + HOST + b"\r\n"
#: What a client sends first, and then once a second.
SLOW = {
    "nothing": (b"", b""),
    "a header drop by drop": (b"GET /feeds/all.rss HTTP/1.1\r\n" + HOST, b"X: y\r\n"),
    "empty lines": (b"", b"\r\n"),
    "empty lines after a request": (WHOLE, b"\r\n"),
    "a body of what has none": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n", b"x"),
    "a form": (b"POST /newsletters/leave HTTP/1.1\r\n" + HOST + FORM + b"Content-Length: 9000\r\n\r\n", b"x"),
    "chunks": (b"POST /feeds/all.rss HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}
#: What a client sends first, and then without end.
ENDLESS = {
    "a header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: ", b"a" * 65_536),
    "headers": (b"GET / HTTP/1.1\r\n" + HOST, b"X: y\r\n" * 10_000),
    "an address": (b"GET /", b"a" * 65_536),
    "trailers": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 10_000),
    "the size of a chunk": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;",
        b"a" * 65_536,
    ),
}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Run one server for all tests: no client may affect another one."""
    kit = SiteKit(tmp_path_factory.mktemp("clients") / "site")
    kit.article(body="A long story. " * 30_000)
    kit.publish()
    one = Serving(kit, "--no-run", port=free_port())
    try:
        until(lambda: get(f"{one.url}/healthz")[0] == 200)
        yield one
        # Everybody else was served, and the end is clean.
        assert get(f"{one.url}/feeds/all.rss")[0] == 200
        assert one.end() == 0
        assert "Traceback" not in one.log.read_text() and "failed" not in one.log.read_text()
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def connect(serving: Serving) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])))
    made.settimeout(5)
    return made


def memory(serving: Serving) -> int:
    """Return how many MB the process has."""
    status = Path(f"/proc/{serving.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) // 1024


def is_over(one: socket.socket) -> bool:
    """Tell whether the other side has hung up; what it has said is passed over."""
    while select.select([one], [], [], 0)[0]:
        try:
            if not one.recv(65_536):
                return True
        except OSError:
            return True
    return False


@on_linux
@pytest.mark.slow(reason="160 slow clients, until the time limits of the server have passed: more than half a minute")
def test_slow_clients_are_disconnected(serving: Serving) -> None:
    """Clients that send a byte at a time, and clients that read nothing, do not keep a connection."""
    waiting = {(name, number): connect(serving) for name in SLOW for number in range(20)}
    for (name, _), one in waiting.items():
        one.sendall(SLOW[name][0])
    deaf = [connect(serving) for _ in range(20)]
    for number, one in enumerate(deaf):
        # Some ask for more meanwhile, some want the connection to end.
        one.sendall(
            WHOLE * (3 if number % 2 else 1)
            if number % 3
            else WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
    began = time.monotonic()
    while waiting and time.monotonic() - began < 90:
        for key, one in list(waiting.items()):
            with contextlib.suppress(OSError):
                one.sendall(SLOW[key[0]][1])
            if is_over(one):
                one.close()
                del waiting[key]
        assert get(f"{serving.url}/feeds/all.rss")[0] == 200
        time.sleep(1)
    assert {name for name, _ in waiting} == set()
    until(lambda: len(held_by(serving)) == 0, 60)
    for one in deaf:
        one.close()


def held_by(serving: Serving) -> list[str]:
    """Return the connections that the process has."""
    port = f"{int(serving.url.rpartition(':')[2]):04X}"
    inodes = set()
    for handle in Path(f"/proc/{serving.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(handle.readlink()).partition("[")[2].rstrip("]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # 0A is the one that listens.
    return [row[2] for row in rows if row[1].endswith(f":{port}") and row[3] != "0A" and row[9] in inodes]


@on_linux
@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_request_takes_no_memory(serving: Serving, name: str) -> None:
    """Headers, trailers or framing without end close the connection after a limit."""
    before = memory(serving)
    first, more = ENDLESS[name]
    sent = 0
    with connect(serving) as one:
        one.sendall(first)
        with contextlib.suppress(ConnectionError):
            while sent < 500_000_000:
                sent += one.send(more)
    # What is in between is in the system's own buffers.
    assert sent < 50_000_000 and memory(serving) - before < 50


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /\xff\xfe HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"GET / HTTP/9.9",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4",
        b"POST / HTTP/1.1\r\nContent-Length: -1",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999",
        b"GET / HTTP/1.1\r\n folded: header",
    ],
)
def test_data_that_is_not_http_is_rejected_without_filling_the_log(serving: Serving, request_line: bytes) -> None:
    """It is answered with 400 and counted."""
    with connect(serving) as one:
        one.sendall(request_line + b"\r\n" + HOST + b"\r\n")
        assert one.recv(65_536).startswith(b"HTTP/1.1 400 ")
        assert one.recv(1) == b""
    assert "nvalid" not in serving.log.read_text()


def test_an_upgrade_request_is_answered_in_http(serving: Serving) -> None:
    """A request for another protocol gets the page."""
    with connect(serving) as one:
        one.sendall(WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
        assert one.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert "WebSocket" not in serving.log.read_text()


@pytest.mark.slow(reason="25 fuzzed requests for each operation")
def test_every_request_that_the_openapi_description_allows_is_answered(
    mail_kit: MailKit, ended: list[Serving], tmp_path: Path
) -> None:
    """No request that schemathesis makes from the description ends in a server error or an undocumented answer."""
    from tests.support.smtp import Server

    kit = mail_kit
    with Server() as server:
        kit.mail(server.port)
        port = at_home(
            kit, '\n[web]\nhub = true\narticles = true\nform_limit = "100000/hour"\nnetwork_limit = "100000/hour"\n'
        )
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace("[mail]\n", f'[mail]\nunsubscribe = "http://127.0.0.1:{port}/newsletters/leave"\n'))
        kit.article("one.md", "One", topic="Water")
        kit.article("two.md", "Two", topic="Trade")
        kit.open_issue()
        serving = Serving(kit, "--no-run", port=port)
        ended.append(serving)
        until(lambda: get(f"{serving.url}/healthz")[0] == 200)
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "schemathesis"),
                "run",
                f"{serving.url}/openapi.json",
                "--checks",
                "not_a_server_error,status_code_conformance,content_type_conformance",
                "--max-examples",
                "25",
                "--phases",
                "examples,coverage,fuzzing",
                "--seed",
                "7",
                "--suppress-health-check",
                "all",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        assert serving.end() == 0
    assert "request failed" not in serving.log.read_text()
