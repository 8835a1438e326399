"""Ways back to a newsletter: the link undoes its own act for a day, later a confirmation email is needed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from publisher.delivery.bounces import process_messages
from publisher.digests import store as issues
from publisher.signing.site_key import keyring
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import SubscriptionEvent
from publisher.subscriptions.confirmation_emails import preferences_link
from publisher.subscriptions.manage import suppress
from publisher.web import Web
from tests.conftest import NOW
from tests.support.subscriber_site import ANN, BASE, Town
from tests.support.web_visitor import Answer, Visitor


class Log:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **details: Any) -> None:
        self.lines.append({"event": event, **details})

    error = info


class Subscribed:
    """A person with a delivery of The Daily, which has the links that any delivery has."""

    def __init__(self, town: Town, digests: tuple[str, ...] = ("daily",)) -> None:
        self.town = town
        path = town.kit.root / "publisher.toml"
        path.write_text(path.read_text().replace("[mail]\n", f'[mail]\nunsubscribe = "{BASE}/leave"\n'))
        self.log = Log()
        town.web.close()
        town.web = Web(town.kit.site, clock=town.clock, wake=town.woken.append, log=self.log)
        town.ann = Visitor(town.web)
        town.joined(digests=digests)
        town.pass_time(days=2)
        town.kit.issue("three", now=NOW + timedelta(days=2))
        with town.kit.open() as db, db.write() as connection:
            issue = next(one for one in issues.list_issues(connection) if one.digest == "daily")
            self.token = keyring(town.kit.site, connection).delivery_token(issue.id, 1)
        town.post_office()
        self.log.lines.clear()

    def link(self, **fields: str) -> Answer:
        return self.town.ann.post(f"{BASE}/leave?copy={self.token}", fields)

    def choose(self, *digests: str) -> Answer:
        return self.town.ann.post(f"{BASE}/preferences?copy={self.token}", {"do": "save", "digest": digests})

    @property
    def digests(self) -> tuple[str, ...]:
        reader = self.town.reader()
        assert reader is not None
        return reader.digests

    @property
    def history(self) -> list[SubscriptionEvent]:
        with self.town.kit.open() as db, db.read() as connection:
            return subscriptions.history(connection, 1)

    def confirm(self) -> Answer:
        (mail,) = self.town.post_office()
        assert mail.recipient == ANN
        return self.town.ann.post(mail.link, {"yes": "yes"})


def test_a_mistake_is_undone_by_the_same_link_within_a_day(town: Town) -> None:
    """The page that says "unsubscribed" offers it, and no confirmation email is sent."""
    ann = Subscribed(town)
    assert "That was a mistake" in ann.link(leave="yes").text and ann.digests == ()
    town.pass_time(hours=23, minutes=59)
    assert ann.link(back="yes").heading == "Welcome back"
    assert ann.digests == ("daily",) and town.post_office() == []
    reader = town.reader()
    assert reader is not None and reader.status == "active" and reader.opted_out_at is None


def test_an_act_by_a_clock_that_was_ahead_is_not_undone_by_the_link(town: Town) -> None:
    """Once the clock is right again, the act lies in the future: only a confirmation email brings people back."""
    ann = Subscribed(town)
    town.pass_time(days=4000)
    ann.link(leave="yes")
    town.pass_time(days=-4000)
    assert ann.link(back="yes").heading == "Check your email" and ann.digests == ()


def test_the_act_that_left_everything_is_undone_as_a_whole(town: Town) -> None:
    """What had been left before that act stays left."""
    ann = Subscribed(town, ("daily", "weekly"))
    ann.choose("daily")
    town.pass_time(hours=1)
    ann.link(all="yes")
    assert ann.digests == ()
    ann.link(back="yes")
    assert ann.digests == ("daily",)


def test_after_a_day_the_link_sends_a_confirmation_email(town: Town) -> None:
    """A delivery may have been forwarded: only the mailbox can say yes."""
    ann = Subscribed(town)
    ann.link(leave="yes")
    town.pass_time(hours=24, seconds=1)
    page = town.ann.get(f"{BASE}/leave?copy={ann.token}")
    assert "That was a mistake" not in page.text and "Subscribe again" in page.text
    answer = ann.link(back="yes")
    assert answer.heading == "Check your email" and ANN not in answer.text and ann.digests == ()
    assert town.woken[-1] == "confirmation-emails"
    assert ann.confirm().heading == "Welcome" and ann.digests == ("daily",)


def test_unsubscribing_works_for_ever_and_again(town: Town) -> None:
    """A token of years ago unsubscribes; pressing it twice changes nothing more."""
    ann = Subscribed(town)
    town.pass_time(days=2000)
    ann.link(leave="yes")
    before = ann.history
    ann.link(leave="yes")
    assert ann.digests == () and ann.history == before


@pytest.mark.parametrize("how", ["preferences", "mail"])
def test_only_the_links_own_act_can_be_undone(town: Town, how: str) -> None:
    """People who left by preferences or by mail need a confirmation email at once."""
    ann = Subscribed(town)
    if how == "preferences":
        ann.choose()
    else:
        mail = f"From: {ANN}\r\nTo: news@review.example\r\nSubject: unsubscribe {ann.token}\r\n\r\n\r\n"
        assert process_messages(town.kit.site, [mail.encode()], town.clock.now()).unsubscribed == 1
    assert ann.digests == () and ann.history[-1].source == how
    assert ann.link(back="yes").heading == "Check your email"
    assert ann.digests == ()


def test_preferences_opened_by_a_token_ask_before_they_subscribe_again(town: Town) -> None:
    """What was left waits for a confirmation email; everything else is saved at once."""
    ann = Subscribed(town, ("daily", "weekly"))
    ann.choose("daily")
    page = ann.choose("weekly")
    assert "One step is left for The Weekly" in page.text and ann.digests == ()
    assert ann.confirm().heading == "Welcome" and ann.digests == ("weekly",)


def test_preferences_opened_by_a_sealed_link_subscribe_again_at_once(town: Town) -> None:
    """That link was sent to the mailbox and stands in no newsletter."""
    ann = Subscribed(town, ("daily", "weekly"))
    ann.choose("daily")
    with town.kit.open() as db, db.write() as connection:
        sealed = preferences_link(town.kit.site, connection, 1, town.clock.now())
    assert "Saved." in town.ann.post(sealed, {"do": "save", "digest": ["weekly"]}).text
    assert ann.digests == ("weekly",) and town.post_office() == []


def test_a_newsletter_never_left_is_added_by_a_token_unless_everything_was_left(town: Town) -> None:
    """Subscribing to something new is not subscribing again; after leaving everything it is."""
    ann = Subscribed(town)
    ann.choose("daily", "weekly")
    assert ann.digests == ("daily", "weekly")
    other = "bea@mail.example.org"
    town.joined(other)
    reader = town.reader(other)
    assert reader is not None
    with town.kit.open() as db, db.write() as connection:
        issue = issues.list_issues(connection)[0]
        token = keyring(town.kit.site, connection).delivery_token(issue.id, reader.id)
    town.ann.post(f"{BASE}/leave?copy={token}", {"all": "yes"})
    town.ann.post(f"{BASE}/preferences?copy={token}", {"do": "save", "digest": ["weekly"]})
    after = town.reader(other)
    assert after is not None and after.digests == () and after.status == "unsubscribed"


def test_confirming_one_newsletter_revives_only_that_one(town: Town) -> None:
    """A person who left everything and confirms one newsletter gets that one, and no later list adds another."""
    ann = Subscribed(town, ("daily", "weekly"))
    ann.link(all="yes")
    town.pass_time(days=2)
    town.join(digests=("daily",))
    ann.confirm()
    reader = town.reader()
    assert reader is not None and reader.digests == ("daily",) and reader.status == "active"
    assert reader.has_left("weekly") and reader.has_left("a newsletter that begins later")


def test_suppressed_people_get_no_confirmation_email(town: Town) -> None:
    """A complaint is final: neither link nor preferences send anything."""
    ann = Subscribed(town)
    ann.link(leave="yes")
    suppress(town.kit.site, ANN, NOW)
    town.pass_time(days=2)
    ann.link(back="yes")
    ann.choose("daily")
    assert town.post_office() == [] and ann.digests == ()


def test_a_token_sends_one_confirmation_email_a_day(town: Town) -> None:
    """Whoever has a forwarded delivery cannot fill its owner's mailbox."""
    ann = Subscribed(town)
    ann.link(leave="yes")
    town.pass_time(days=2)
    for _ in range(5):
        ann.link(back="yes")
        ann.choose("daily")
    assert len(town.post_office()) == 1


def test_changes_are_logged_without_the_address(town: Town) -> None:
    """The log has the event, the newsletter and the source."""
    ann = Subscribed(town)
    ann.link(leave="yes")
    ann.link(back="yes")
    ann.choose("weekly")
    town.pass_time(days=2)
    ann.link(back="yes")
    ann.confirm()
    changes = [
        (one["digest"], one["state"], one["source"]) for one in ann.log.lines if one["event"] == "subscription changed"
    ]
    assert changes == [
        ("daily", "unsubscribed", "link"),
        ("daily", "active", "link"),
        ("weekly", "active", "preferences"),
        ("daily", "unsubscribed", "preferences"),
        ("daily", "active", "form"),
    ]
    assert "ann@" not in str(ann.log.lines) and ann.token not in str(ann.log.lines)
