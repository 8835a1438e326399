"""A site with readers who join and choose by themselves, their mail server, and somebody who visits."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from publisher.subscribers import store as subscribers
from publisher.subscribers.store import Subscriber
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from publisher.web import Web
from tests.conftest import NOW, MailKit
from tests.support.clocks import SetClock
from tests.support.smtp import Server
from tests.support.web_visitor import Answer, Mail, Visitor, mail_of

BASE = "https://review.example/newsletters"
ANN = "ann@mail.example.org"


#: Of the SMTP server, until there is one.
NO_PORT = 1


def furnish(kit: MailKit) -> None:
    """Give a new site two newsletters and two articles, and publish it."""
    kit.mail(NO_PORT)
    kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\nsend = "auto"\n')
    kit.article("one.md", "One", topic="Water", region="Africa")
    kit.article("two.md", "Two", topic="Trade", region="Asia")
    kit.publish()


class Town:
    """A site, its readers' mail server, and somebody who visits."""

    def __init__(self, kit: MailKit, server: Server) -> None:
        """Take a site of ``furnish``, and let it send its mail to ``server``."""
        self.kit = kit
        self.server = server
        kit.settings(
            (kit.root / "publisher.toml").read_text("utf-8").replace(f"port = {NO_PORT}\n", f"port = {server.port}\n")
        )
        self.clock = SetClock(NOW)
        self.woken: list[str] = []
        self.web = Web(kit.site, clock=self.clock, wake=self.woken.append)
        self.ann = Visitor(self.web)

    def settings(self, old: str, new: str) -> None:
        path = self.kit.root / "publisher.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        self.web.close()
        self.web = Web(self.kit.site, clock=self.clock)
        self.ann = Visitor(self.web)

    def pass_time(self, **span: float) -> None:
        self.clock.pass_by(**span)

    def post_office(self) -> list[Mail]:
        """Let letters leave, and return those that came since the last call."""
        before = len(self.server.accepted)
        with self.kit.open() as db:
            send_confirmation_emails(self.kit.site, db, self.clock.now)
        return mail_of(self.server)[before:]

    def reader(self, address: str = ANN) -> Subscriber | None:
        with self.kit.open() as db, db.read() as connection:
            return subscribers.by_key(connection, address)

    def join(self, address: str = ANN, digests: tuple[str, ...] = ("daily",), **fields: object) -> Answer:
        return self.ann.post(f"{BASE}/join", {"address": address, "digest": digests, **fields})

    def joined(self, address: str = ANN, **fields: object) -> str:
        """Let somebody join, and return the address of her preferences."""
        self.join(address, **fields)
        (letter,) = self.post_office()
        answer = self.ann.post(letter.link, {"yes": "yes"})
        assert answer.heading == "Welcome"
        return answer.text.partition('<a href="')[2] and href_of(answer, "preferences")

    def choose(self, link: str, do: str, **fields: object) -> Answer:
        return self.ann.post(link, {"do": do, **fields})


def href_of(answer: Answer, part: str) -> str:
    return next(html.unescape(one) for one in re.findall(r'href="([^"]+)"', answer.text) if part in one)


def together(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Do all of it at the same moment, and return what came of each."""
    gate = threading.Barrier(len(calls))

    def one(call: Callable[[], Answer]) -> Answer:
        gate.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))
