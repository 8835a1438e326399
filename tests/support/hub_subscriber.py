"""A WebSub subscriber whose callback records what it gets, and the settings of a hub."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from publisher.web import Web
from publisher.websub import hub_store as hub
from publisher.websub.hub import HubReport, run_hub_tasks
from tests.conftest import NOW, SiteKit
from tests.support.clocks import ManualClock
from tests.support.use_cases import context_of, send_notifications
from tests.support.web_visitor import Response, Visitor

TOPIC = "https://review.example/feeds/all.atom"


@dataclass
class ReceivedContent:
    headers: dict[str, str]
    body: bytes


@dataclass
class Subscriber:
    """A WebSub subscriber with its callback URL."""

    url: str = ""
    #: The query fields of each verification request.
    verifications: list[dict[str, str]] = field(default_factory=list)
    received: list[ReceivedContent] = field(default_factory=list)
    #: The statuses of its responses, and whether it returns the challenge.
    verification_status: int = 200
    content_statuses: list[int] = field(default_factory=lambda: [204])
    returns_challenge: bool = True


@contextmanager
def subscriber() -> Iterator[Subscriber]:
    made = Subscriber()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            fields = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            made.verifications.append(fields)
            self.send_response(made.verification_status)
            self.end_headers()
            self.wfile.write(fields.get("hub.challenge", "").encode() if made.returns_challenge else b"hello")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.received.append(ReceivedContent({name.lower(): value for name, value in self.headers.items()}, body))
            status = made.content_statuses.pop(0) if len(made.content_statuses) > 1 else made.content_statuses[0]
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


def configure_hub(kit: SiteKit) -> None:
    """Configure a hub in a new site, publish an article, and run the tasks of the hub."""
    kit.add_settings('\n[web]\nhub = true\nhub_networks = ["127.0.0.0/8"]\n')
    kit.article("one.md", "One", topic="Water")
    kit.publish()
    with kit.open() as db:
        run_hub_tasks(context_of(kit.site, db, NOW))


class HubSite:
    def __init__(self, kit: SiteKit) -> None:
        """Open a site that ``configure_hub`` prepared."""
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
            return run_hub_tasks(context_of(self.kit.site, db, self.clock.now()))

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
