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
from publisher.subscriptions.manage import add, forget
from tests.conftest import NOW
from tests.support.subscriber_site import ANN, BASE, Town
from tests.support.web_visitor import Answer

# -- preferences -----------------------------------------------------------------------------------


def test_a_reader_chooses(town: Town) -> None:
    link = town.joined()
    page = town.ann.get(link)
    assert "a…\u2060@mail.example.org" in page.text and ANN not in page.text
    answer = town.choose(link, "save", digest=["weekly"], topics=["Trade"], regions=["Asia"], zone="Asia/Tokyo")
    assert "Saved." in answer.text
    found = town.reader()
    assert found is not None and (found.digests, found.zone) == (("weekly",), "Asia/Tokyo")
    assert (found.follows["topics"], found.follows["regions"]) == (("Trade",), ("Asia",))
    town.choose(link, "save", digest=["weekly"])
    found = town.reader()
    assert found is not None and not any(found.follows.values())
    assert town.choose(link, "nonsense").status == 400


def test_what_a_reader_has_and_no_page_offers_stays_hers(town: Town) -> None:
    link = town.joined()
    add(town.kit.site, ANN, NOW, follows={"tags": ["Rare"], "topics": ["Water"]}, zone="Asia/Tokyo")
    page = town.ann.get(link).text
    assert 'value="Rare" checked' in page and "<option selected>Asia/Tokyo" in page
    town.choose(link, "save", digest=["daily"], tags=["Rare"], topics=["Water", "Trade"])
    found = town.reader()
    assert (
        found is not None and found.follows["tags"] == ("Rare",) and set(found.follows["topics"]) == {"Water", "Trade"}
    )
    # The newsroom's clock is a choice, too.
    assert found.zone is None
    town.choose(link, "save", digest=["daily"])
    found = town.reader()
    assert found is not None and not any(found.follows.values())


def test_the_link_in_a_copy_leads_to_her_preferences(town: Town) -> None:
    town.settings("[mail]\n", f'[mail]\npreferences = "{BASE}/preferences"\n')
    add(town.kit.site, ANN, NOW, digests=["daily"])
    town.kit.issue("three")
    with town.kit.open() as db, db.write() as connection:
        row = next(one for one in issues.list_issues(connection) if one.digest == "daily")
        reader = subscribers.by_key(connection, ANN)
        assert reader is not None
        copy = keyring(town.kit.site, connection).delivery_token(row.id, reader.id)
    assert town.ann.get(f"{BASE}/preferences?copy={copy}").heading == "Your newsletters"


def test_who_pauses_gets_nothing_until_then(town: Town) -> None:
    link = town.joined()
    assert town.choose(link, "pause", until="2026-11-23").status == 422
    assert town.choose(link, "pause", until="someday").status == 422
    assert town.choose(link, "pause", until="9999-01-01").status == 422
    # Also what is on its way already.
    town.kit.issue("three", now=NOW + timedelta(hours=1))
    assert "No mail until 2026-11-26" in town.choose(link, "pause", until="2026-11-26").text
    with town.kit.open() as db, db.write() as connection:
        from sqlalchemy import text

        connection.execute(text("UPDATE delivery SET state = 'queued', answer = NULL"))
    before = len(town.server.accepted)
    deliver(town.kit.site, "daily", clock=town.clock.now)
    town.kit.issue("four", now=NOW + timedelta(hours=2))
    deliver(town.kit.site, "daily", clock=town.clock.now)
    assert len(town.server.accepted) == before
    with town.kit.open() as db, db.read() as connection:
        from publisher.delivery import store as deliveries

        row = next(one for one in issues.list_issues(connection) if one.digest == "daily" and "Three" in one.subject)
        copy = deliveries.delivery_of(connection, row.id, 1)
        assert copy is not None and (copy.state.value, copy.answer) == (
            "suppressed",
            "mail is paused until 2026-11-26 00:00 UTC",
        )
    # The day has come: what is sent is sent by the machine's own clock.
    with town.kit.open() as db, db.write() as connection:
        subscribers.update_subscribers(connection, [(1, {"paused_until": int(datetime.now(UTC).timestamp())})])
    town.kit.issue("five", now=datetime.now(UTC))
    assert len(town.server.accepted) == before + 1
    town.choose(link, "pause", until="2026-12-24")
    assert "Mail is resumed" in town.choose(link, "resume").text
    found = town.reader()
    assert found is not None and found.paused_until is None


def test_a_reader_moves_when_both_addresses_have_confirmed(town: Town) -> None:
    link = town.joined()
    assert town.choose(link, "move", address="no").status == 422
    town.choose(link, "move", address="ann@new.example.org")
    old, new = sorted(town.post_office(), key=lambda one: one.recipient != ANN)
    assert (old.recipient, new.recipient) == (ANN, "ann@new.example.org")
    assert ANN not in new.text
    assert town.ann.post(new.link).heading == "One more step" and town.reader() is not None
    assert town.ann.post(old.link).heading == "Done"
    assert town.reader() is None
    moved = town.reader("ann@new.example.org")
    assert moved is not None and moved.domain == "new.example.org" and moved.digests == ("daily",)
    assert town.ann.post(new.link).heading == "Done"


def test_nobody_moves_to_an_address_that_is_taken(town: Town) -> None:
    link = town.joined()
    add(town.kit.site, "bob@mail.example.org", NOW, digests=["daily"])
    said = town.choose(link, "move", address="bob@mail.example.org").text
    assert "a message to both addresses" in said
    for letter in town.post_office():
        answer = town.ann.post(letter.link)
    assert answer.heading == "That didn’t work" and town.reader() is not None


def test_data_are_shown_and_erased_by_a_letter_alone(town: Town) -> None:
    link = town.joined()
    town.choose(link, "download")
    (letter,) = town.post_office()
    assert town.ann.get(letter.link).heading == "Your data"
    answer = town.ann.post(letter.link)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(answer.body)["address"] == ANN
    town.choose(link, "erase")
    (letter,) = town.post_office()
    assert town.ann.get(letter.link).heading == "Erase your data?" and town.reader() is not None
    assert town.ann.post(letter.link).heading == "Your data is erased"
    assert town.reader() is None
    with town.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [tuple(row) for row in connection.execute(text("SELECT address FROM letter"))]
    assert left == []
    assert town.ann.post(letter.link).status == 404


def test_nothing_is_left_of_who_has_moved_and_is_erased(town: Town) -> None:
    link = town.joined()
    town.choose(link, "move", address="ann@new.example.org")
    for letter in town.post_office():
        town.ann.post(letter.link)
    forget(town.kit.site, "ann@new.example.org", NOW)
    with town.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [row for (row,) in connection.execute(text("SELECT address || wish FROM letter"))]
    assert not [row for row in left if "ann@" in row], left


def test_who_moves_between_asking_and_pressing_is_erased_where_she_is(town: Town) -> None:
    link = town.joined()
    town.choose(link, "erase")
    (erase,) = town.post_office()
    town.choose(link, "move", address="ann@new.example.org")
    for letter in town.post_office():
        town.ann.post(letter.link)
    assert town.reader("ann@new.example.org") is not None
    assert town.ann.post(erase.link).heading == "Your data is erased"
    assert town.reader("ann@new.example.org") is None


# -- a feed of her own -------------------------------------------------------------------------------


def test_a_reader_has_a_feed_of_her_own(town: Town) -> None:
    link = town.joined(topics="Water")
    page = town.choose(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        answer = town.ann.get(f"{feed}.{suffix}")
        assert answer.status == 200 and answer.headers["cache-control"].startswith("private")
        assert answer.headers["x-robots-tag"] == "noindex" and "hub" not in answer.text
        if suffix != "json":
            assert [one.title for one in feedparser.parse(answer.body).entries] == ["One"]
        known = town.ann.get(f"{feed}.{suffix}", if_none_match=answer.headers["etag"])
        assert (known.status, known.body) == (304, b"")
    assert town.ann.get(f"{feed}.txt").status == 404
    # It is hers: what she chooses is in it, and an address that was taken back is nobody's.
    town.choose(link, "save", digest=["daily"])
    assert len(feedparser.parse(town.ann.get(f"{feed}.atom").body).entries) == 2
    town.choose(link, "feed")
    assert town.ann.get(f"{feed}.atom").status == 404
    town.choose(link, "unfeed")
    assert "Create my feed" in town.ann.get(link).text


def test_who_reads_her_feed_needs_no_mail(town: Town) -> None:
    link = town.joined()
    town.choose(link, "feed")
    assert "You read your own feed" in town.choose(link, "pause", for_ever="yes").text
    before = len(town.server.accepted)
    town.kit.issue("three", now=NOW + timedelta(days=300))
    deliver(town.kit.site, "daily")
    assert len(town.server.accepted) == before


def test_her_own_feed_keeps_the_rules(town: Town) -> None:
    from publisher.feeds.checks.feed import check_feed

    link = town.joined()
    page = town.choose(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        assert check_feed(town.ann.get(f"{feed}.{suffix}").body, address=f"{feed}.{suffix}") == []


def test_her_own_feed_is_asked_for_again_and_again(town: Town) -> None:
    """What she has is known without a look at any article, and whatever changes it is seen at once."""
    link = town.joined()
    (address,) = re.findall(r">(\S+\.rss)</code>", town.choose(link, "feed").text)
    first = town.ann.get(address)
    assert first.status == 200 and first.headers["cache-control"].startswith("private")

    def again() -> Answer:
        return town.ann.get(address, if_none_match=tags[-1])

    tags = [first.headers["etag"]]
    assert again().status == 304 and again().status == 304
    changes: list[Callable[[], object]] = [
        lambda: (town.kit.article("one.md", "One", topic="Water", body="Mended."), town.kit.publish(NOW)),
        lambda: (town.kit.article("new.md", "New", date="2026-11-21"), town.kit.publish(NOW)),
        lambda: town.choose(link, "save", digest="daily", topics="Water"),
        lambda: retract(town.kit.site, NOW + timedelta(hours=1), "one.md", "It was not so"),
        lambda: town.choose(link, "save", digest="daily"),
    ]
    for change in changes:
        change()
        answer = again()
        assert answer.status == 200 and answer.headers["etag"] not in tags
        tags.append(answer.headers["etag"])
        assert again().status == 304 and town.ann.get(address).body == answer.body
    town.choose(link, "unfeed")
    assert again().status == 404
