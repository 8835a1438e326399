"""The WebSub hub: the tests of https://websub.rocks/hub and /publisher, and hostile requests."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import feedparser
import pytest

from publisher.web import Web
from publisher.websub import hub_store as hub
from tests.conftest import NOW, SiteKit
from tests.support.hub_subscriber import TOPIC, HubSite, subscriber
from tests.support.ports import free_port
from tests.support.use_cases import send_notifications
from tests.support.web_visitor import Visitor

# -- https://websub.rocks/hub --------------------------------------------------------------------------


def test_100_a_typical_subscription(hub_site: HubSite) -> None:
    """A verified callback gets a changed feed."""
    with subscriber() as one:
        answer = hub_site.request(one.url)
        assert answer.status == 202 and hub_site.woken == ["hub"] and one.verifications == []
        hub_site.work()
        (verifications,) = one.verifications
        assert (
            verifications["id"] == "7"
            and verifications["hub.mode"] == "subscribe"
            and verifications["hub.topic"] == TOPIC
        )
        assert len(verifications["hub.challenge"]) > 20 and verifications["hub.lease_seconds"] == "864000"
        hub_site.change("two")
        (content,) = one.received
    assert content.headers["content-type"] == "application/atom+xml"
    assert content.headers["link"] == f'<{TOPIC}>; rel="self", <https://review.example/hub>; rel="hub"'
    assert "x-hub-signature" not in content.headers
    assert content.body == (hub_site.kit.root / "feeds/all.atom").read_bytes() and b"Two" in content.body


def test_101_a_subscription_with_a_secret(hub_site: HubSite) -> None:
    """The delivery is signed."""
    with subscriber() as one:
        hub_site.request(one.url, secret="geheim & more")
        hub_site.work()
        hub_site.change("two")
        (content,) = one.received
    mark = hmac.new(b"geheim & more", content.body, hashlib.sha256).hexdigest()
    assert content.headers["x-hub-signature"] == f"sha256={mark}"


def test_102_a_request_with_unknown_fields(hub_site: HubSite) -> None:
    """They are ignored."""
    with subscriber() as one:
        assert hub_site.request(one.url, foo="bar", verify="async").status == 202
        hub_site.work()
    assert hub_site.subscriptions == {"all.atom": 1}


def test_103_a_renewed_subscription(hub_site: HubSite) -> None:
    """It replaces the first one."""
    with subscriber() as one:
        hub_site.request(one.url, secret="first")
        hub_site.work()
        hub_site.request(one.url, secret="second", lease_seconds="1000")
        hub_site.work()
        assert hub_site.subscriptions == {"all.atom": 1} and one.verifications[1]["hub.lease_seconds"] == "1000"
        hub_site.change("two")
        (content,) = one.received
    assert content.headers["x-hub-signature"].endswith(hmac.new(b"second", content.body, hashlib.sha256).hexdigest())


def test_104_an_unsubscription(hub_site: HubSite) -> None:
    """The callback gets no further deliveries."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        hub_site.request(one.url, "unsubscribe")
        hub_site.work()
        assert one.verifications[1]["hub.mode"] == "unsubscribe" and "hub.lease_seconds" not in one.verifications[1]
        hub_site.change("two")
        assert one.received == [] and hub_site.subscriptions == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("all.rss", "application/rss+xml"),
        ("all.json", "application/feed+json"),
        ("topic/water.atom", "application/atom+xml"),
    ],
)
def test_105_106_every_media_type(hub_site: HubSite, name: str, kind: str) -> None:
    """The delivery has the media type of the feed."""
    with subscriber() as one:
        hub_site.request(one.url, topic=f"https://review.example/feeds/{name}")
        hub_site.work()
        hub_site.change("two")
        (content,) = one.received
    assert content.headers["content-type"] == kind and content.body == (hub_site.kit.root / "feeds" / name).read_bytes()


# -- https://websub.rocks/publisher: where a subscriber finds hub and topic --------------------------------


@pytest.mark.parametrize("suffix", ["rss", "atom", "json"])
def test_1_2_3_feeds_have_hub_and_self_links_in_headers_and_body(hub_site: HubSite, suffix: str) -> None:
    """As WebSub discovery requires."""
    address = f"https://review.example/feeds/all.{suffix}"
    answer = hub_site.program.get(address)
    assert answer.headers["link"] == f'<{address}>; rel="self", <https://review.example/hub>; rel="hub"'
    if suffix == "json":
        assert '"https://review.example/hub"' in answer.text
    else:
        links = {(one["rel"], one["href"]) for one in feedparser.parse(answer.body).feed.links}
        assert {("hub", "https://review.example/hub"), ("self", address)} <= links


# -- what may go wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "returns_challenge"), [(200, False), (404, True), (302, True)])
def test_an_unverified_callback_gets_no_delivery(hub_site: HubSite, status: int, returns_challenge: bool) -> None:
    """Errors and wrong challenges are refusals."""
    with subscriber() as one:
        one.verification_status, one.returns_challenge = status, returns_challenge
        hub_site.request(one.url)
        hub_site.work()
        hub_site.change("two")
        hub_site.clock.advance(hours=1)
        hub_site.work()
        assert hub_site.subscriptions == {} and one.received == [] and len(one.verifications) == 1


def test_an_unsubscription_must_be_verified_by_the_callback(hub_site: HubSite) -> None:
    """A third party cannot end a subscription."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        one.returns_challenge = False
        hub_site.request(one.url, "unsubscribe")
        hub_site.work()
    assert hub_site.subscriptions == {"all.atom": 1}


def test_verification_and_delivery_are_retried(hub_site: HubSite) -> None:
    """With a backoff."""
    with subscriber() as one:
        one.verification_status = 503
        hub_site.request(one.url)
        assert hub_site.work().failed
        one.verification_status = 200
        assert hub_site.work().subscribed == 0
        hub_site.clock.advance(minutes=1)
        assert hub_site.work().subscribed == 1
        one.content_statuses = [500, 429, 200]
        hub_site.change("two")
        hub_site.clock.advance(minutes=1)
        hub_site.work()
        hub_site.clock.advance(minutes=2)
        assert hub_site.work().delivered == 1
        assert len(one.received) == 3 and hub_site.work().delivered == 0


def test_a_retried_delivery_has_the_newest_bytes(hub_site: HubSite) -> None:
    """Older bytes are not delivered."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        one.content_statuses = [500, 200]
        hub_site.change("two")
        hub_site.change("three")
        hub_site.clock.advance(hours=1)
        hub_site.work()
        assert [b"Three" in content.body for content in one.received] == [False, True]


@pytest.mark.postgresql
def test_a_delivery_that_waits_for_a_retry_ends_with_its_subscription(hub_site: HubSite) -> None:
    """A server that has unsubscribed gets no feed any more."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        one.content_statuses = [500, 204]
        hub_site.change("two")
        hub_site.request(one.url, "unsubscribe")
        hub_site.work()
        hub_site.clock.advance(hours=1)
        report = hub_site.work()
        assert len(one.received) == 1 and report.delivered == 0 and report.failed == []
    with hub_site.kit.open() as db, db.read() as connection:
        assert hub.count_rows(connection) == 0


def test_a_delivery_that_waits_for_a_retry_ends_with_the_lease_of_its_subscription(hub_site: HubSite) -> None:
    """A hub must not send a feed to a server whose lease has ended."""
    with subscriber() as one:
        hub_site.request(one.url, lease_seconds="3600")
        hub_site.work()
        one.content_statuses = [500, 204]
        hub_site.change("two")
        hub_site.clock.advance(hours=2)
        hub_site.change("three", work=False)
        report = hub_site.work()
        assert len(one.received) == 1 and (report.delivered, report.failed) == (0, [])


def test_a_retried_delivery_is_signed_with_the_secret_of_the_renewed_subscription(hub_site: HubSite) -> None:
    """Its server knows no other secret by then."""
    with subscriber() as one:
        hub_site.request(one.url, secret="first")
        hub_site.work()
        one.content_statuses = [500, 204]
        hub_site.change("two")
        hub_site.request(one.url, secret="second")
        hub_site.work()
        hub_site.clock.advance(hours=1)
        assert hub_site.work().delivered == 1
        content = one.received[-1]
    mark = hmac.new(b"second", content.body, hashlib.sha256).hexdigest()
    assert content.headers["x-hub-signature"] == f"sha256={mark}"


@pytest.mark.postgresql
def test_a_callback_that_responds_410_is_deleted(hub_site: HubSite) -> None:
    """With its subscriptions and tasks."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        one.content_statuses = [410]
        hub_site.change("two")
        assert hub_site.subscriptions == {}
        hub_site.change("three")
        assert len(one.received) == 1


@pytest.mark.postgresql
def test_a_redirect_is_not_followed(hub_site: HubSite) -> None:
    """It could lead to a private address."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        one.content_statuses = [307]
        hub_site.change("two")
        assert len(one.received) == 1


def test_a_subscription_ends_with_its_lease(hub_site: HubSite) -> None:
    """There is no delivery afterwards."""
    with subscriber() as one:
        hub_site.request(one.url, lease_seconds="600")
        hub_site.work()
        hub_site.clock.advance(seconds=601)
        hub_site.change("two")
        assert one.received == [] and hub_site.subscriptions == {}


def test_an_unchanged_feed_is_not_delivered(hub_site: HubSite) -> None:
    """Only new bytes are."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        hub_site.kit.publish(hub_site.clock.now())
        with hub_site.kit.open() as db:
            send_notifications(db, hub_site.kit.site, hub_site.clock.now())
        assert one.received == []


# Refused before the database is verifications.
@pytest.mark.parametrize("hub_site", ["sqlite"], indirect=True)
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
        ({"secret": "a\0b"}, "hub.secret"),
        ({"lease_seconds": "soon"}, "hub.lease_seconds"),
    ],
)
def test_an_invalid_request_is_rejected_with_the_reason(hub_site: HubSite, fields: dict[str, str], word: str) -> None:
    """Nothing is queued."""
    verifications: dict[str, Any] = {"callback": "http://example.org/", **fields}
    answer = hub_site.request(verifications.pop("callback"), **verifications)
    assert answer.status == 400 and word in answer.text


def test_a_site_without_a_hub_has_no_hub_url(kit: SiteKit) -> None:
    """The setting is web.hub."""
    kit.article()
    kit.publish()
    web = Web(kit.site)
    assert Visitor(web).post("https://review.example/hub", {"hub.mode": "subscribe"}).status == 405
    assert "hub" not in Visitor(web).get("https://review.example/feeds/all.rss").headers["link"]
    web.close()


def test_an_unresponsive_server_does_not_delay_others(hub_site: HubSite) -> None:
    """Its other callbacks are skipped in the run."""
    port = free_port()
    with hub_site.kit.open() as db, db.write() as connection:
        for number in range(90):
            callback, now = f"http://127.0.0.1:{port}/{number}", int(NOW.timestamp())
            hub.queue_verification(connection, "all.atom", callback, "subscribe", now)
    with subscriber() as one:
        hub_site.request(one.url)
        report = hub_site.work()
    assert report.subscribed == 1 and len(report.failed) == 90
    assert sum("a moment ago" in line for line in report.failed) > 60
