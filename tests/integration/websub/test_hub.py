"""The WebSub hub, by what https://websub.rocks/hub and /publisher ask of one, and what strangers try."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import feedparser
import pytest

from publisher.errors import RemoteError
from publisher.http_client import CallbackClient
from publisher.web import Web
from publisher.websub import hub_store as hub
from publisher.websub.hub import HubReport, run_hub_tasks
from publisher.websub.notify import send_notifications
from tests.conftest import NOW, SiteKit
from tests.support.clocks import ManualClock
from tests.support.copies import Copies
from tests.support.ports import free_port
from tests.support.web_visitor import Response, Visitor

TOPIC = "https://review.example/feeds/all.atom"


@dataclass
class Told:
    headers: dict[str, str]
    body: bytes


@dataclass
class Subscriber:
    """A program that wants to be told."""

    url: str = ""
    #: What was asked of it: the fields of each question.
    asked: list[dict[str, str]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    #: Status of its answers; whether it returns the challenge.
    to_questions: int = 200
    to_content: list[int] = field(default_factory=lambda: [204])
    echoes: bool = True


@contextmanager
def subscriber() -> Iterator[Subscriber]:
    made = Subscriber()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            fields = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            made.asked.append(fields)
            self.send_response(made.to_questions)
            self.end_headers()
            self.wfile.write(fields.get("hub.challenge", "").encode() if made.echoes else b"hello")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.told.append(Told({name.lower(): value for name, value in self.headers.items()}, body))
            status = made.to_content.pop(0) if len(made.to_content) > 1 else made.to_content[0]
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", made.url)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/callback?id=7"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def furnish_hub(kit: SiteKit) -> None:
    """Give a new site a hub and an article, publish it, and let the hub work."""
    kit.add_settings('\n[web]\nhub = true\nhub_networks = ["127.0.0.0/8"]\n')
    kit.article("one.md", "One", topic="Water")
    kit.publish()
    with kit.open() as db:
        run_hub_tasks(kit.site, db, ManualClock(NOW).now)


class Hub:
    def __init__(self, kit: SiteKit) -> None:
        """Take a site of ``furnish_hub``."""
        self.kit = kit
        self.clock = ManualClock(NOW)
        self.woken: list[str] = []
        self.web = Web(kit.site, clock=self.clock, wake=self.woken.append)
        self.program = Visitor(self.web)

    def request(self, callback: str, mode: str = "subscribe", topic: str = TOPIC, **more: str) -> Response:
        fields = {"hub.mode": mode, "hub.topic": topic, "hub.callback": callback}
        return self.program.post(
            "https://review.example/hub", fields | {f"hub.{key}": one for key, one in more.items()}
        )

    def work(self) -> HubReport:
        with self.kit.open() as db:
            return run_hub_tasks(self.kit.site, db, self.clock.now)

    def change(self, name: str, *, work: bool = True) -> None:
        self.clock.advance(minutes=1)
        self.kit.article(f"{name}.md", name.title(), topic="Water")
        self.kit.publish(self.clock.now())
        with self.kit.open() as db:
            send_notifications(db, self.kit.site, self.clock.now())

    @property
    def subscriptions(self) -> dict[str, int]:
        with self.kit.open() as db, db.read() as connection:
            return hub.subscriptions_by_topic(connection, int(self.clock.now().timestamp()))


@pytest.fixture(params=["sqlite", "postgresql"])
def there(request: pytest.FixtureRequest, tmp_path: Path, copies: Copies) -> Iterator[Hub]:
    """A site with a hub, whose store is SQLite once and PostgreSQL once."""
    with copies.copy(request.param, furnish_hub, tmp_path / "site") as kit:
        made = Hub(kit)
        yield made
        made.web.close()


# -- https://websub.rocks/hub --------------------------------------------------------------------------


def test_100_a_typical_subscriber(there: Hub) -> None:
    with subscriber() as one:
        answer = there.request(one.url)
        assert answer.status == 202 and there.woken == ["hub"] and one.asked == []
        there.work()
        (asked,) = one.asked
        assert asked["id"] == "7" and asked["hub.mode"] == "subscribe" and asked["hub.topic"] == TOPIC
        assert len(asked["hub.challenge"]) > 20 and asked["hub.lease_seconds"] == "864000"
        there.change("two")
        (told,) = one.told
    assert told.headers["content-type"] == "application/atom+xml"
    assert told.headers["link"] == f'<{TOPIC}>; rel="self", <https://review.example/hub>; rel="hub"'
    assert "x-hub-signature" not in told.headers
    assert told.body == (there.kit.root / "feeds/all.atom").read_bytes() and b"Two" in told.body


def test_101_a_subscriber_with_a_secret(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url, secret="geheim & more")
        there.work()
        there.change("two")
        (told,) = one.told
    mark = hmac.new(b"geheim & more", told.body, hashlib.sha256).hexdigest()
    assert told.headers["x-hub-signature"] == f"sha256={mark}"


def test_102_a_subscriber_that_says_more(there: Hub) -> None:
    with subscriber() as one:
        assert there.request(one.url, foo="bar", verify="async").status == 202
        there.work()
    assert there.subscriptions == {"all.atom": 1}


def test_103_a_subscriber_that_subscribes_again(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url, secret="first")
        there.work()
        there.request(one.url, secret="second", lease_seconds="1000")
        there.work()
        assert there.subscriptions == {"all.atom": 1} and one.asked[1]["hub.lease_seconds"] == "1000"
        there.change("two")
        (told,) = one.told
    assert told.headers["x-hub-signature"].endswith(hmac.new(b"second", told.body, hashlib.sha256).hexdigest())


def test_104_a_subscriber_that_leaves(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        there.request(one.url, "unsubscribe")
        there.work()
        assert one.asked[1]["hub.mode"] == "unsubscribe" and "hub.lease_seconds" not in one.asked[1]
        there.change("two")
        assert one.told == [] and there.subscriptions == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("all.rss", "application/rss+xml"),
        ("all.json", "application/feed+json"),
        ("topic/water.atom", "application/atom+xml"),
    ],
)
def test_105_106_every_kind_of_content(there: Hub, name: str, kind: str) -> None:
    with subscriber() as one:
        there.request(one.url, topic=f"https://review.example/feeds/{name}")
        there.work()
        there.change("two")
        (told,) = one.told
    assert told.headers["content-type"] == kind and told.body == (there.kit.root / "feeds" / name).read_bytes()


# -- https://websub.rocks/publisher: where a subscriber finds hub and topic --------------------------------


@pytest.mark.parametrize("suffix", ["rss", "atom", "json"])
def test_1_2_3_feeds_name_hub_and_self_in_headers_and_body(there: Hub, suffix: str) -> None:
    address = f"https://review.example/feeds/all.{suffix}"
    answer = there.program.get(address)
    assert answer.headers["link"] == f'<{address}>; rel="self", <https://review.example/hub>; rel="hub"'
    if suffix == "json":
        assert '"https://review.example/hub"' in answer.text
    else:
        links = {(one["rel"], one["href"]) for one in feedparser.parse(answer.body).feed.links}
        assert {("hub", "https://review.example/hub"), ("self", address)} <= links


# -- what may go wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "echoes"), [(200, False), (404, True), (302, True)])
def test_who_did_not_mean_it_is_told_nothing(there: Hub, status: int, echoes: bool) -> None:
    with subscriber() as one:
        one.to_questions, one.echoes = status, echoes
        there.request(one.url)
        there.work()
        there.change("two")
        there.clock.advance(hours=1)
        there.work()
        assert there.subscriptions == {} and one.told == [] and len(one.asked) == 1


def test_nobody_is_unsubscribed_by_a_stranger(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        one.echoes = False
        there.request(one.url, "unsubscribe")
        there.work()
    assert there.subscriptions == {"all.atom": 1}


def test_a_callback_that_is_away_for_a_while_is_asked_and_told_again(there: Hub) -> None:
    with subscriber() as one:
        one.to_questions = 503
        there.request(one.url)
        assert there.work().failed
        one.to_questions = 200
        assert there.work().subscribed == 0
        there.clock.advance(minutes=1)
        assert there.work().subscribed == 1
        one.to_content = [500, 429, 200]
        there.change("two")
        there.clock.advance(minutes=1)
        there.work()
        there.clock.advance(minutes=2)
        assert there.work().delivered == 1
        assert len(one.told) == 3 and there.work().delivered == 0


def test_what_was_not_told_yet_is_told_as_it_is_then(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        one.to_content = [500, 200]
        there.change("two")
        there.change("three")
        there.clock.advance(hours=1)
        there.work()
        assert [b"Three" in told.body for told in one.told] == [False, True]


def test_a_callback_that_is_gone_is_dropped(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        one.to_content = [410]
        there.change("two")
        assert there.subscriptions == {}
        there.change("three")
        assert len(one.told) == 1


def test_a_redirect_is_not_followed(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        one.to_content = [307]
        there.change("two")
        assert len(one.told) == 1


def test_a_lease_ends(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url, lease_seconds="600")
        there.work()
        there.clock.advance(seconds=601)
        there.change("two")
        assert one.told == [] and there.subscriptions == {}


def test_an_unchanged_feed_tells_nobody(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        there.kit.publish(there.clock.now())
        with there.kit.open() as db:
            send_notifications(db, there.kit.site, there.clock.now())
        assert one.told == []


# Refused before the database is asked.
@pytest.mark.parametrize("there", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"mode": "publish"}, "hub.mode"),
        ({"topic": "https://evil.example/feeds/all.atom"}, "hub.topic"),
        ({"topic": "https://review.example/feeds/../publisher.toml"}, "hub.topic"),
        ({"topic": "https://review.example/feeds/none.atom"}, "hub.topic"),
        ({"topic": "https://review.example/feeds/index.html"}, "hub.topic"),
        ({"topic": "https://review.example/feeds/archive/all/1.atom"}, "hub.topic"),
        ({"callback": "ftp://example.org/"}, "hub.callback"),
        ({"callback": "http://user@example.org/"}, "hub.callback"),
        ({"callback": "http://example.org/#x"}, "hub.callback"),
        ({"callback": "http://example.org/" + "a" * 2000}, "hub.callback"),
        ({"callback": "http://example.org/\r\nX: y"}, "hub.callback"),
        ({"callback": ""}, "hub.callback"),
        ({"callback": "http://["}, "hub.callback"),
        ({"callback": "http://example.org:99999/"}, "hub.callback"),
        ({"callback": "http://example.org:x/"}, "hub.callback"),
        ({"topic": "http://["}, "hub.topic"),
        ({"secret": "x" * 200}, "hub.secret"),
        ({"lease_seconds": "soon"}, "hub.lease_seconds"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(there: Hub, fields: dict[str, str], word: str) -> None:
    asked: dict[str, Any] = {"callback": "http://example.org/", **fields}
    answer = there.request(asked.pop("callback"), **asked)
    assert answer.status == 400 and word in answer.text


def test_a_site_without_a_hub_has_none(kit: SiteKit) -> None:
    kit.article()
    kit.publish()
    web = Web(kit.site)
    assert Visitor(web).post("https://review.example/hub", {"hub.mode": "subscribe"}).status == 405
    assert "hub" not in Visitor(web).get("https://review.example/feeds/all.rss").headers["link"]
    web.close()


# -- addresses of strangers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b:1::1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f.1",
    ],
)
def test_nothing_that_is_not_on_the_internet_is_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with CallbackClient() as remote, pytest.raises(RemoteError) as caught:
        remote.request("GET", f"http://{host}:8080/")
    assert caught.value.is_final, caught.value


def test_a_name_that_leads_elsewhere_a_moment_later_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["203.0.114.9", "127.0.0.1"]
    connected: list[Any] = []

    def lookup(host: str, port: int, *_: object, **__: object) -> list[Any]:
        address = host if re.fullmatch(r"[\d.]+", host) else answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(self: socket.socket, where: Any) -> None:
        connected.append(where)
        raise OSError("no way")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with CallbackClient() as remote, pytest.raises(RemoteError):
        remote.request("GET", "http://rebinding.example/")
    assert connected == [("203.0.114.9", 80)]


@pytest.mark.parametrize("port", [22, 25, 143, 445, 993])
def test_ports_of_other_services_are_not_requested(port: int) -> None:
    with CallbackClient(["127.0.0.0/8"]) as remote, pytest.raises(RemoteError, match=f"port {port} is not allowed"):
        remote.request("GET", f"http://127.0.0.1:{port}/")


def test_a_private_callback_is_refused_for_good(any_kit: SiteKit) -> None:
    furnish_hub(any_kit)
    there = Hub(any_kit)
    path = any_kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('hub_networks = ["127.0.0.0/8"]\n', ""))
    with subscriber() as one:
        there.request(one.url)
        (said,) = there.work().failed
        assert "is not a public address" in said and "callback?id" not in said
        there.clock.advance(days=1)
        assert there.work().failed == [] and one.asked == []
    there.web.close()


def test_a_server_that_does_not_answer_keeps_nobody_waiting(there: Hub) -> None:
    port = free_port()
    with there.kit.open() as db, db.write() as connection:
        for number in range(90):
            hub.add_task(connection, "all.atom", f"http://127.0.0.1:{port}/{number}", "subscribe", int(NOW.timestamp()))
    with subscriber() as one:
        there.request(one.url)
        report = there.work()
    assert report.subscribed == 1 and len(report.failed) == 90
    assert sum("a moment ago" in line for line in report.failed) > 60


def test_two_runners_tell_once(there: Hub) -> None:
    with subscriber() as one:
        there.request(one.url)
        there.work()
        with there.kit.open() as db, db.write() as connection:
            now = int(there.clock.now().timestamp())
            assert hub.queue_content(connection, "all.atom", now) == 1
            assert len(hub.claim_tasks(connection, now, lease=120, limit=10)) == 1
            assert hub.claim_tasks(connection, now, lease=120, limit=10) == []
        assert there.work().delivered == 0
        # The one that took it died.
        there.clock.advance(seconds=timedelta(minutes=3).total_seconds())
        assert there.work().delivered == 1
