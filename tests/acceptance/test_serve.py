"""``publish serve`` as a process: web server and runner together, with one end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from publisher.cli.serve import address_lines
from publisher.digests import store as issues
from publisher.signing.site_key import keyring
from tests.conftest import MailKit, SiteKit
from tests.support.chromium import connected
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.waiting import until

ROOT = Path(__file__).parent.parent.parent


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
        port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{port}"
        self.log = kit.root.parent / f"serve-{port}.log"
        command = ("publisher", "serve", "--port", str(port), "--site", str(kit.root), *options)
        with self.log.open("wb") as log:
            self.process = Process(*command, stdout=log, stderr=log)

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


def test_serve_serves_a_new_article_at_once_and_stops_cleanly(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    """Feeds are served at their configured path, and SIGTERM ends the process with exit status 0."""
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


def test_ctrl_c_stops_serve(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    """SIGINT ends the process with exit status 0."""
    serving = serve("--log", "json")
    until(lambda: get(f"{serving.url}/readyz")[0] == 200)
    assert serving.end(signal.SIGINT) == 0


def test_serve_prints_addresses_on_a_terminal(kit: SiteKit) -> None:
    """The addresses are on standard error and answer at once; the log on standard output has events only."""
    ours, theirs = pty.openpty()
    log = kit.root.parent / "serve.log"
    arguments = ("publisher", "serve", "--port", "0", "--log", "json", "--site", str(kit.root))
    with log.open("wb") as file:
        process = Process(*arguments, stdout=file, stderr=theirs)
    os.close(theirs)
    try:
        shown = b""
        while b"base_url" not in shown:
            shown += os.read(ours, 4096)
        urls = re.findall(r"http://127\.0\.0\.1:[1-9]\d*/\S*", shown.decode())
        assert [urlsplit(url).path for url in urls] == ["/", "/newsletters/", "/feeds/"]
        assert {url: get(url)[0] for url in urls[:2]} == dict.fromkeys(urls[:2], 200)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()].count("serving") == 1


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://127.0.0.1:81"),
        ("0.0.0.0", "http://127.0.0.1:81"),
        ("", "http://127.0.0.1:81"),
        ("::", "http://[::1]:81"),
        ("::1", "http://[::1]:81"),
        ("localhost", "http://localhost:81"),
        ("192.0.2.7", "http://192.0.2.7:81"),
    ],
)
def test_addresses_can_be_opened_on_this_machine(kit: SiteKit, host: str, origin: str) -> None:
    """A wildcard address is replaced by this machine's, and IPv6 addresses are in brackets."""
    assert [line.split()[-1] for line in address_lines(kit.site, host, 81)[1:4]] == [
        f"{origin}/",
        f"{origin}/newsletters/",
        f"{origin}/feeds/",
    ]


def test_addresses_have_the_paths_of_the_settings(kit: SiteKit) -> None:
    """A site below a path, with feeds at another one and without newsletters."""
    kit.settings('title = "R"\nbase_url = "https://a.example/mag"\n[feeds]\nurl = "https://f.example/rss"\n')
    assert address_lines(kit.site, "127.0.0.1", 81) == [
        "R is served. Ctrl-C stops it.",
        "  site         http://127.0.0.1:81/mag/",
        "  feeds        http://127.0.0.1:81/rss/",
        "  Links in the pages lead to https://a.example/mag/ (base_url in publisher.toml).",
    ]


def test_serve_without_the_runner_reads_no_articles(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    """With ``--no-run`` a new article is served after ``publish now`` only."""
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


def test_readyz_fails_while_publishing_fails(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    """``/readyz`` answers 503 with the reason, ``/healthz`` 200."""
    kit.article()
    (kit.root / "feeds").write_text("in the way")
    serving = serve()
    until(lambda: b"publish has failed" in get(f"{serving.url}/readyz")[1])
    assert get(f"{serving.url}/readyz")[0] == 503 and get(f"{serving.url}/healthz")[0] == 200
    assert serving.end() == 0


@pytest.mark.parametrize(
    ("width", "scheme", "scripts"),
    [
        (375, "light", False),
        (1280, "dark", True),
        pytest.param(375, "light", True, marks=pytest.mark.slow(reason="each of the three is in another case")),
        pytest.param(1280, "dark", False, marks=pytest.mark.slow(reason="each of the three is in another case")),
    ],
)
def test_a_person_unsubscribes_and_resubscribes(
    mail_kit: MailKit, chromium_address: str, width: int, scheme: str, scripts: bool
) -> None:
    """In a browser, by the link of a delivery, with axe-core on each page."""
    from axe_playwright_python.sync_playwright import Axe

    kit = mail_kit
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace("[mail]\n", '[mail]\nunsubscribe = "https://review.example/leave"\n'))
    kit.add_settings('\n[digests.other]\ntitle = "The Other"\n')
    kit.add_subscribers(1, digests=("daily", "other"))
    kit.issue("one")
    with kit.open() as db, db.write() as connection:
        row = next(row for row in issues.list_issues(connection) if row.digest == "daily")
        copy = keyring(kit.site, connection).delivery_token(row.id, 1)
    serving = Serving(kit, "--no-run")
    try:
        until(lambda: get(f"{serving.url}/healthz")[0] == 200)
        with connected(chromium_address) as browser:
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
            )
            page = context.new_page()
            console: list[str] = []
            page.on("console", lambda message: console.append(message.text))
            page.goto(f"{serving.url}/leave?copy={copy}")
            if scripts:
                # Axe brings a script of its own, which the page's policy lets nobody else do.
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.get_by_role("button", name="Unsubscribe from The Daily").click()
            assert page.get_by_role("heading", level=1).inner_text() == "You have unsubscribed from The Daily"
            page.get_by_role("button", name="That was a mistake").click()
            assert page.get_by_role("heading", level=1).inner_text() == "Welcome back"
            # With the keyboard alone.
            for key in ("Tab", "Enter", "Tab", "Enter"):
                # Skip the navigation with its link.
                page.keyboard.press(key)
            page.get_by_role("heading", name="You have unsubscribed from The Daily").wait_for()
            assert console == []
            if scripts:
                checked = browser.new_context(
                    viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
                )
                page = checked.new_page()
                page.goto(f"{serving.url}/leave?copy={copy}")
                found = Axe().run(page).response["violations"]
                assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        assert serving.end() == 0
    finally:
        if serving.process.poll() is None:
            serving.process.kill()
            serving.process.wait()


def test_a_port_in_use_is_reported(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    """The process ends with exit status 3 and says which options give it another address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serving = serve("--no-run", port=taken.getsockname()[1])
        assert serving.process.wait(30) == 3
    assert "Give another address with --host or --port" in serving.log.read_text()


def test_a_runner_that_cannot_start_ends_the_server(kit: SiteKit, serve: Callable[..., Serving]) -> None:
    """The server does not serve without its runner."""
    (kit.root / ".publish.runners").write_text("in the way")
    serving = serve()
    assert serving.process.wait(30) == 3
    assert "must be writable" in serving.log.read_text()
