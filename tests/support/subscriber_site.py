"""A published site whose web pages a visitor uses: they subscribe, change preferences and unsubscribe."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from publisher.context import Context
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers.store import Subscriber
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from publisher.web import Web
from tests.conftest import NOW, MailKit
from tests.support.clocks import ManualClock
from tests.support.smtp import Server
from tests.support.web_visitor import ReceivedEmail, Response, Visitor, received_emails

BASE = "https://review.example/newsletters"
ANN = "ann@mail.example.org"


#: The port of the mail server in the settings, until a test has started one.
NO_PORT = 1


def publish_subscriber_site(kit: MailKit) -> None:
    """Give a new site two newsletters and two articles, and publish it."""
    kit.mail(NO_PORT)
    kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\nsend = "auto"\n')
    kit.article("one.md", "One", topic="Water", region="Africa")
    kit.article("two.md", "Two", topic="Trade", region="Asia")
    kit.open_issue()
    kit.open_issue("weekly")


class SubscriberSite:
    """A site of ``publish_subscriber_site``, its web application, its mail server, and a visitor."""

    def __init__(self, kit: MailKit, server: Server) -> None:
        """Configure the mail server in the settings of the site."""
        self.kit = kit
        self.server = server
        kit.settings(
            (kit.root / "publisher.toml").read_text("utf-8").replace(f"port = {NO_PORT}\n", f"port = {server.port}\n")
        )
        self.clock = ManualClock(NOW)
        #: Names of the background jobs that requests have woken.
        self.wakeups: list[str] = []
        self.web = Web(kit.site, clock=self.clock, wake=self.wakeups.append)
        self.visitor = Visitor(self.web)

    def replace_setting(self, old: str, new: str) -> None:
        """Replace text in ``publisher.toml``, and restart the web application."""
        path = self.kit.root / "publisher.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        self.web.close()
        self.web = Web(self.kit.site, clock=self.clock)
        self.visitor = Visitor(self.web)

    def advance(self, **span: float) -> None:
        """Advance the clock; keywords are those of ``timedelta``."""
        self.clock.advance(**span)

    def context(self, db: Database) -> Context:
        """Return what a use case is given, with the clock of the site."""
        return Context(site=self.kit.site, db=db, now=self.clock.now(), clock=self.clock)

    def deliver_emails(self) -> list[ReceivedEmail]:
        """Send the queued confirmation emails, and return those that were received since the last call."""
        before = len(self.server.accepted)
        with self.kit.open() as db:
            send_confirmation_emails(self.context(db))
        return received_emails(self.server)[before:]

    def subscriber(self, address: str = ANN) -> Subscriber | None:
        """Return the stored subscriber, or None."""
        with self.kit.open() as db, db.read() as connection:
            return subscribers.find_by_key(connection, address)

    def subscribe(self, address: str = ANN, digests: tuple[str, ...] = ("daily",), **fields: object) -> Response:
        """Submit the subscribe form."""
        return self.visitor.post(f"{BASE}/join", {"address": address, "digest": digests, **fields})

    def subscribe_and_confirm(self, address: str = ANN, **fields: object) -> str:
        """Subscribe an address and confirm it, and return the URL of its preferences."""
        self.subscribe(address, **fields)
        (email,) = self.deliver_emails()
        response = self.visitor.post(email.link, {"yes": "yes"})
        assert response.heading == "Welcome"
        return href_of(response, "preferences")

    def submit_preferences(self, link: str, do: str, **fields: object) -> Response:
        """Press the button ``do`` on a page of preferences."""
        return self.visitor.post(link, {"do": do, **fields})


def href_of(response: Response, part: str) -> str:
    """Return the first link of a page that contains a text."""
    return next(html.unescape(url) for url in re.findall(r'href="([^"]+)"', response.text) if part in url)


def call_at_once(calls: Sequence[Callable[[], Response]]) -> list[Response]:
    """Make all calls at the same time, each in its thread, and return their responses in order."""
    barrier = threading.Barrier(len(calls))

    def wait_and_call(call: Callable[[], Response]) -> Response:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(wait_and_call, calls))
