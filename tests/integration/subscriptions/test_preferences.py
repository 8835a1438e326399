"""Readers choose, pause, move, look into their data and go: by their own letters and nobody else's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import feedparser

from publisher.delivery.deliver import deliver
from publisher.digests import store as issues
from publisher.pipeline.correct import retract
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscriptions.manage import add_subscriber, erase_subscriber
from tests.conftest import NOW
from tests.support.subscriber_site import ANN, BASE, SubscriberSite
from tests.support.web_visitor import Response

# -- preferences -----------------------------------------------------------------------------------


def test_a_reader_chooses(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    page = subscriber_site.visitor.get(link)
    assert "a…\u2060@mail.example.org" in page.text and ANN not in page.text
    answer = subscriber_site.submit_preferences(
        link, "save", digest=["weekly"], topics=["Trade"], regions=["Asia"], zone="Asia/Tokyo"
    )
    assert "Saved." in answer.text
    found = subscriber_site.subscriber()
    assert found is not None and (found.digests, found.zone) == (("weekly",), "Asia/Tokyo")
    assert (found.follows["topics"], found.follows["regions"]) == (("Trade",), ("Asia",))
    subscriber_site.submit_preferences(link, "save", digest=["weekly"])
    found = subscriber_site.subscriber()
    assert found is not None and not any(found.follows.values())
    assert subscriber_site.submit_preferences(link, "nonsense").status == 400


def test_what_a_reader_has_and_no_page_offers_stays_hers(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    add_subscriber(
        subscriber_site.kit.site, ANN, NOW, follows={"tags": ["Rare"], "topics": ["Water"]}, zone="Asia/Tokyo"
    )
    page = subscriber_site.visitor.get(link).text
    assert 'value="Rare" checked' in page and "<option selected>Asia/Tokyo" in page
    subscriber_site.submit_preferences(link, "save", digest=["daily"], tags=["Rare"], topics=["Water", "Trade"])
    found = subscriber_site.subscriber()
    assert (
        found is not None and found.follows["tags"] == ("Rare",) and set(found.follows["topics"]) == {"Water", "Trade"}
    )
    # The newsroom's clock is a choice, too.
    assert found.zone is None
    subscriber_site.submit_preferences(link, "save", digest=["daily"])
    found = subscriber_site.subscriber()
    assert found is not None and not any(found.follows.values())


def test_the_link_in_a_copy_leads_to_her_preferences(subscriber_site: SubscriberSite) -> None:
    subscriber_site.replace_setting("[mail]\n", f'[mail]\npreferences = "{BASE}/preferences"\n')
    add_subscriber(subscriber_site.kit.site, ANN, NOW, digests=["daily"])
    subscriber_site.kit.issue("three")
    with subscriber_site.kit.open() as db, db.write() as connection:
        row = next(one for one in issues.list_issues(connection) if one.digest == "daily")
        reader = subscribers.find_by_key(connection, ANN)
        assert reader is not None
        copy = keyring(subscriber_site.kit.site, connection).delivery_token(row.id, reader.id)
    assert subscriber_site.visitor.get(f"{BASE}/preferences?copy={copy}").heading == "Your newsletters"


def test_who_pauses_gets_nothing_until_then(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    assert subscriber_site.submit_preferences(link, "pause", until="2026-11-23").status == 422
    assert subscriber_site.submit_preferences(link, "pause", until="someday").status == 422
    assert subscriber_site.submit_preferences(link, "pause", until="9999-01-01").status == 422
    # Also what is on its way already.
    subscriber_site.kit.issue("three", now=NOW + timedelta(hours=1))
    assert "No mail until 2026-11-26" in subscriber_site.submit_preferences(link, "pause", until="2026-11-26").text
    with subscriber_site.kit.open() as db, db.write() as connection:
        from sqlalchemy import text

        connection.execute(text("UPDATE delivery SET state = 'queued', answer = NULL"))
    before = len(subscriber_site.server.accepted)
    deliver(subscriber_site.kit.site, "daily", clock=subscriber_site.clock.now)
    subscriber_site.kit.issue("four", now=NOW + timedelta(hours=2))
    deliver(subscriber_site.kit.site, "daily", clock=subscriber_site.clock.now)
    assert len(subscriber_site.server.accepted) == before
    with subscriber_site.kit.open() as db, db.read() as connection:
        from publisher.delivery import store as deliveries

        row = next(one for one in issues.list_issues(connection) if one.digest == "daily" and "Three" in one.subject)
        copy = deliveries.delivery_of(connection, row.id, 1)
        assert copy is not None and (copy.state.value, copy.answer) == (
            "suppressed",
            "mail is paused until 2026-11-26 00:00 UTC",
        )
    # The day has come: what is sent is sent by the machine's own clock.
    with subscriber_site.kit.open() as db, db.write() as connection:
        subscribers.update_subscribers(connection, [(1, {"paused_until": int(datetime.now(UTC).timestamp())})])
    subscriber_site.kit.issue("five", now=datetime.now(UTC))
    assert len(subscriber_site.server.accepted) == before + 1
    subscriber_site.submit_preferences(link, "pause", until="2026-12-24")
    assert "Mail is resumed" in subscriber_site.submit_preferences(link, "resume").text
    found = subscriber_site.subscriber()
    assert found is not None and found.paused_until is None


def test_a_reader_moves_when_both_addresses_have_confirmed(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    assert subscriber_site.submit_preferences(link, "move", address="no").status == 422
    subscriber_site.submit_preferences(link, "move", address="ann@new.example.org")
    old, new = sorted(subscriber_site.deliver_emails(), key=lambda one: one.recipient != ANN)
    assert (old.recipient, new.recipient) == (ANN, "ann@new.example.org")
    assert ANN not in new.text
    assert (
        subscriber_site.visitor.post(new.link).heading == "One more step" and subscriber_site.subscriber() is not None
    )
    assert subscriber_site.visitor.post(old.link).heading == "Done"
    assert subscriber_site.subscriber() is None
    moved = subscriber_site.subscriber("ann@new.example.org")
    assert moved is not None and moved.domain == "new.example.org" and moved.digests == ("daily",)
    assert subscriber_site.visitor.post(new.link).heading == "Done"


def test_nobody_moves_to_an_address_that_is_taken(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    add_subscriber(subscriber_site.kit.site, "bob@mail.example.org", NOW, digests=["daily"])
    said = subscriber_site.submit_preferences(link, "move", address="bob@mail.example.org").text
    assert "a message to both addresses" in said
    for letter in subscriber_site.deliver_emails():
        answer = subscriber_site.visitor.post(letter.link)
    assert answer.heading == "That didn’t work" and subscriber_site.subscriber() is not None


def test_data_are_shown_and_erased_by_a_letter_alone(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "download")
    (letter,) = subscriber_site.deliver_emails()
    assert subscriber_site.visitor.get(letter.link).heading == "Your data"
    answer = subscriber_site.visitor.post(letter.link)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(answer.body)["address"] == ANN
    subscriber_site.submit_preferences(link, "erase")
    (letter,) = subscriber_site.deliver_emails()
    assert (
        subscriber_site.visitor.get(letter.link).heading == "Erase your data?"
        and subscriber_site.subscriber() is not None
    )
    assert subscriber_site.visitor.post(letter.link).heading == "Your data is erased"
    assert subscriber_site.subscriber() is None
    with subscriber_site.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [tuple(row) for row in connection.execute(text("SELECT address FROM confirmation_email"))]
    assert left == []
    assert subscriber_site.visitor.post(letter.link).status == 404


def test_nothing_is_left_of_who_has_moved_and_is_erased(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "move", address="ann@new.example.org")
    for letter in subscriber_site.deliver_emails():
        subscriber_site.visitor.post(letter.link)
    erase_subscriber(subscriber_site.kit.site, "ann@new.example.org", NOW)
    with subscriber_site.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [row for (row,) in connection.execute(text("SELECT address || request FROM confirmation_email"))]
    assert not [row for row in left if "ann@" in row], left


def test_who_moves_between_asking_and_pressing_is_erased_where_she_is(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "erase")
    (erase,) = subscriber_site.deliver_emails()
    subscriber_site.submit_preferences(link, "move", address="ann@new.example.org")
    for letter in subscriber_site.deliver_emails():
        subscriber_site.visitor.post(letter.link)
    assert subscriber_site.subscriber("ann@new.example.org") is not None
    assert subscriber_site.visitor.post(erase.link).heading == "Your data is erased"
    assert subscriber_site.subscriber("ann@new.example.org") is None


# -- a feed of her own -------------------------------------------------------------------------------


def test_a_reader_has_a_feed_of_her_own(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm(topics="Water")
    page = subscriber_site.submit_preferences(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        answer = subscriber_site.visitor.get(f"{feed}.{suffix}")
        assert answer.status == 200 and answer.headers["cache-control"].startswith("private")
        assert answer.headers["x-robots-tag"] == "noindex" and "hub" not in answer.text
        if suffix != "json":
            assert [one.title for one in feedparser.parse(answer.body).entries] == ["One"]
        known = subscriber_site.visitor.get(f"{feed}.{suffix}", if_none_match=answer.headers["etag"])
        assert (known.status, known.body) == (304, b"")
    assert subscriber_site.visitor.get(f"{feed}.txt").status == 404
    # It is hers: what she chooses is in it, and an address that was taken back is nobody's.
    subscriber_site.submit_preferences(link, "save", digest=["daily"])
    assert len(feedparser.parse(subscriber_site.visitor.get(f"{feed}.atom").body).entries) == 2
    subscriber_site.submit_preferences(link, "feed")
    assert subscriber_site.visitor.get(f"{feed}.atom").status == 404
    subscriber_site.submit_preferences(link, "unfeed")
    assert "Create my feed" in subscriber_site.visitor.get(link).text


def test_who_reads_her_feed_needs_no_mail(subscriber_site: SubscriberSite) -> None:
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "feed")
    assert "You read your own feed" in subscriber_site.submit_preferences(link, "pause", for_ever="yes").text
    before = len(subscriber_site.server.accepted)
    subscriber_site.kit.issue("three", now=NOW + timedelta(days=300))
    deliver(subscriber_site.kit.site, "daily")
    assert len(subscriber_site.server.accepted) == before


def test_her_own_feed_keeps_the_rules(subscriber_site: SubscriberSite) -> None:
    from publisher.feeds.checks.feed import check_feed

    link = subscriber_site.subscribe_and_confirm()
    page = subscriber_site.submit_preferences(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        assert check_feed(subscriber_site.visitor.get(f"{feed}.{suffix}").body, address=f"{feed}.{suffix}") == []


def test_her_own_feed_is_asked_for_again_and_again(subscriber_site: SubscriberSite) -> None:
    """What she has is known without a look at any article, and whatever changes it is seen at once."""
    link = subscriber_site.subscribe_and_confirm()
    (address,) = re.findall(r">(\S+\.rss)</code>", subscriber_site.submit_preferences(link, "feed").text)
    first = subscriber_site.visitor.get(address)
    assert first.status == 200 and first.headers["cache-control"].startswith("private")

    def again() -> Response:
        return subscriber_site.visitor.get(address, if_none_match=tags[-1])

    tags = [first.headers["etag"]]
    assert again().status == 304 and again().status == 304
    changes: list[Callable[[], object]] = [
        lambda: (
            subscriber_site.kit.article("one.md", "One", topic="Water", body="Mended."),
            subscriber_site.kit.publish(NOW),
        ),
        lambda: (subscriber_site.kit.article("new.md", "New", date="2026-11-21"), subscriber_site.kit.publish(NOW)),
        lambda: subscriber_site.submit_preferences(link, "save", digest="daily", topics="Water"),
        lambda: retract(subscriber_site.kit.site, NOW + timedelta(hours=1), "one.md", "It was not so"),
        lambda: subscriber_site.submit_preferences(link, "save", digest="daily"),
    ]
    for change in changes:
        change()
        answer = again()
        assert answer.status == 200 and answer.headers["etag"] not in tags
        tags.append(answer.headers["etag"])
        assert again().status == 304 and subscriber_site.visitor.get(address).body == answer.body
    subscriber_site.submit_preferences(link, "unfeed")
    assert again().status == 404
