"""Hubs are told of changed feeds: after the new bytes are live, once, again where it failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from publisher.model.report import NotificationResult
from publisher.pipeline.correct import retract
from publisher.websub import notify as action
from publisher.websub.notify import next_attempt, send_notifications
from tests.conftest import NOW, SiteKit
from tests.support.http_servers import WebServer, run_web_server


@pytest.fixture
def web(kit: SiteKit) -> Iterator[WebServer]:
    with run_web_server() as found:
        kit.add_settings(f"""
            [feeds]
            url = "{found.url}/feeds"
            formats = ["rss", "atom"]
            by = ["tag"]

            [announce]
            hubs = ["{found.url}/hub"]
            timeout = 2
            """)
        found.folder = kit.root / "feeds"
        yield found


def again(kit: SiteKit, now: datetime, **options: object) -> NotificationResult:
    with kit.open() as db:
        return send_notifications(db, kit.site, now, **options)  # type: ignore[arg-type]


def told(web: WebServer) -> list[str]:
    return sorted(fields.get("hub.url", fields.get("url", "")).removeprefix(web.url) for _, fields in web.posts)


def test_a_hub_is_told_once_of_each_changed_feed(kit: SiteKit, web: WebServer) -> None:
    kit.article("a.md", tags="[T]")
    kit.publish()
    assert told(web) == ["/feeds/all.atom", "/feeds/all.rss", "/feeds/tag/t.atom", "/feeds/tag/t.rss"]
    topic = f"{web.url}/feeds/all.rss"
    assert ("/hub", {"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}) in web.posts
    web.posts.clear()
    assert kit.publish(NOW + timedelta(minutes=1)).notifications == NotificationResult()
    kit.article("b.md", title="Two", tags="[Other]")
    report = kit.publish(NOW + timedelta(minutes=2))
    assert told(web) == ["/feeds/all.atom", "/feeds/all.rss", "/feeds/tag/other.atom", "/feeds/tag/other.rss"]
    assert report.notifications.sent == 4 and report.notifications.waiting == 0


def test_nobody_is_told_before_the_new_bytes_are_live(kit: SiteKit, web: WebServer) -> None:
    live, web.folder = web.folder, None
    kit.article()
    report = kit.publish()
    assert web.posts == [] and report.notifications == NotificationResult(waiting=2)
    assert report.exit_status == 0
    web.pages["/feeds/all.rss"] = (200, {}, b"yesterday's")
    web.folder = live
    assert again(kit, NOW + timedelta(seconds=59)).sent == 0
    found = again(kit, NOW + timedelta(seconds=61))
    assert told(web) == ["/feeds/all.atom"] and (found.sent, found.waiting) == (1, 1)
    web.pages.clear()
    # What is deployed by hand is told at once.
    assert again(kit, NOW + timedelta(seconds=62), at_once=True) == NotificationResult(sent=1)
    assert told(web) == ["/feeds/all.atom", "/feeds/all.rss"]


def test_a_hub_that_fails_is_told_later_and_holds_nothing_up(kit: SiteKit, web: WebServer) -> None:
    web.post_statuses = [503, 429, 204]
    kit.settings((kit.root / "publisher.toml").read_text().replace('"rss", "atom"', '"rss"'))
    kit.article()
    report = kit.publish()
    assert report.exit_status == 0 and report.notifications.waiting == 1
    assert (
        "503 no, because <x>" in report.notifications.failed[0] and "will be retried" in report.notifications.failed[0]
    )
    assert again(kit, NOW + timedelta(seconds=59)).failed == []
    assert len(again(kit, NOW + timedelta(seconds=60)).failed) == 1
    assert again(kit, NOW + timedelta(seconds=179)).sent == 0
    assert again(kit, NOW + timedelta(seconds=180)) == NotificationResult(sent=1)
    assert len(web.posts) == 3


def test_a_hub_that_refuses_is_not_asked_again(kit: SiteKit, web: WebServer) -> None:
    web.post_statuses = [403]
    kit.article()
    report = kit.publish()
    assert report.notifications.waiting == 0 and len(report.notifications.failed) == 2
    assert "It was the last attempt" in report.notifications.failed[0]
    assert again(kit, NOW + timedelta(days=1), at_once=True) == NotificationResult()


def test_what_a_hub_says_can_do_a_terminal_no_harm(kit: SiteKit, web: WebServer) -> None:
    web.post_statuses, web.error_body = [500], b"\x1b[2Jno\r\n\x07"
    kit.article()
    assert "it responds with 500 [2Jno." in kit.publish().notifications.failed[0]


def test_a_hub_that_is_not_there_is_asked_once_a_round(kit: SiteKit, web: WebServer) -> None:
    with run_web_server() as other:
        pass
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace(f"{web.url}/hub", f"{other.url}/hub"))
    kit.article(tags="[T]")
    report = kit.publish()
    assert report.notifications.waiting == 4
    assert all("the server does not answer" in one for one in report.notifications.failed)


def test_a_hub_that_is_no_longer_named_is_forgotten(kit: SiteKit, web: WebServer) -> None:
    web.folder = None
    kit.article()
    kit.publish()
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace(f"{web.url}/hub", f"{web.url}/other"))
    report = kit.publish(NOW + timedelta(minutes=5))
    # Hubs stand in the feeds, so these have changed and are told to the new one.
    assert report.notifications.waiting == 2


def test_rsscloud_is_told_of_rss_alone(kit: SiteKit, web: WebServer) -> None:
    text = (kit.root / "publisher.toml").read_text().replace(f'hubs = ["{web.url}/hub"]', "")
    kit.settings(text + f'\n[announce.cloud]\nhost = "127.0.0.1"\nport = {web.port}\n')
    kit.article()
    kit.publish()
    assert web.posts == [("/ping", {"url": f"{web.url}/feeds/all.rss"})]
    rss = (kit.root / "feeds/all.rss").read_text()
    assert f'<cloud domain="127.0.0.1" port="{web.port}" path="/pleaseNotify"' in rss
    assert 'protocol="http-post"' in rss and "cloud" not in (kit.root / "feeds/all.atom").read_text()


def test_a_newer_change_takes_the_place_of_one_that_nobody_was_told_of(kit: SiteKit, web: WebServer) -> None:
    live, web.folder = web.folder, None
    kit.article()
    kit.publish()
    kit.article(title="Edited")
    kit.publish(NOW + timedelta(minutes=2))
    web.folder = live
    assert again(kit, NOW + timedelta(hours=1)).sent == 2


def test_when_there_is_no_time_left_the_rest_waits(kit: SiteKit, web: WebServer) -> None:
    kit.article()
    ticks = iter([0.0, *[100.0] * 50])
    web.post_statuses = [503]
    kit.publish()
    web.posts.clear()
    found = again(kit, NOW + timedelta(hours=1), seconds=20, clock=lambda: next(ticks))
    assert web.posts == [] and found.waiting == 2


def test_attempts_are_further_and_further_apart_and_come_to_an_end() -> None:
    waits = []
    for attempts in range(1, action._MAX_ATTEMPTS):
        at = next_attempt(attempts, 0)
        assert at is not None
        waits.append(at)
    assert waits[:5] == [60, 120, 240, 480, 960] and max(waits) == 6 * 3600
    assert sum(waits) > 24 * 3600
    assert next_attempt(action._MAX_ATTEMPTS, 0) is None


def test_a_change_that_a_killed_run_staged_is_told_by_the_next(
    kit: SiteKit, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are in place, the transaction that notes them is not: nothing changes, and still somebody is told."""
    kit.article()
    kit.publish()
    web.posts.clear()
    kit.article(title="Edited")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("publisher.feeds.store.clear_dirty", killed)
        with pytest.raises(KeyboardInterrupt):
            kit.publish(NOW + timedelta(minutes=1))
    report = kit.publish(NOW + timedelta(minutes=2))
    assert "feeds/all.rss" not in report.feeds_changed
    assert told(web) == ["/feeds/all.atom", "/feeds/all.rss"]


def test_a_feed_that_is_gone_is_told_to_nobody(kit: SiteKit, web: WebServer) -> None:
    live, web.folder = web.folder, None
    kit.article(tags="[T]")
    kit.publish()
    kit.article()
    assert kit.publish(NOW + timedelta(minutes=2)).notifications.waiting == 2
    web.folder = live
    assert again(kit, NOW + timedelta(hours=1)).sent == 2


def test_a_web_server_that_is_silent_is_asked_once_a_round(kit: SiteKit, web: WebServer) -> None:
    text = (kit.root / "publisher.toml").read_text()
    with run_web_server() as other:
        pass
    kit.settings(text.replace(f'url = "{web.url}/feeds"', f'url = "{other.url}/feeds"'))
    kit.article(tags="[T]")
    assert kit.publish().notifications == NotificationResult(waiting=4)
    for hours in range(1, 40):
        assert again(kit, NOW + timedelta(hours=7 * hours)).waiting == 4
    assert web.posts == []


def test_a_withdrawal_is_told_at_once(kit: SiteKit, web: WebServer) -> None:
    kit.article("a.md", tags="[T]")
    kit.article("b.md", title="B")
    kit.publish()
    web.posts.clear()
    retract(kit.site, NOW + timedelta(minutes=1), "b.md", "Gone.")
    assert told(web) == ["/feeds/all.atom", "/feeds/all.rss", "/feeds/tombstones.atom"]
    assert "/feeds/tombstones.atom" in (kit.root / "feeds/_headers").read_text()
    web.posts.clear()
    assert kit.publish(NOW + timedelta(minutes=2)).notifications == NotificationResult()


def test_a_dry_run_announces_nothing(kit: SiteKit, web: WebServer) -> None:
    kit.article()
    kit.publish(dry_run=True)
    assert web.posts == web.gets == []
