"""``publish serve`` as a process: feeds and runner together, one end for both."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SiteKit

ROOT = Path(__file__).parent.parent.parent


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


class Serving:
    def __init__(self, kit: SiteKit, *options: str, port: int | None = None) -> None:
        if port is None:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self.log = kit.root.parent / f"serve-{port}.log"
        command = [sys.executable, "-m", "publisher", "serve", "--port", str(port), "--site", str(kit.root), *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


@pytest.fixture
def serve(kit: SiteKit) -> Iterator[Callable[..., Serving]]:
    begun: list[Serving] = []

    def start(*options: str, **more: Any) -> Serving:
        begun.append(Serving(kit, *options, **more))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_an_article_is_on_the_web_at_once_and_the_end_is_clean(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    kit.article("one.md", "One")
    serving = serve()
    until(lambda: get(f"{serving.url}/readyz") == (200, b"ready\n"))
    assert b"One" in get(f"{serving.url}/feeds/all.rss")[1]
    kit.article("two.md", "Two", date="2026-11-21")
    until(lambda: b"Two" in get(f"{serving.url}/feeds/all.rss")[1])
    assert get(f"{serving.url}/feeds/nothing.rss")[0] == 404
    # Where feeds are is a setting, too.
    kit.add_settings('\n[feeds]\nurl = "https://review.example/elsewhere"\n')
    until(lambda: get(f"{serving.url}/elsewhere/all.atom")[0] == 200)
    assert serving.end() == 0
    log = serving.log.read_text()
    assert "event=serving" in log and "event=stopped" in log and "Traceback" not in log


def test_ctrl_c_ends_it_too(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    serving = serve("--log", "json")
    until(lambda: get(f"{serving.url}/readyz")[0] == 200)
    assert serving.end(signal.SIGINT) == 0


def test_the_web_alone_reads_no_articles(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    kit.article()
    kit.publish()
    serving = serve("--no-run")
    until(lambda: get(f"{serving.url}/healthz")[0] == 200)
    assert get(f"{serving.url}/readyz")[0] == 200
    kit.article("two.md", "Two", date="2026-11-21")
    time.sleep(1)
    assert b"Two" not in get(f"{serving.url}/feeds/all.rss")[1]
    kit.publish()
    assert b"Two" in get(f"{serving.url}/feeds/all.rss")[1]
    assert serving.end() == 0


def test_publishing_that_fails_is_not_ready(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    kit.article()
    (kit.root / "feeds").write_text("in the way")
    serving = serve()
    until(lambda: b"publish has failed" in get(f"{serving.url}/readyz")[1])
    assert get(f"{serving.url}/readyz")[0] == 503 and get(f"{serving.url}/healthz")[0] == 200
    assert serving.end() == 0


def test_a_port_that_is_taken_is_said(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serving = serve("--no-run", port=taken.getsockname()[1])
        assert serving.process.wait(30) == 3
    assert "another server" in serving.log.read_text()


def test_a_runner_that_cannot_begin_ends_the_server(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    (kit.root / ".publish.runners").write_text("in the way")
    serving = serve()
    assert serving.process.wait(30) == 3
    assert "must be writable" in serving.log.read_text()
