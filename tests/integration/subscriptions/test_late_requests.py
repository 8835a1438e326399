"""Requests that are answered when the subscriber, the address or the settings have changed meanwhile."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from publisher.delivery import audience_store as audience
from publisher.delivery.claims_store import Claim
from publisher.digests import store as issues
from publisher.errors import StageError
from publisher.model.feeds import FeedFormat
from publisher.model.subscriptions import ConfirmationKind
from publisher.subscribers import store as subscribers
from publisher.subscriptions import confirmation_emails, preferences
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from publisher.subscriptions.personal_feed import personal_feed_state, render_personal_feed
from tests.conftest import NOW
from tests.support.deliveries import at
from tests.support.smtp import Drop, Script
from tests.support.subscriber_site import ANN, SubscriberSite, href_of
from tests.support.use_cases import context_of, erase_subscriber, open_publisher, suppress_by_operator

NEW = "ann@new.example.org"
LATER = NOW + timedelta(hours=1)


def ask_for_everything(site: SubscriberSite, number: int) -> None:
    """Make each request of the page of preferences."""
    with open_publisher(site.kit.site, LATER) as publisher:
        assert not publisher.subscribers.pause_mail(number, date(2026, 12, 1))
        publisher.subscribers.resume_mail(number)
        publisher.subscribers.set_personal_feed(number, is_on=True)
        publisher.subscribers.request_data(number, ConfirmationKind.DOWNLOAD)
        publisher.subscribers.request_address_change(number, NEW)


def test_requests_of_an_erased_subscriber_change_nothing(subscriber_site: SubscriberSite) -> None:
    """The page of preferences was opened before."""
    site = subscriber_site
    site.subscribe_and_confirm()
    ann = site.subscriber()
    assert ann is not None
    erase_subscriber(site.kit.site, ANN, NOW)
    ask_for_everything(site, ann.id)
    assert site.deliver_emails() == [] and site.subscriber() is None


def test_a_suppressed_subscriber_gets_no_confirmation_emails(subscriber_site: SubscriberSite) -> None:
    """Whatever they ask for."""
    site = subscriber_site
    site.subscribe_and_confirm()
    ann = site.subscriber()
    assert ann is not None
    suppress_by_operator(site.kit.site, ANN, NOW)
    with open_publisher(site.kit.site, LATER) as publisher:
        publisher.subscribers.request_data(ann.id, ConfirmationKind.ERASE)
        publisher.subscribers.request_address_change(ann.id, NEW)
    assert site.deliver_emails() == []


def test_a_second_request_within_the_hour_sends_no_second_email(subscriber_site: SubscriberSite) -> None:
    """Nobody can fill a mailbox by the form."""
    site = subscriber_site
    link = site.subscribe_and_confirm()
    for _ in range(2):
        site.submit_preferences(link, "download")
        site.submit_preferences(link, "move", address=NEW)
    assert sorted(email.recipient for email in site.deliver_emails()) == [ANN, ANN, NEW]


def test_a_stored_zone_that_the_system_does_not_know_counts_as_that_of_the_site(
    subscriber_site: SubscriberSite,
) -> None:
    """Names of zones come and go with the tz database."""
    site = subscriber_site
    link = site.subscribe_and_confirm()
    ann = site.subscriber()
    assert ann is not None
    with site.kit.open() as db, db.write() as connection:
        subscribers.update_subscribers(connection, [(ann.id, {"zone": "Mars/Base"})])
    site.submit_preferences(link, "pause", until="2026-12-01")
    ann = site.subscriber()
    assert ann is not None and ann.paused_until == 1_796_083_200


def test_a_change_of_address_expires_with_its_first_email(subscriber_site: SubscriberSite) -> None:
    """Both addresses must confirm the same request."""
    site = subscriber_site
    site.submit_preferences(site.subscribe_and_confirm(), "move", address=NEW)
    emails = {email.recipient: email for email in site.deliver_emails()}
    with site.kit.open() as db, db.write() as connection:
        connection.exec_driver_sql(
            f"DELETE FROM confirmation_email WHERE kind = '{ConfirmationKind.OLD_ADDRESS.value}'"
        )
    answer = site.visitor.post(emails[NEW].link, {"yes": "yes"})
    assert "This request has expired. Please ask for the change again." in answer.text
    assert site.subscriber() is not None and site.subscriber(NEW) is None


def test_the_page_of_a_change_shows_the_new_address(subscriber_site: SubscriberSite) -> None:
    """Before the button is pressed, nothing has changed."""
    site = subscriber_site
    site.submit_preferences(site.subscribe_and_confirm(), "move", address=NEW)
    for email in site.deliver_emails():
        shown = site.visitor.get(email.link)
        assert shown.heading == "Change your address?" and f"Your newsletters will go to {NEW}." in shown.text
    assert site.subscriber() is not None


def test_an_invalid_confirmation_link_is_not_found(subscriber_site: SubscriberSite) -> None:
    """Nothing is written."""
    site = subscriber_site
    site.subscribe()
    (email,) = site.deliver_emails()
    with open_publisher(site.kit.site, NOW) as publisher:
        assert publisher.subscribers.answer_confirmation("nonsense") is None
    assert site.visitor.post(email.link + "x", {"yes": "yes"}).status == 404


def test_the_data_of_a_subscriber_has_their_deliveries(subscriber_site: SubscriberSite) -> None:
    """With state and time; a subscriber who was erased meanwhile gets no data."""
    from tests.support.use_cases import deliver

    site = subscriber_site
    link = site.subscribe_and_confirm()
    site.kit.article("three.md", "Three", topic="Water")
    target = site.kit.open_issue(now=LATER)
    deliver(site.kit.site, target)
    site.submit_preferences(link, "download")
    (email,) = (email for email in site.deliver_emails() if email.message["Auto-Submitted"] == "auto-generated")
    data = json.loads(site.visitor.post(email.link, {"yes": "yes"}).body)
    (copy,) = data["copies"]
    assert (copy["digest"], copy["state"]) == ("daily", "accepted") and copy["sent_at"]
    erase_subscriber(site.kit.site, ANN, NOW)
    assert site.visitor.post(email.link, {"yes": "yes"}).body in (b"", site.visitor.post(email.link).body)


def test_emails_wait_while_they_cannot_be_written(
    subscriber_site: SubscriberSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result has the reason, and the next call sends them."""
    site = subscriber_site
    site.subscribe()

    def fail(*_: object) -> None:
        raise StageError("cannot write the message: No space left on device")

    with monkeypatch.context() as patch, site.kit.open() as db:
        patch.setattr(confirmation_emails, "try_messages", fail)
        result = send_confirmation_emails(site.context(db))
    assert (result.sent, result.trouble) == (0, "cannot write the message: No space left on device")
    site.advance(hours=1)
    assert [email.recipient for email in site.deliver_emails()] == [ANN]


def test_an_email_is_not_sent_again_because_the_next_one_failed(subscriber_site: SubscriberSite) -> None:
    """The connection ends between the two."""
    site = subscriber_site
    site.subscribe()
    site.subscribe("bob@mail.example.org")
    site.server.script = at("rcpt", Drop, times=99, recipient="bob@mail.example.org")
    assert [email.recipient for email in site.deliver_emails()] == [ANN]
    site.server.script = Script()
    for _ in range(3):
        site.advance(hours=1)
        site.deliver_emails()
    assert site.server.recipients == [ANN, "bob@mail.example.org"]


def test_a_site_without_a_mail_server_sends_no_confirmation_emails(subscriber_site: SubscriberSite) -> None:
    """They stay queued until there is one."""
    site = subscriber_site
    site.subscribe()
    path = site.kit.root / "publisher.toml"
    text = path.read_text()
    path.write_text(text.partition("[smtp]")[0] + '[digests.weekly]\ntitle = "The Weekly"\n')
    assert site.deliver_emails() == []
    path.write_text(text)
    assert [email.recipient for email in site.deliver_emails()] == [ANN]


def test_a_confirmation_names_no_newsletter_that_the_site_has_removed(subscriber_site: SubscriberSite) -> None:
    """Between the request and its email."""
    site = subscriber_site
    site.subscribe(digests=("weekly",))
    site.replace_setting('[digests.weekly]\ntitle = "The Weekly"\nsend = "auto"\n', "")
    (email,) = site.deliver_emails()
    assert "asked to subscribe this address to newsletters from The Test Review." in email.words


def test_an_erased_subscriber_is_not_told_that_they_are_subscribed(subscriber_site: SubscriberSite) -> None:
    """They asked before they were erased."""
    site = subscriber_site
    site.subscribe_and_confirm()
    site.advance(hours=2)
    site.subscribe()
    ann = site.subscriber()
    assert ann is not None
    with site.kit.open() as db, db.write() as connection:
        subscribers.delete_subscriber(connection, ann.id)
    assert site.deliver_emails() == []


@pytest.mark.parametrize("change", ["nothing", "unsubscribed", "a long time", "has it", "old issue", "no mail"])
def test_a_welcome_issue_is_sent_only_if_it_is_still_wanted(subscriber_site: SubscriberSite, change: str) -> None:
    """Not to people who have unsubscribed, or have the issue; no issue that is old, or of a newsletter without mail."""
    site = subscriber_site
    site.replace_setting('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    site.subscribe()
    (email,) = site.deliver_emails()
    answer = site.visitor.post(email.link, {"yes": "yes"})
    if change == "unsubscribed":
        site.submit_preferences(href_of(answer, "preferences"), "save", digest=["weekly"])
    elif change == "a long time":
        site.advance(days=60)
    elif change == "old issue":
        with site.kit.open() as db, db.write() as connection:
            connection.exec_driver_sql("UPDATE issue SET opened_at = 1577836800 WHERE digest = 'daily'")
    elif change == "no mail":
        site.replace_setting('welcome = true\nsend = "auto"', 'welcome = true\nsend = "none"')
    elif change == "has it":
        ann = site.subscriber()
        assert ann is not None
        with site.kit.open() as db, db.write() as connection:
            (row,) = issues.list_issues(connection, only=[1])
            audience.record_welcome_delivery(connection, Claim(row.id, ann.id, 1, 1, ann.address, ann.domain, 0), 0, "")
    assert len(site.deliver_emails()) == (1 if change == "nothing" else 0)


def test_a_personal_feed_ends_with_its_subscriber(subscriber_site: SubscriberSite) -> None:
    """Its URL is not valid any more, whatever it returned before."""
    site = subscriber_site
    site.submit_preferences(site.subscribe_and_confirm(), "feed")
    ann = site.subscriber()
    assert ann is not None
    with site.kit.open() as db:
        with db.read() as connection:
            url = preferences.personal_feed_url(site.kit.site, connection, ann)
        assert url is not None
        token = url.rpartition("/")[2]
        assert render_personal_feed(context_of(site.kit.site, db, NOW), token, FeedFormat.ATOM) is not None
        erase_subscriber(site.kit.site, ANN, NOW)
        assert render_personal_feed(context_of(site.kit.site, db, NOW), token, FeedFormat.ATOM) is None
        assert personal_feed_state(context_of(site.kit.site, db, NOW), token) is None


def test_a_personal_feed_after_a_change_of_the_settings_has_new_entries(subscriber_site: SubscriberSite) -> None:
    """Before the next run has staged the feeds of the site."""
    site = subscriber_site
    site.submit_preferences(site.subscribe_and_confirm(), "feed")
    ann = site.subscriber()
    assert ann is not None
    site.replace_setting('title = "The Test Review"', 'title = "The Test Review"\nlanguage = "de"')
    site.kit.add_settings("\n[feeds]\nlimit = 1\n")
    with site.kit.open() as db:
        with db.read() as connection:
            url = preferences.personal_feed_url(site.kit.site, connection, ann)
        assert url is not None
        feed = render_personal_feed(context_of(site.kit.site, db, NOW), url.rpartition("/")[2], FeedFormat.ATOM)
    assert feed is not None and feed.count(b"<entry") == 1
