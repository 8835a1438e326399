"""Preferences: choices, pause, change of address, personal feed, export and erasure of data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import feedparser
import pytest

from publisher.digests import store as issues
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from tests.conftest import NOW
from tests.support.subscriber_site import ANN, BASE, SubscriberSite
from tests.support.use_cases import add_subscriber, deliver, erase_subscriber, retract
from tests.support.web_visitor import Response

# -- preferences -----------------------------------------------------------------------------------


def test_a_subscriber_saves_preferences(subscriber_site: SubscriberSite) -> None:
    """Newsletters, interests and zone are stored."""
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


@pytest.mark.postgresql
def test_saving_preferences_keeps_settings_that_the_page_does_not_show(subscriber_site: SubscriberSite) -> None:
    """Digests and labels that the page does not offer are not removed."""
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
    # No zone means that of the site.
    assert found.zone is None
    subscriber_site.submit_preferences(link, "save", digest=["daily"])
    found = subscriber_site.subscriber()
    assert found is not None and not any(found.follows.values())


def test_the_link_in_a_message_opens_the_preferences(subscriber_site: SubscriberSite) -> None:
    """A delivery token identifies the subscriber."""
    subscriber_site.replace_setting("[mail]\n", f'[mail]\npreferences = "{BASE}/preferences"\n')
    add_subscriber(subscriber_site.kit.site, ANN, NOW, digests=["daily"])
    subscriber_site.kit.issue("three")
    with subscriber_site.kit.open() as db, db.write() as connection:
        row = next(one for one in issues.list_issues(connection) if one.digest == "daily")
        person = subscribers.find_by_key(connection, ANN)
        assert person is not None
        copy = keyring(subscriber_site.kit.site, connection).delivery_token(row.id, person.id)
    assert subscriber_site.visitor.get(f"{BASE}/preferences?copy={copy}").heading == "Your newsletters"


def test_a_paused_subscriber_gets_no_mail_until_the_pause_ends(subscriber_site: SubscriberSite) -> None:
    """Queued deliveries wait as well."""
    link = subscriber_site.subscribe_and_confirm()
    assert subscriber_site.submit_preferences(link, "pause", until="2026-11-23").status == 422
    assert subscriber_site.submit_preferences(link, "pause", until="someday").status == 422
    assert subscriber_site.submit_preferences(link, "pause", until="9999-01-01").status == 422
    # Deliveries that are queued already.
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
    deliver(subscriber_site.kit.site, "daily")
    assert len(subscriber_site.server.accepted) == before + 1
    subscriber_site.submit_preferences(link, "pause", until="2026-12-24")
    assert "Mail is resumed" in subscriber_site.submit_preferences(link, "resume").text
    found = subscriber_site.subscriber()
    assert found is not None and found.paused_until is None


def test_an_address_changes_when_both_addresses_have_confirmed(subscriber_site: SubscriberSite) -> None:
    """One confirmation alone changes nothing."""
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


def test_an_address_of_another_subscriber_cannot_be_taken(subscriber_site: SubscriberSite) -> None:
    """The change is refused after the confirmation."""
    link = subscriber_site.subscribe_and_confirm()
    add_subscriber(subscriber_site.kit.site, "bob@mail.example.org", NOW, digests=["daily"])
    said = subscriber_site.submit_preferences(link, "move", address="bob@mail.example.org").text
    assert "a message to both addresses" in said
    for email in subscriber_site.deliver_emails():
        answer = subscriber_site.visitor.post(email.link)
    assert answer.heading == "That didn’t work" and subscriber_site.subscriber() is not None


def test_data_is_exported_and_erased_only_after_a_confirmation(subscriber_site: SubscriberSite) -> None:
    """A forwarded delivery must not show or erase data."""
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "download")
    (email,) = subscriber_site.deliver_emails()
    assert subscriber_site.visitor.get(email.link).heading == "Your data"
    answer = subscriber_site.visitor.post(email.link)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(answer.body)["address"] == ANN
    subscriber_site.submit_preferences(link, "erase")
    (email,) = subscriber_site.deliver_emails()
    assert (
        subscriber_site.visitor.get(email.link).heading == "Erase your data?"
        and subscriber_site.subscriber() is not None
    )
    assert subscriber_site.visitor.post(email.link).heading == "Your data is erased"
    assert subscriber_site.subscriber() is None
    with subscriber_site.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [tuple(row) for row in connection.execute(text("SELECT address FROM confirmation_email"))]
    assert left == []
    assert subscriber_site.visitor.post(email.link).status == 404


def test_erasure_after_a_change_of_address_deletes_all_data(subscriber_site: SubscriberSite) -> None:
    """Neither address is left in the database."""
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "move", address="ann@new.example.org")
    for email in subscriber_site.deliver_emails():
        subscriber_site.visitor.post(email.link)
    erase_subscriber(subscriber_site.kit.site, "ann@new.example.org", NOW)
    with subscriber_site.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [row for (row,) in connection.execute(text("SELECT address || request FROM confirmation_email"))]
    assert not [row for row in left if "ann@" in row], left


def test_erasure_follows_a_change_of_address_before_the_confirmation(subscriber_site: SubscriberSite) -> None:
    """The person is erased at their current address."""
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "erase")
    (erase,) = subscriber_site.deliver_emails()
    subscriber_site.submit_preferences(link, "move", address="ann@new.example.org")
    for email in subscriber_site.deliver_emails():
        subscriber_site.visitor.post(email.link)
    assert subscriber_site.subscriber("ann@new.example.org") is not None
    assert subscriber_site.visitor.post(erase.link).heading == "Your data is erased"
    assert subscriber_site.subscriber("ann@new.example.org") is None


# -- personal feed -------------------------------------------------------------------------------


def test_a_personal_feed_has_the_articles_of_the_subscribers_newsletters(subscriber_site: SubscriberSite) -> None:
    """Interests apply, and a new URL replaces the old one."""
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
    # It follows the preferences, and a URL that was replaced is gone.
    subscriber_site.submit_preferences(link, "save", digest=["daily"])
    assert len(feedparser.parse(subscriber_site.visitor.get(f"{feed}.atom").body).entries) == 2
    subscriber_site.submit_preferences(link, "feed")
    assert subscriber_site.visitor.get(f"{feed}.atom").status == 404
    subscriber_site.submit_preferences(link, "unfeed")
    assert "Create my feed" in subscriber_site.visitor.get(link).text


def test_mail_can_be_paused_without_an_end(subscriber_site: SubscriberSite) -> None:
    """People who read their personal feed may want no mail."""
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "feed")
    assert "You read your own feed" in subscriber_site.submit_preferences(link, "pause", for_ever="yes").text
    before = len(subscriber_site.server.accepted)
    later = NOW + timedelta(days=300)
    subscriber_site.kit.issue("three", now=later, date=f"{later:%Y-%m-%d}")
    deliver(subscriber_site.kit.site, "daily")
    assert len(subscriber_site.server.accepted) == before


def test_a_personal_feed_passes_the_feed_checks(subscriber_site: SubscriberSite) -> None:
    """In every format."""
    from publisher.feeds.checks.feed import check_feed

    link = subscriber_site.subscribe_and_confirm()
    page = subscriber_site.submit_preferences(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        assert check_feed(subscriber_site.visitor.get(f"{feed}.{suffix}").body, url=f"{feed}.{suffix}") == []


def test_a_personal_feed_supports_conditional_requests(subscriber_site: SubscriberSite) -> None:
    """No article is read for an unchanged feed, and every change is visible at once."""
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
