"""Ways back to a newsletter: the link undoes its own act for a day, later a confirmation email is needed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from publisher.digests import store as issues
from publisher.signing.site_key import keyring
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import SubscriptionEvent
from publisher.subscriptions.confirmation_emails import preferences_link
from publisher.web import Web
from tests.conftest import NOW
from tests.support.subscriber_site import ANN, BASE, SubscriberSite
from tests.support.use_cases import process_messages, suppress_by_operator
from tests.support.web_visitor import Response, Visitor


class Log:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **details: Any) -> None:
        self.lines.append({"event": event, **details})

    error = info


class Subscribed:
    """A person with a delivery of The Daily, which has the links that any delivery has."""

    def __init__(self, subscriber_site: SubscriberSite, digests: tuple[str, ...] = ("daily",)) -> None:
        self.subscriber_site = subscriber_site
        path = subscriber_site.kit.root / "publisher.toml"
        path.write_text(path.read_text().replace("[mail]\n", f'[mail]\nunsubscribe = "{BASE}/leave"\n'))
        self.log = Log()
        subscriber_site.web.close()
        subscriber_site.web = Web(
            subscriber_site.kit.site, clock=subscriber_site.clock, wake=subscriber_site.wakeups.append, log=self.log
        )
        subscriber_site.visitor = Visitor(subscriber_site.web)
        subscriber_site.subscribe_and_confirm(digests=digests)
        subscriber_site.advance(days=2)
        subscriber_site.kit.issue("three", now=NOW + timedelta(days=2))
        with subscriber_site.kit.open() as db, db.write() as connection:
            issue = next(one for one in issues.list_issues(connection) if one.digest == "daily")
            self.token = keyring(subscriber_site.kit.site, connection).delivery_token(issue.id, 1)
        subscriber_site.deliver_emails()
        self.log.lines.clear()

    def link(self, **fields: str) -> Response:
        return self.subscriber_site.visitor.post(f"{BASE}/leave?copy={self.token}", fields)

    def choose(self, *digests: str) -> Response:
        return self.subscriber_site.visitor.post(
            f"{BASE}/preferences?copy={self.token}", {"do": "save", "digest": digests}
        )

    @property
    def digests(self) -> tuple[str, ...]:
        person = self.subscriber_site.subscriber()
        assert person is not None
        return person.digests

    @property
    def history(self) -> list[SubscriptionEvent]:
        with self.subscriber_site.kit.open() as db, db.read() as connection:
            return subscriptions.load_history(connection, 1)

    def confirm(self) -> Response:
        (mail,) = self.subscriber_site.deliver_emails()
        assert mail.recipient == ANN
        return self.subscriber_site.visitor.post(mail.link, {"yes": "yes"})


def test_a_mistake_is_undone_by_the_same_link_within_a_day(subscriber_site: SubscriberSite) -> None:
    """The page that says "unsubscribed" offers it, and no confirmation email is sent."""
    ann = Subscribed(subscriber_site)
    assert "That was a mistake" in ann.link(leave="yes").text and ann.digests == ()
    subscriber_site.advance(hours=23, minutes=59)
    assert ann.link(back="yes").heading == "Welcome back"
    assert ann.digests == ("daily",) and subscriber_site.deliver_emails() == []
    person = subscriber_site.subscriber()
    assert person is not None and person.status == "active" and person.opted_out_at is None


def test_an_unsubscription_dated_in_the_future_is_not_undone_by_the_link(subscriber_site: SubscriberSite) -> None:
    """Once the clock is right again, the act lies in the future: only a confirmation email brings people back."""
    ann = Subscribed(subscriber_site)
    subscriber_site.advance(days=4000)
    ann.link(leave="yes")
    subscriber_site.advance(days=-4000)
    assert ann.link(back="yes").heading == "Check your email" and ann.digests == ()


def test_unsubscribing_from_everything_is_undone_as_a_whole(subscriber_site: SubscriberSite) -> None:
    """Newsletters that were unsubscribed before stay unsubscribed."""
    ann = Subscribed(subscriber_site, ("daily", "weekly"))
    ann.choose("daily")
    subscriber_site.advance(hours=1)
    ann.link(all="yes")
    assert ann.digests == ()
    ann.link(back="yes")
    assert ann.digests == ("daily",)


def test_after_a_day_the_link_sends_a_confirmation_email(subscriber_site: SubscriberSite) -> None:
    """A delivery may have been forwarded: only the mailbox can say yes."""
    ann = Subscribed(subscriber_site)
    ann.link(leave="yes")
    subscriber_site.advance(hours=24, seconds=1)
    page = subscriber_site.visitor.get(f"{BASE}/leave?copy={ann.token}")
    assert "That was a mistake" not in page.text and "Subscribe again" in page.text
    answer = ann.link(back="yes")
    assert answer.heading == "Check your email" and ANN not in answer.text and ann.digests == ()
    assert subscriber_site.wakeups[-1] == "confirmation-emails"
    assert ann.confirm().heading == "Welcome" and ann.digests == ("daily",)


def test_unsubscribing_works_for_ever_and_again(subscriber_site: SubscriberSite) -> None:
    """A token of years ago unsubscribes; pressing it twice changes nothing more."""
    ann = Subscribed(subscriber_site)
    subscriber_site.advance(days=2000)
    ann.link(leave="yes")
    before = ann.history
    ann.link(leave="yes")
    assert ann.digests == () and ann.history == before


@pytest.mark.parametrize("how", ["preferences", "mail"])
def test_the_link_undoes_only_its_own_unsubscription(subscriber_site: SubscriberSite, how: str) -> None:
    """After unsubscribing by preferences or by mail, a confirmation email is needed at once."""
    ann = Subscribed(subscriber_site)
    if how == "preferences":
        ann.choose()
    else:
        mail = f"From: {ANN}\r\nTo: news@review.example\r\nSubject: unsubscribe {ann.token}\r\n\r\n\r\n"
        assert (
            process_messages(subscriber_site.kit.site, [mail.encode()], subscriber_site.clock.now()).unsubscribed == 1
        )
    assert ann.digests == () and ann.history[-1].source == how
    assert ann.link(back="yes").heading == "Check your email"
    assert ann.digests == ()


def test_preferences_opened_by_a_delivery_token_need_a_confirmation_to_resubscribe(
    subscriber_site: SubscriberSite,
) -> None:
    """Unsubscribed newsletters wait for a confirmation email; everything else is saved at once."""
    ann = Subscribed(subscriber_site, ("daily", "weekly"))
    ann.choose("daily")
    page = ann.choose("weekly")
    assert "One step is left for The Weekly" in page.text and ann.digests == ()
    assert ann.confirm().heading == "Welcome" and ann.digests == ("weekly",)


def test_preferences_opened_by_a_signed_link_resubscribe_at_once(subscriber_site: SubscriberSite) -> None:
    """That link was sent to the mailbox and stands in no newsletter."""
    ann = Subscribed(subscriber_site, ("daily", "weekly"))
    ann.choose("daily")
    with subscriber_site.kit.open() as db, db.write() as connection:
        sealed = preferences_link(subscriber_site.kit.site, connection, 1, subscriber_site.clock.now())
    assert "Saved." in subscriber_site.visitor.post(sealed, {"do": "save", "digest": ["weekly"]}).text
    assert ann.digests == ("weekly",) and subscriber_site.deliver_emails() == []


def test_a_token_adds_a_newsletter_unless_the_person_unsubscribed_from_it_or_all(
    subscriber_site: SubscriberSite,
) -> None:
    """Subscribing to something new is not subscribing again; after leaving everything it is."""
    ann = Subscribed(subscriber_site)
    ann.choose("daily", "weekly")
    assert ann.digests == ("daily", "weekly")
    other = "bea@mail.example.org"
    subscriber_site.subscribe_and_confirm(other)
    person = subscriber_site.subscriber(other)
    assert person is not None
    with subscriber_site.kit.open() as db, db.write() as connection:
        issue = issues.list_issues(connection)[0]
        token = keyring(subscriber_site.kit.site, connection).delivery_token(issue.id, person.id)
    subscriber_site.visitor.post(f"{BASE}/leave?copy={token}", {"all": "yes"})
    subscriber_site.visitor.post(f"{BASE}/preferences?copy={token}", {"do": "save", "digest": ["weekly"]})
    after = subscriber_site.subscriber(other)
    assert after is not None and after.digests == () and after.status == "unsubscribed"


def test_confirming_one_newsletter_resubscribes_to_that_one_only(subscriber_site: SubscriberSite) -> None:
    """After unsubscribing from everything, no later import adds another newsletter."""
    ann = Subscribed(subscriber_site, ("daily", "weekly"))
    ann.link(all="yes")
    subscriber_site.advance(days=2)
    subscriber_site.subscribe(digests=("daily",))
    ann.confirm()
    person = subscriber_site.subscriber()
    assert person is not None and person.digests == ("daily",) and person.status == "active"
    assert person.has_unsubscribed("weekly") and person.has_unsubscribed("a newsletter that begins later")


def test_suppressed_people_get_no_confirmation_email(subscriber_site: SubscriberSite) -> None:
    """A complaint is final: neither link nor preferences send anything."""
    ann = Subscribed(subscriber_site)
    ann.link(leave="yes")
    suppress_by_operator(subscriber_site.kit.site, ANN, NOW)
    subscriber_site.advance(days=2)
    ann.link(back="yes")
    ann.choose("daily")
    assert subscriber_site.deliver_emails() == [] and ann.digests == ()


def test_a_token_sends_one_confirmation_email_a_day(subscriber_site: SubscriberSite) -> None:
    """Whoever has a forwarded delivery cannot fill its owner's mailbox."""
    ann = Subscribed(subscriber_site)
    ann.link(leave="yes")
    subscriber_site.advance(days=2)
    for _ in range(5):
        ann.link(back="yes")
        ann.choose("daily")
    assert len(subscriber_site.deliver_emails()) == 1


def test_changes_are_logged_without_the_address(subscriber_site: SubscriberSite) -> None:
    """The log has the event, the newsletter and the source."""
    ann = Subscribed(subscriber_site)
    ann.link(leave="yes")
    ann.link(back="yes")
    ann.choose("weekly")
    subscriber_site.advance(days=2)
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
