"""Welcome issues: which issue a new subscriber gets at once, and its date."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from sqlalchemy import select

from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import store as issues
from publisher.storage.tables.delivery import delivery
from publisher.subscribers import store as subscribers
from tests.conftest import NOW
from tests.support.deliveries import audience_of
from tests.support.smtp import Script
from tests.support.subscriber_site import ANN, SubscriberSite
from tests.support.use_cases import add_subscriber, context_of, deliver, erase_subscriber
from tests.support.web_visitor import ReceivedEmail


def test_a_new_subscriber_gets_the_newest_issue_where_welcome_is_on(subscriber_site: SubscriberSite) -> None:
    """A welcome issue is sent once, and only for digests that have the setting."""
    subscriber_site.replace_setting('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    add_subscriber(subscriber_site.kit.site, "first@mail.example.org", NOW, digests=["daily"])
    subscriber_site.kit.issue("three", now=NOW + timedelta(hours=1))
    deliver(subscriber_site.kit.site, "daily")
    subscriber_site.advance(hours=2)
    subscriber_site.subscribe_and_confirm()
    (welcome,) = subscriber_site.deliver_emails()
    assert welcome.recipient == ANN and "Three" in welcome.text and welcome.message["List-Unsubscribe"]
    assert subscriber_site.deliver_emails() == []
    # The delivery is in the ledger like every other one.
    with subscriber_site.kit.open() as db, db.read() as connection:
        row = next(one for one in issues.list_issues(connection) if one.digest == "daily")
        person = subscribers.find_by_key(connection, ANN)
        assert person is not None
        from publisher.delivery import store as deliveries

        copy = deliveries.delivery_of(connection, row.id, person.id)
        assert copy is not None and copy.state.value == "accepted"
        # The approved audience has not changed.
        assert person.id not in {number for number, _ in audience_of(connection, row.id)}


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_stopped_issue_is_no_welcome(subscriber_site: SubscriberSite, is_cancelled: bool) -> None:
    """Neither an issue that was cancelled, nor one with an article that was withdrawn since."""
    from tests.support.use_cases import cancel, retract

    subscriber_site.replace_setting('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    for name in ("first", "second"):
        add_subscriber(subscriber_site.kit.site, f"{name}@mail.example.org", NOW, digests=["daily"])
    subscriber_site.kit.issue("three", now=NOW + timedelta(hours=1))
    deliver(subscriber_site.kit.site, "daily", limit=1 if is_cancelled else None)
    if is_cancelled:
        cancel(subscriber_site.kit.site, "daily", NOW + timedelta(hours=1))
    else:
        retract(subscriber_site.kit.site, NOW + timedelta(hours=1), "three.md", "untrue")
    subscriber_site.advance(hours=2)
    subscriber_site.subscribe_and_confirm()
    assert [email for email in subscriber_site.deliver_emails() if "Three" in email.text] == []


def _welcome_with_an_issue(site: SubscriberSite, slot: datetime, opened_at: datetime) -> list[ReceivedEmail]:
    """Send an issue of SLOT at OPENED_AT, and return what somebody who subscribes afterwards is mailed."""
    site.replace_setting('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    add_subscriber(site.kit.site, "first@mail.example.org", NOW, digests=["daily"])
    site.kit.article("three.md", "Three")
    site.kit.approve_issue(now=slot)
    site.clock.jump(opened_at)
    with site.kit.open() as db:
        open_issue(context_of(site.kit.site, db, opened_at), site.kit.newest_issue())
    deliver(site.kit.site, "daily", clock=site.clock.now)
    site.clock.jump(max(site.clock.now(), NOW + timedelta(days=40)))
    site.subscribe_and_confirm()
    return site.deliver_emails()


@pytest.mark.postgresql
def test_the_age_of_a_welcome_issue_counts_from_its_opening(subscriber_site: SubscriberSite) -> None:
    """An issue whose slot is old, and which was sent yesterday, is a welcome."""
    slot = NOW + timedelta(hours=1)
    (welcome,) = _welcome_with_an_issue(subscriber_site, slot, NOW + timedelta(days=39))
    assert "Three" in welcome.text


def test_an_issue_that_opened_too_long_ago_is_no_welcome(subscriber_site: SubscriberSite) -> None:
    """Its slot does not count."""
    assert _welcome_with_an_issue(subscriber_site, NOW + timedelta(hours=1), NOW + timedelta(hours=1)) == []


def test_a_person_who_is_erased_while_a_welcome_issue_is_sent_stays_erased(subscriber_site: SubscriberSite) -> None:
    """The server's answer, which may have the address, would be stored for good."""
    site = subscriber_site
    site.replace_setting('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    site.kit.issue("three", now=NOW + timedelta(hours=1))
    site.advance(hours=2)
    site.subscribe_and_confirm()

    def erase(step: str, argument: str, number: int) -> None:
        if step == "dot":
            erase_subscriber(site.kit.site, ANN, site.clock.now())

    site.server.script = Script(at=erase)
    assert [welcome.recipient for welcome in site.deliver_emails()] == [ANN]
    with site.kit.open() as db, db.read() as connection:
        assert connection.execute(select(delivery).where(delivery.c.origin == "welcome")).all() == []


@pytest.mark.parametrize("step", ["rcpt", "dot"])
def test_a_welcome_issue_keeps_the_date_of_its_first_attempt(subscriber_site: SubscriberSite, step: str) -> None:
    """The server defers it once; the retry has the same Date, which the ledger has too."""
    subscriber_site.replace_setting('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    add_subscriber(subscriber_site.kit.site, "first@mail.example.org", NOW, digests=["daily"])
    subscriber_site.kit.issue("three", now=NOW + timedelta(hours=1))
    deliver(subscriber_site.kit.site, "daily")
    subscriber_site.advance(hours=2)
    subscriber_site.subscribe_and_confirm()
    first = int(subscriber_site.clock.now().timestamp())
    refusals = ["451 later"]
    subscriber_site.server.script = Script(
        at=lambda current, argument, number: refusals.pop() if current == step and refusals else None
    )
    assert subscriber_site.deliver_emails() == []
    subscriber_site.advance(minutes=5)
    (welcome,) = subscriber_site.deliver_emails()
    assert parsedate_to_datetime(str(welcome.message["Date"])).timestamp() == first
    with subscriber_site.kit.open() as db, db.read() as connection:
        person = subscribers.find_by_key(connection, ANN)
        assert person is not None
        stored = connection.execute(select(delivery).where(delivery.c.subscriber_id == person.id)).one()
    assert (stored.first_handed_at, stored.handed_at) == (first, first + 300)
