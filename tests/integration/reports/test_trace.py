"""The delivery history of an issue for one subscriber, and the reason if there is no delivery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from publisher.errors import SettingsError
from publisher.model.subscriptions import ChangeSource
from publisher.subscribers.subscriptions_store import StateChange, unsubscribe
from tests.conftest import NOW, MailKit
from tests.support.deliveries import accept_all
from tests.support.use_cases import add_subscriber, delivery_history

ANN = "ann@mail.example.org"


@pytest.fixture
def site(mail_kit: MailKit) -> MailKit:
    """A site with two newsletters, three subscribers and an issue of the daily."""
    mail_kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\n')
    mail_kit.add_subscribers(2)
    mail_kit.issue("one")
    return mail_kit


def reason(kit: MailKit, address: str) -> str:
    return delivery_history(kit.site, "daily", address).reason


def test_an_invalid_address_is_an_error(site: MailKit) -> None:
    """The message repeats it."""
    with pytest.raises(SettingsError, match="'ann at example' is not an email address: "):
        delivery_history(site.site, "daily", "ann at example")


def test_a_person_who_was_added_later_has_no_delivery(site: MailKit) -> None:
    """The reason has the time."""
    add_subscriber(site.site, ANN, NOW + timedelta(hours=1), digests=["daily"])
    assert reason(site, ANN) == "added on 2026-11-23 08:00, after its send had opened"


def test_a_person_without_a_subscription_has_no_delivery(site: MailKit) -> None:
    """The reason names the newsletter."""
    add_subscriber(site.site, ANN, NOW - timedelta(days=1), digests=["weekly"])
    assert reason(site, ANN) == "not subscribed to daily"


def test_a_person_who_unsubscribed_has_no_delivery(site: MailKit) -> None:
    """The reason has the time and the source."""
    ann = add_subscriber(site.site, ANN, NOW - timedelta(days=1), digests=["daily"])
    with site.open() as db, db.write() as connection:
        unsubscribe(connection, ann.id, StateChange(ChangeSource.OPERATOR, int(NOW.timestamp())), ["daily"])
    assert reason(site, ANN).startswith("unsubscribed from daily since 2026-11-23 07:00 (by ")


def test_an_active_subscriber_may_have_no_delivery(site: MailKit) -> None:
    """Every article was for others, or had been sent to them."""
    add_subscriber(site.site, ANN, NOW - timedelta(days=1), digests=["daily"])
    assert reason(site, ANN).startswith("no article in it was for this subscriber")
    assert reason(site, "nobody@mail.example.org") == "not a subscriber"


def test_an_accepted_delivery_has_its_steps_in_order(site: MailKit) -> None:
    """A delivery of an older version has no time of its hand-over."""
    accept_all(site, NOW + timedelta(minutes=1))
    history = delivery_history(site.site, "daily", "reader0@mail.example.org")
    assert [event.text for event in history.events] == ["queued with the issue", "attempt 1: handed over", "accepted:"]
    assert history.as_dict()["articles"] == ["One"]
    with site.open() as db, db.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET handed_at = NULL")
    history = delivery_history(site.site, "daily", "reader0@mail.example.org")
    assert [event.text for event in history.events] == ["queued with the issue", "accepted:"]
