"""Statistics of feeds, issues and clicks; metrics; the access log."""

from __future__ import annotations

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from publisher.cli import publish as command_line
from publisher.digests import store as issues
from publisher.model.subscriptions import ConfirmationKind
from publisher.reports import statistics_store as listening
from publisher.reports.statistics_store import FeedRequestRow
from publisher.reports.stats import record_feed_requests
from publisher.storage.engine import Database
from publisher.subscriptions import confirmation_store as confirmations
from publisher.web import Web
from publisher.web.metrics import Metrics
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.clocks import ManualClock
from tests.support.ports import free_port
from tests.support.smtp import Server
from tests.support.use_cases import context_of, deliver, load_stats
from tests.support.web_visitor import Visitor

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
FEED = "https://review.example/feeds/all.rss"


@pytest.mark.postgresql
def test_two_servers_may_count_the_first_request_of_a_feed(any_kit: SiteKit) -> None:
    """Both find no row of that day; the requests of neither may be lost, and people are counted once."""
    first = FeedRequestRow(day="2026-11-23", feed="all", program="Feedly", subscribers=45, requests=2, unchanged=1)
    second = replace(first, subscribers=44, requests=3, unchanged=0)
    with any_kit.open() as db, db.write() as connection:
        listening.add_feed_requests(connection, [first, second])
        listening.add_feed_requests(connection, [])
        assert listening.feed_requests_since(connection, "2026-11-23") == [replace(first, requests=5)]


@pytest.mark.postgresql
@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_servers_that_count_the_same_feeds_in_another_order_do_not_block_each_other(prepared_database_url: str) -> None:
    """PostgreSQL would end one of two transactions that wait for each other, and its requests would be lost."""
    names = [f"{kind}/{number:03}" for kind in ("tag", "topic") for number in range(150)]
    rows = [
        FeedRequestRow(day="2026-11-23", feed=name, program="Feedly", subscribers=1, requests=1, unchanged=0)
        for name in names
    ]

    def count(order: int) -> None:
        with Database.open(prepared_database_url) as db:
            for _ in range(8):
                with db.write() as connection:
                    listening.add_feed_requests(connection, rows[::order])

    with ThreadPoolExecutor(4) as pool:
        for counted in [pool.submit(count, order) for order in (1, -1, 1, -1)]:
            counted.result(60)
    with Database.open(prepared_database_url) as db, db.read() as connection:
        assert {row.requests for row in listening.feed_requests_since(connection, "2026-11-23")} == {32}


def test_feed_requests_are_stored_by_day(any_kit: SiteKit) -> None:
    """A restart resets the clients and counts no one twice."""
    any_kit.article()
    any_kit.publish()
    clock = ManualClock(NOW)
    for _ in range(2):
        # A restart resets the clients and counts no one twice.
        web = Web(any_kit.site, clock=clock)
        for number in range(3):
            Visitor(web, f"192.0.2.{number}").get(FEED, user_agent="newsboat/2.32", if_none_match='"x"')
        Visitor(web).get(FEED, user_agent="Feedly/1.0 (45 subscribers)")
        web.store_counts()
        web.close()
    found = load_stats(any_kit.site, NOW, days=2)
    (feed,) = found.feeds
    assert (feed.feed, feed.subscribers, feed.programs) == ("all", 48, {"direct": 3, "Feedly": 45})
    assert (feed.requests, feed.unchanged) == (8, 0)
    clock.advance(days=1)
    web = Web(any_kit.site, clock=clock)
    Visitor(web).get(FEED, user_agent="Feedly/1.0 (46 subscribers)")
    web.store_counts()
    web.close()
    (feed,) = load_stats(any_kit.site, clock.now(), days=2).feeds
    # Today is not complete, so yesterday is shown.
    assert (feed.day, feed.subscribers) == ("2026-11-23", 48)
    assert feed.days == {"2026-11-23": 48, "2026-11-24": 46}
    (feed,) = load_stats(any_kit.site, clock.now(), days=1).feeds
    assert (feed.day, feed.subscribers) == ("2026-11-24", 46)


def test_old_statistics_are_deleted(any_kit: SiteKit) -> None:
    """Rows of earlier days are deleted."""
    with any_kit.open() as db:
        rows = [
            FeedRequestRow(day=day, feed="all", program="direct", subscribers=1, requests=2, unchanged=1)
            for day in ("2025-10-01", "2026-11-23")
        ]
        record_feed_requests(context_of(any_kit.site, db, NOW), rows)
        record_feed_requests(context_of(any_kit.site, db, NOW), [])
        with db.write() as connection:
            assert listening.delete_feed_requests_before(connection, "2025-10-02") == 1
            assert [one.day for one in listening.feed_requests_since(connection, "")] == ["2026-11-23"]


def test_no_client_address_is_stored(kit: SiteKit) -> None:
    """Neither the database nor a file has it."""
    kit.article()
    kit.publish()
    web = Web(kit.site, clock=ManualClock(NOW))
    Visitor(web, "203.0.113.77").get(FEED, user_agent="newsboat/2.32 secret-mark", if_none_match='"x"')
    web.store_counts()
    web.close()
    for path in kit.root.rglob("*"):
        if path.is_file():
            assert b"203.0.113.77" not in path.read_bytes() and b"secret-mark" not in path.read_bytes(), path


def test_stats_prints_text_and_json(mail_kit: MailKit) -> None:
    """Both have feeds, subscribers and issues."""
    mail_kit.add_subscribers(3)
    mail_kit.issue("one")
    with Server() as server:
        mail_kit.mail(server.port)
        deliver(mail_kit.site, "daily")
    web = Web(mail_kit.site)
    Visitor(web).get(FEED, user_agent="Feedly/1.0 (45 subscribers)")
    web.store_counts()
    web.close()
    result = CliRunner().invoke(command_line, ["stats", "--site", str(mail_kit.root), "--days", "3000"])
    assert result.exit_code == 0, result.output
    assert re.search(r"feeds/all: 45 subscribers on \d{4}-\d\d-\d\d \(Feedly 45\)", result.output)
    assert "3 active subscribers" in result.output and "3 accepted" in result.output and "click" not in result.output
    found = json.loads(CliRunner().invoke(command_line, ["stats", "--site", str(mail_kit.root), "--json"]).output)
    assert found["feeds"][0]["programs"] == {"Feedly": 45} and found["subscribers"] == {"active": 3}


# -- clicks, where somebody wants them -------------------------------------------------------------


def links(kit: MailKit, name: str) -> set[str]:
    page = kit.issue_file(name).read_text()
    return set(re.findall(r"https://review\.example/(?:2026|newsletters/go)[^\s\"<]*", page))


def test_clicks_are_not_counted_by_default(mail_kit: MailKit) -> None:
    """Issues then link directly to articles."""
    mail_kit.issue("one")
    assert links(mail_kit, "index.html") == {"https://review.example/2026/11/one"}
    web = Web(mail_kit.site)
    name = mail_kit.newest_issue().name
    assert Visitor(web).get(f"https://review.example/newsletters/go/daily/{name}/1").status == 404
    web.close()


def test_clicks_in_a_draft_are_not_counted(mail_kit: MailKit) -> None:
    """An editor who checks links is not a subscriber."""
    mail_kit.add_settings("\n[web]\nclicks = true\n")
    mail_kit.draft("one")
    page = (mail_kit.root / "outbox" / "daily" / "next" / "index.html").read_text()
    (link,) = set(re.findall(r"https://review\.example/(?:2026|newsletters/go)[^\s\"<]*", page))
    web = Web(mail_kit.site)
    assert Visitor(web).get(link, user_agent=PERSON).status == 302
    assert Visitor(web).get(link.removesuffix("/1") + "/2", user_agent=PERSON).status == 404
    web.close()
    mail_kit.open_issue()
    (issue,) = load_stats(mail_kit.site, NOW + timedelta(days=1), days=30).issues
    assert issue.clicks == (0, 0)


@pytest.mark.postgresql
def test_clicks_are_counted_if_the_settings_enable_it(any_mail_kit: MailKit) -> None:
    """People and programs are counted separately."""
    kit = any_mail_kit
    kit.settings(
        (kit.root / "publisher.toml")
        .read_text()
        .replace('"The Daily"', '"The Daily"\nsend = "auto"\n[digests.daily.utm]\nsource = "us"')
    )
    kit.add_settings("\n[web]\nclicks = true\n")
    kit.issue("one")
    (link,) = links(kit, "index.html")
    assert links(kit, "message.txt") == {link} and "/newsletters/go/daily/" in link and link.endswith("/1")
    web = Web(kit.site)
    guest = Visitor(web)
    for _ in range(2):
        answer = guest.get(link, user_agent=PERSON)
        assert answer.status == 302
        assert answer.headers["location"].startswith(
            "https://review.example/2026/11/one?utm_source=us&utm_medium=email"
        )
    guest.get(link, user_agent="Barracuda Sentinel")
    guest.request("HEAD", link, user_agent=PERSON)
    # A forged link cannot lead elsewhere.
    for other in (
        link + "0",
        link.replace("/daily/", "/weekly/"),
        link[:-1] + "https://evil.example",
        link[:-1] + "-1",
    ):
        assert guest.get(other).status == 404
    web.close()
    (issue,) = load_stats(kit.site, NOW + timedelta(days=1), days=30).issues
    assert issue.clicks == (2, 2)


# -- for programs that watch, and for who looks for trouble -------------------------------------------


def test_metrics_have_an_address_of_their_own(mail_kit: MailKit) -> None:
    """The public server does not have them."""
    mail_kit.add_subscribers(2)
    mail_kit.issue("one")
    with mail_kit.open() as db, db.write() as connection:
        confirmations.add(connection, ConfirmationKind.SUBSCRIBE, "x", "ann@mail.example.org", int(NOW.timestamp()))
        (row,) = issues.list_issues(connection)
    metrics = Metrics(mail_kit.site, lambda: "late", ManualClock(NOW + timedelta(seconds=90)))
    web = Web(mail_kit.site, metrics=metrics)
    Visitor(web).get(FEED)
    Visitor(web).get(FEED, if_none_match=Visitor(web).get(FEED).headers["etag"])
    Visitor(web).get("https://review.example/nothing")
    assert Visitor(web).get("https://review.example/metrics").status == 404
    port = free_port()
    end = metrics.serve("127.0.0.1", port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    end()
    web.close()
    for line in (
        'publisher_http_requests_total{kind="feed",status="200"} 2.0',
        'publisher_http_requests_total{kind="feed",status="304"} 1.0',
        'publisher_http_requests_total{kind="page",status="404"} 2.0',
        "publisher_ready 0.0",
        'publisher_subscribers{status="active"} 2.0',
        f'publisher_deliveries{{digest="daily",issue="{row.name}",state="queued"}} 2.0',
        "publisher_confirmation_emails_late_seconds 90.0",
    ):
        assert line in text, text


def test_the_access_log_has_each_request_without_tokens(kit: SiteKit) -> None:
    """It has the network of the client instead of its address."""
    kit.add_settings("\n[web]\naccess_log = true\n")
    kit.article()
    kit.publish()
    lines: list[dict[str, Any]] = []

    class Log:
        def info(self, event: str, **said: Any) -> None:
            lines.append({"event": event, **said})

        error = info

    web = Web(kit.site, log=Log())
    guest = Visitor(web, "203.0.113.77")
    guest.get(FEED + "?x=secret")
    guest.get("https://review.example/newsletters/confirm?t=secret")
    guest.get("https://review.example/newsletters/feed/" + "a2b3" * 10 + ".rss")
    web.close()
    assert [line["status"] for line in lines] == [200, 404, 404]
    assert lines[0] | {"ms": 0} == {
        "event": "request",
        "method": "GET",
        "path": "/feeds/all.rss",
        "status": 200,
        "bytes": (kit.root / "feeds/all.rss").stat().st_size,
        "ms": 0,
        "network": "203.0.113.0/24",
    }
    assert "secret" not in str(lines) and "a2b3a2b3" not in str(lines) and "203.0.113.77" not in str(lines)


class _NetworkLog:
    """Records the networks of an access log."""

    def __init__(self, networks: list[str]) -> None:
        self._networks = networks

    def info(self, event: str, network: str = "", **said: Any) -> None:
        self._networks.append(network)


def test_forwarded_headers_of_configured_proxies_are_used(kit: SiteKit) -> None:
    """Without such a setting they are ignored."""
    for proxies, expected in (("[]", "192.0.2.0/24"), ('["192.0.2.0/24"]', "198.51.100.0/24")):
        kit.settings(
            f'title = "T"\nbase_url = "https://review.example"\n\n[web]\naccess_log = true\nproxies = {proxies}\n'
        )
        networks: list[str] = []

        web = Web(kit.site, log=_NetworkLog(networks))
        # Values that the client itself sends are ignored.
        Visitor(web, "192.0.2.9").get("https://review.example/", x_forwarded_for="10.0.0.1, 198.51.100.4, 192.0.2.7")
        web.close()
        assert networks == [expected]


def test_an_https_site_sends_strict_transport_security(kit: SiteKit) -> None:
    """A site without https does not."""
    kit.article()
    kit.publish()
    web = Web(kit.site)
    for url in (FEED, "https://review.example/"):
        assert Visitor(web).get(url).headers["strict-transport-security"] == "max-age=15552000"
    web.close()
    for old, new in (("https://review", "http://review"), ("[mail]", "[web]\nhsts_days = 0\n\n[mail]")):
        path = Path(kit.root / "publisher.toml")
        before = path.read_text()
        path.write_text(before.replace(old, new))
        web = Web(kit.site)
        assert "strict-transport-security" not in Visitor(web).get("https://review.example/").headers
        web.close()
        path.write_text(before)


@pytest.mark.parametrize("days", ["0", "x"])
def test_stats_rejects_an_invalid_number_of_days(kit: SiteKit, days: str) -> None:
    """An operator would get empty statistics for a mistyped number of days."""
    assert CliRunner().invoke(command_line, ["stats", "--site", str(kit.root), "--days", days]).exit_code == 2
