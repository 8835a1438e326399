"""Notifications of hubs: once for each change, after the new bytes are served, with retries."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from publisher.model.report import NotificationResult
from publisher.websub import notifications_store as notifications
from publisher.websub.notify import RETRIES
from tests.conftest import NOW, SiteKit
from tests.support.clocks import ManualClock
from tests.support.http_servers import WebServer, run_web_server
from tests.support.use_cases import retract, send_notifications
from tests.support.waiting import until


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


def send_again(kit: SiteKit, now: datetime, **options: object) -> NotificationResult:
    with kit.open() as db:
        return send_notifications(db, kit.site, now, **options)  # type: ignore[arg-type]


def notified_feeds(web: WebServer) -> list[str]:
    return sorted(fields.get("hub.url", fields.get("url", "")).removeprefix(web.url) for _, fields in web.posts)


def test_a_hub_is_notified_once_of_each_changed_feed(kit: SiteKit, web: WebServer) -> None:
    """An unchanged feed causes no notification."""
    kit.article("a.md", tags="[T]")
    kit.publish()
    assert notified_feeds(web) == ["/feeds/all.atom", "/feeds/all.rss", "/feeds/tag/t.atom", "/feeds/tag/t.rss"]
    topic = f"{web.url}/feeds/all.rss"
    assert ("/hub", {"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}) in web.posts
    web.posts.clear()
    assert kit.publish(NOW + timedelta(minutes=1)).notifications == NotificationResult()
    kit.article("b.md", title="Two", tags="[Other]")
    report = kit.publish(NOW + timedelta(minutes=2))
    assert notified_feeds(web) == ["/feeds/all.atom", "/feeds/all.rss", "/feeds/tag/other.atom", "/feeds/tag/other.rss"]
    assert report.notifications.sent == 4 and report.notifications.waiting == 0


def test_no_notification_is_sent_before_the_new_bytes_are_served(kit: SiteKit, web: WebServer) -> None:
    """The hub would fetch the old bytes."""
    live, web.folder = web.folder, None
    kit.article()
    report = kit.publish()
    assert web.posts == [] and report.notifications == NotificationResult(waiting=2)
    assert report.exit_status == 0
    web.pages["/feeds/all.rss"] = (200, {}, b"yesterday's")
    web.folder = live
    assert send_again(kit, NOW + timedelta(seconds=59)).sent == 0
    found = send_again(kit, NOW + timedelta(seconds=61))
    assert notified_feeds(web) == ["/feeds/all.atom"] and (found.sent, found.waiting) == (1, 1)
    web.pages.clear()
    # What is deployed by hand is told at once.
    assert send_again(kit, NOW + timedelta(seconds=62), at_once=True) == NotificationResult(sent=1)
    assert notified_feeds(web) == ["/feeds/all.atom", "/feeds/all.rss"]


def test_a_failed_notification_is_retried_later(kit: SiteKit, web: WebServer) -> None:
    """Feeds and issues do not wait for it."""
    web.post_statuses = [503, 429, 204]
    kit.settings((kit.root / "publisher.toml").read_text().replace('"rss", "atom"', '"rss"'))
    kit.article()
    report = kit.publish()
    assert report.exit_status == 0 and report.notifications.waiting == 1
    assert (
        "503 no, because <x>" in report.notifications.failed[0] and "will be retried" in report.notifications.failed[0]
    )
    assert send_again(kit, NOW + timedelta(seconds=59)).failed == ()
    assert len(send_again(kit, NOW + timedelta(seconds=60)).failed) == 1
    assert send_again(kit, NOW + timedelta(seconds=179)).sent == 0
    assert send_again(kit, NOW + timedelta(seconds=180)) == NotificationResult(sent=1)
    assert len(web.posts) == 3


def test_a_notification_is_not_retried_after_a_permanent_error(kit: SiteKit, web: WebServer) -> None:
    """A 4xx response is permanent, except 408 and 429."""
    web.post_statuses = [403]
    kit.article()
    report = kit.publish()
    assert report.notifications.waiting == 0 and len(report.notifications.failed) == 2
    assert "It was the last attempt" in report.notifications.failed[0]
    assert send_again(kit, NOW + timedelta(days=1), at_once=True) == NotificationResult()


def test_control_characters_in_a_response_are_removed(kit: SiteKit, web: WebServer) -> None:
    """They could change the terminal."""
    web.post_statuses, web.error_body = [500], b"\x1b[2Jno\r\n\x07"
    kit.article()
    assert "it responds with 500 [2Jno." in kit.publish().notifications.failed[0]


def test_an_unreachable_hub_is_requested_once_per_run(kit: SiteKit, web: WebServer) -> None:
    """Its other notifications wait for the next run."""
    with run_web_server() as other:
        pass
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace(f"{web.url}/hub", f"{other.url}/hub"))
    kit.article(tags="[T]")
    report = kit.publish()
    assert report.notifications.waiting == 4
    assert all("the server does not answer" in one for one in report.notifications.failed)


def test_notifications_of_a_removed_hub_are_deleted(kit: SiteKit, web: WebServer) -> None:
    """The settings no longer contain it."""
    web.folder = None
    kit.article()
    kit.publish()
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace(f"{web.url}/hub", f"{web.url}/other"))
    report = kit.publish(NOW + timedelta(minutes=5))
    # Hubs stand in the feeds, so these have changed and are told to the new one.
    assert report.notifications.waiting == 2


def test_rsscloud_is_notified_of_rss_only(kit: SiteKit, web: WebServer) -> None:
    """It supports no other format."""
    text = (kit.root / "publisher.toml").read_text().replace(f'hubs = ["{web.url}/hub"]', "")
    kit.settings(text + f'\n[announce.cloud]\nhost = "127.0.0.1"\nport = {web.port}\n')
    kit.article()
    kit.publish()
    assert web.posts == [("/ping", {"url": f"{web.url}/feeds/all.rss"})]
    rss = (kit.root / "feeds/all.rss").read_text()
    assert f'<cloud domain="127.0.0.1" port="{web.port}" path="/pleaseNotify"' in rss
    assert 'protocol="http-post"' in rss and "cloud" not in (kit.root / "feeds/all.atom").read_text()


def test_a_newer_change_replaces_a_queued_notification(kit: SiteKit, web: WebServer) -> None:
    """The hub is notified once."""
    live, web.folder = web.folder, None
    kit.article()
    kit.publish()
    kit.article(title="Edited")
    kit.publish(NOW + timedelta(minutes=2))
    web.folder = live
    assert send_again(kit, NOW + timedelta(hours=1)).sent == 2


def test_a_feed_that_changes_during_its_notification_is_notified_again(any_kit: SiteKit) -> None:
    """The hub hears of both versions, and a failure of the first notification does not delay the second."""
    kit = any_kit
    with run_web_server() as web:
        kit.add_settings(
            f'\n[feeds]\nurl = "{web.url}/feeds"\nformats = ["rss"]\n[announce]\nhubs = ["{web.url}/hub"]\n'
        )
        kit.article()
        kit.publish()
        live = web.folder = kit.root / "feeds"
        web.post_statuses, changes = [204, 503, 204], ["Second", "Third"]

        def change(label: str, *_: int) -> None:
            # After the request, and before its result is stored.
            if label == "notifying hubs" and changes:
                web.folder = None
                kit.article(title=changes.pop(0))
                kit.publish(NOW + timedelta(minutes=2))
                web.folder = live

        later = NOW + timedelta(hours=1)
        assert send_again(kit, later, progress=change).waiting == 1
        failed = send_again(kit, later, progress=change)
        assert (failed.waiting, len(failed.failed)) == (1, 1)
        assert send_again(kit, later).waiting == 0
    assert len(web.posts) == 3


@pytest.mark.postgresql
@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_a_run_that_queues_notifications_does_not_wait_for_their_sending(any_kit: SiteKit) -> None:
    """Each result is stored by itself, so that a publishing run may queue notifications in any order."""
    kit = any_kit
    with run_web_server() as web, ThreadPoolExecutor(1) as pool, kit.open() as db:
        kit.add_settings(
            f'\n[feeds]\nurl = "{web.url}/feeds"\nformats = ["rss", "atom"]\n[announce]\nhubs = ["{web.url}/hub"]\n'
        )
        kit.article()
        kit.publish()
        web.folder, hubs = kit.root / "feeds", [f"websub {web.url}/hub"]
        with db.write() as publishing:
            notifications.queue_notifications(publishing, hubs, "all.rss", "new")
            sending = pool.submit(send_again, kit, NOW + timedelta(hours=1))
            # The result about all.atom is stored, and the one about all.rss waits for this transaction.
            until(lambda: bool(publishing.exec_driver_sql("SELECT 1 FROM pg_locks WHERE NOT granted").all()))
            notifications.queue_notifications(publishing, hubs, "all.atom", "new")
        assert (sending.result(60).sent, sending.result().waiting) == (2, 2)


class LateClock(ManualClock):
    """A clock that is 100 seconds later at each look but the first."""

    def monotonic(self) -> float:
        before, self.elapsed = self.elapsed, 100.0
        return before


def test_notifications_beyond_the_time_limit_stay_queued(kit: SiteKit, web: WebServer) -> None:
    """No request is started after it."""
    kit.article()
    web.post_statuses = [503]
    kit.publish()
    web.posts.clear()
    found = send_again(kit, NOW + timedelta(hours=1), seconds=20, clock=LateClock(NOW))
    assert web.posts == [] and found.waiting == 2


def test_the_backoff_grows_and_attempts_end() -> None:
    """The last attempt is more than a day after the first."""
    waits = [RETRIES.retry_at(failures, 0) for failures in range(1, 15)]
    assert waits[-1] is None
    assert sum(wait for wait in waits if wait is not None) > 24 * 3600


def test_the_run_after_a_killed_one_notifies_of_its_change(
    kit: SiteKit, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are written, but the transaction was lost: the feed is unchanged, and hubs are still notified."""
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
    assert notified_feeds(web) == ["/feeds/all.atom", "/feeds/all.rss"]


def test_no_notification_is_sent_for_a_removed_feed(kit: SiteKit, web: WebServer) -> None:
    """It is deleted with the feed."""
    live, web.folder = web.folder, None
    kit.article(tags="[T]")
    kit.publish()
    kit.article()
    assert kit.publish(NOW + timedelta(minutes=2)).notifications.waiting == 2
    web.folder = live
    assert send_again(kit, NOW + timedelta(hours=1)).sent == 2


def test_an_unresponsive_web_server_is_requested_once_per_run(kit: SiteKit, web: WebServer) -> None:
    """All feeds are on the same server."""
    text = (kit.root / "publisher.toml").read_text()
    with run_web_server() as other:
        pass
    kit.settings(text.replace(f'url = "{web.url}/feeds"', f'url = "{other.url}/feeds"'))
    kit.article(tags="[T]")
    assert kit.publish().notifications == NotificationResult(waiting=4)
    for hours in range(1, 40):
        assert send_again(kit, NOW + timedelta(hours=7 * hours)).waiting == 4
    assert web.posts == []


def test_a_withdrawal_causes_a_notification(kit: SiteKit, web: WebServer) -> None:
    """The feed of tombstones changed."""
    kit.article("a.md", tags="[T]")
    kit.article("b.md", title="B")
    kit.publish()
    web.posts.clear()
    retract(kit.site, NOW + timedelta(minutes=1), "b.md", "Gone.")
    assert notified_feeds(web) == ["/feeds/all.atom", "/feeds/all.rss", "/feeds/tombstones.atom"]
    assert "/feeds/tombstones.atom" in (kit.root / "feeds/_headers").read_text()
    web.posts.clear()
    assert kit.publish(NOW + timedelta(minutes=2)).notifications == NotificationResult()


def test_a_dry_run_sends_no_notification(kit: SiteKit, web: WebServer) -> None:
    """And requests no feed."""
    kit.article()
    kit.publish(dry_run=True)
    assert web.posts == web.gets == []
