"""A subscriber from the form to erasure in a real browser and a real mailbox; feeds in real feed readers; WebSub."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_mail_servers import Servers, mail, read_back, servers
from tests.acceptance.test_mail_servers import pytestmark as with_mail_servers
from tests.acceptance.test_serve import Serving, get
from tests.conftest import MailKit, SiteKit
from tests.readers.clients import CLIENTS
from tests.support.chromium import connected
from tests.support.hub_subscriber import subscriber
from tests.support.ports import free_port
from tests.support.processes import run_publish
from tests.support.waiting import until

__all__ = ["servers"]

ANN = "ann@mail.example.org"


def at_home(kit: SiteKit, more: str = "") -> int:
    """Let the site be where it is served, and return the port."""
    port = free_port()
    text = (kit.root / "publisher.toml").read_text().replace("https://review.example", f"http://127.0.0.1:{port}")
    kit.settings(text + more)
    return port


def command(kit: SiteKit, *words: str) -> str:
    done = run_publish(*words, "--site", str(kit.root))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def ended() -> Iterator[list[Serving]]:
    begun: list[Serving] = []
    yield begun
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def text_of(data: bytes) -> tuple[str, str]:
    message = message_from_bytes(data, policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return str(message["Subject"]), str(body.get_content())


# -- a life ------------------------------------------------------------------------------------------


@with_mail_servers
@pytest.mark.slow(reason="a life of weeks, in a browser")
@pytest.mark.parametrize(
    ("scripts", "width", "scheme"),
    [(False, 375, "dark"), (True, 1280, "light")],
)
def test_a_subscriber_from_the_form_to_erasure(  # noqa: PLR0915 - one life, step by step
    mail_kit: MailKit,
    servers: Servers,
    ended: list[Serving],
    chromium_address: str,
    scripts: bool,
    width: int,
    scheme: str,
) -> None:
    """Subscribe, confirm, read, change preferences, unsubscribe, resubscribe and erase, with a real mailbox."""
    kit = mail_kit
    mail(kit, servers)
    text = (kit.root / "publisher.toml").read_text().replace('title = "The Daily"', 'title = "The Daily"\nat_least = 1')
    text = text.replace("one_click = true\n", 'preferences = "https://review.example/newsletters/preferences"\n')
    kit.settings(text + '\n[digests.weekly]\ntitle = "The Weekly"\n\n[web]\narticles = true\n')
    port = at_home(kit)
    for number, topic in enumerate(["Water", "Trade", "Energy"]):
        kit.article(f"{number}.md", f"A Story About {topic}", topic=topic, region="Africa", author="Ann Lee")
    kit.open_issue(now=datetime.now(UTC))
    before = len(read_back(servers, 0))
    serving = Serving(kit, port=port)
    ended.append(serving)
    until(lambda: get(f"{serving.url}/readyz")[0] == 200)
    with connected(chromium_address) as browser:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            timezone_id="Asia/Tokyo",
        )
        guest = Guest(browser, context, width, scheme)
        page = guest.page
        page.goto(f"{serving.url}/")
        guest.look("front")
        page.get_by_role("link", name="Subscribe to The Daily").click()
        page.get_by_label("Your email address").fill(ANN)
        page.get_by_text("Topics").click()
        page.get_by_label("Water").check()
        page.get_by_label("Energy").check()
        assert page.get_by_label("Your time zone").input_value() == ("Asia/Tokyo" if scripts else "")
        guest.look("join")
        page.get_by_role("button", name="Subscribe").click()
        assert guest.heading == "Check your email"
        guest.look("asked")
        subject, email = text_of(read_back(servers, before + 1)[-1])
        assert subject == "Please confirm: The Test Review"
        page.goto(re.findall(r"http://\S+confirm\S+", email)[0])
        guest.look("confirm")
        page.get_by_role("button", name="Yes, subscribe me").click()
        assert guest.heading == "Welcome"
        page.get_by_role("link", name="Change what you get").click()
        assert page.get_by_label("Water").is_checked() and not page.get_by_label("Trade").is_checked()
        page.get_by_label("Trade").check() if page.get_by_label("Trade").is_visible() else None
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved.").wait_for()
        page.get_by_role("button", name="Create my feed").click()
        guest.look("preferences")
        own = page.locator("code.address").first.inner_text()
        assert b"A Story About Water" in get(own)[1]
        kit.article("new.md", "Water Rises", topic="Water", date=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        command(kit, "now")
        subject, digest = text_of(read_back(servers, before + 2)[-1])
        assert "Water Rises" in digest and b"Water Rises" in get(own)[1]
        page.goto(f"{serving.url}/newsletters/")
        guest.look("newsletters")
        page.get_by_role("link", name="The Daily: Water Rises").click()
        guest.look("issue")
        page.get_by_role("link", name="← No. 1").click()
        page.goto(f"{serving.url}/2026/11/water-rises")
        guest.look("article")
        leave = re.findall(rf"{serving.url}/newsletters/leave\S+", digest)[0]
        # The one-click button of a mail client.
        request = urllib.request.Request(leave, b"List-Unsubscribe=One-Click", method="POST")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        page.goto(leave)
        assert guest.heading == "You have unsubscribed from The Daily"
        kit.article("last.md", "Water Falls", topic="Water", date=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        command(kit, "now")
        time.sleep(0.5)
        assert len(read_back(servers, 0)) == before + 2
        assert guest.console == []
    assert serving.end() == 0
    assert "Traceback" not in serving.log.read_text()


def test_the_form_takes_the_time_zone_from_a_browser_with_scripts(
    mail_kit: MailKit, ended: list[Serving], chromium_address: str
) -> None:
    """Without scripts the field stays empty: the subscription follows the site's time zone."""
    # The form is there for a site that can send; nothing is sent here.
    mail_kit.mail(9)
    port = at_home(mail_kit)
    serving = Serving(mail_kit, "--no-run", port=port)
    ended.append(serving)
    until(lambda: get(f"{serving.url}/healthz")[0] == 200)
    with connected(chromium_address) as browser:
        for scripts in (False, True):
            page = browser.new_context(java_script_enabled=scripts, timezone_id="Asia/Tokyo").new_page()
            page.goto(f"{serving.url}/newsletters/join?digest=daily")
            assert page.get_by_label("Your time zone").input_value() == ("Asia/Tokyo" if scripts else "")


class Guest:
    """Somebody at a browser."""

    def __init__(self, browser: Any, context: Any, width: int, scheme: str) -> None:
        self.page = context.new_page()
        self.console: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self._checked = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        self._width = width

    @property
    def heading(self) -> str:
        return str(self.page.get_by_role("heading", level=1).inner_text())

    def look(self, name: str) -> None:
        """Check what a person who cannot see it, or has a phone, would meet."""
        from axe_playwright_python.sync_playwright import Axe

        page = self._checked.new_page()
        # What was posted is not posted again: the page as it stands.
        page.set_content(self.page.content())
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self._width, name
        page.close()


# -- feed readers --------------------------------------------------------------------------------------


@pytest.mark.slow(reason="a server, and programs that poll it")
@pytest.mark.parametrize(
    "client", [one for one in CLIENTS if one.name in ("newsboat", "rss2email")], ids=lambda one: one.name
)
def test_a_feed_reader_shows_new_articles_once(kit: SiteKit, ended: list[Serving], tmp_path: Path, client: Any) -> None:
    """A real feed reader polls the server, and an unchanged feed is answered with 304."""
    if client.missing():
        pytest.skip(client.missing())
    port = at_home(kit, "\n[web]\naccess_log = true\n")
    kit.article("one.md", "One")
    command(kit, "now", "--feeds-only")
    serving = Serving(kit, port=port)
    ended.append(serving)
    until(lambda: get(f"{serving.url}/readyz")[0] == 200)
    url = f"{serving.url}/feeds/all.rss"
    assert len(client.poll(url, tmp_path)) == 1
    for _ in range(2):
        client.poll(url, tmp_path)
    statuses = re.findall(r"path=/feeds/all\.rss status=(\d+)", serving.log.read_text())
    assert statuses[0] == "200" and statuses[-1] == "304"
    kit.article("two.md", "Two", date="2026-11-21")
    command(kit, "now", "--feeds-only")
    found = client.poll(url, tmp_path)
    assert sorted({one.title.strip() for one in found}) == ["One", "Two"] and len(found) == 2
    # The site moves to another URL: no entry is new.
    assert serving.end() == 0
    (kit.root / "publisher.toml").write_text(
        f'id = "http://127.0.0.1:{port}"\n'
        + (kit.root / "publisher.toml").read_text().replace(f"127.0.0.1:{port}", f"localhost:{port}")
    )
    command(kit, "now", "--feeds-only")
    moved = Serving(kit, port=port)
    ended.append(moved)
    until(lambda: get(f"{moved.url}/readyz")[0] == 200)
    assert len(client.poll(url, tmp_path)) == 2
    assert moved.end() == 0


def test_a_websub_subscriber_is_notified_after_publish_now(kit: SiteKit, ended: list[Serving]) -> None:
    """The hub sends the changed feed to the callback."""
    port = at_home(kit, '\n[web]\nhub = true\nhub_networks = ["127.0.0.0/8"]\n')
    kit.article("one.md", "One")
    command(kit, "now", "--feeds-only")
    serving = Serving(kit, port=port)
    ended.append(serving)
    until(lambda: get(f"{serving.url}/readyz")[0] == 200)
    with subscriber() as one:
        body = f"hub.mode=subscribe&hub.topic={serving.url}/feeds/all.atom&hub.callback={one.url}".encode()
        with urllib.request.urlopen(f"{serving.url}/hub", body) as answer:
            assert answer.status == 202
        until(lambda: "subscribed=1" in serving.log.read_text())
        kit.article("two.md", "Two", date="2026-11-21")
        # The runner sees the file too; the callback is requested once in any case.
        command(kit, "now", "--feeds-only")
        until(lambda: one.received)
        time.sleep(1)
        assert len(one.received) == 1 and b"Two" in one.received[0].body
    assert serving.end() == 0
