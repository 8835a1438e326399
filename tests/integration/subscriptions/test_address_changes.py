"""Changes of address, and lists that still have the old one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from publisher.delivery import store as deliveries
from publisher.digests.lookup import find_issue
from publisher.errors import SettingsError
from publisher.signing.site_key import keyring
from publisher.storage.tables.delivery import delivery
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscriptions.import_list import ImportResult
from tests.conftest import NOW
from tests.integration.delivery.test_bounces import dsn
from tests.support import use_cases as action
from tests.support.deliveries import return_path
from tests.support.subscriber_site import ANN, SubscriberSite
from tests.support.use_cases import add_subscriber, deliver, import_list, process_messages

NEW = "ann@new.example.org"


@pytest.fixture
def old_list(tmp_path: Path) -> Path:
    """A list that has Ann at her old address."""
    path = tmp_path / "old.csv"
    path.write_text(f"address,digests\n{ANN.upper()},daily | weekly\n")
    return path


def move(subscriber_site: SubscriberSite, link: str, address: str = NEW) -> str:
    """Ask for another address, confirm it at both, and return the heading of the last answer."""
    subscriber_site.submit_preferences(link, "move", address=address)
    return [subscriber_site.visitor.post(mail.link).heading for mail in subscriber_site.deliver_emails()][-1]


def imported(subscriber_site: SubscriberSite, path: Path) -> ImportResult:
    return import_list(subscriber_site.kit.site, path, subscriber_site.clock.now())


def test_an_import_with_an_old_address_adds_nobody_after_a_change_of_address(
    subscriber_site: SubscriberSite, old_list: Path
) -> None:
    """Neither an import nor ``add`` makes them a second subscriber, which would get mail after the first one unsubscribed."""
    assert move(subscriber_site, subscriber_site.subscribe_and_confirm()) == "Done"
    result = imported(subscriber_site, old_list)
    assert (result.added, result.skipped) == (0, 1)
    assert "replaced by another address of the subscriber" in result.skips[0].reason
    with pytest.raises(SettingsError, match=r"replaced by another address.*--resubscribe REASON"):
        add_subscriber(subscriber_site.kit.site, ANN, NOW, digests=["daily"])
    assert subscriber_site.subscriber() is None


def test_an_unsubscription_survives_two_changes_of_address(subscriber_site: SubscriberSite, old_list: Path) -> None:
    """The state goes with the person to each address, and back to the first one."""
    link = subscriber_site.subscribe_and_confirm()
    assert move(subscriber_site, link) == "Done"
    subscriber_site.submit_preferences(link, "save")
    assert imported(subscriber_site, old_list).added == 0
    subscriber_site.advance(days=2)
    assert move(subscriber_site, link, ANN) == "Done"
    person = subscriber_site.subscriber()
    assert person is not None and (person.digests, person.is_suppressed) == ((), False)
    result = imported(subscriber_site, old_list)
    assert (result.added, result.changed, result.skipped) == (0, 0, 1)
    assert subscriber_site.subscriber(NEW) is None


def test_an_abandoned_address_can_subscribe_again(subscriber_site: SubscriberSite) -> None:
    """A confirmed sign-up form is the owner's own act."""
    assert move(subscriber_site, subscriber_site.subscribe_and_confirm()) == "Done"
    subscriber_site.advance(days=2)
    subscriber_site.subscribe_and_confirm()
    assert subscriber_site.subscriber() is not None and subscriber_site.subscriber(NEW) is not None


def test_an_address_is_not_changed_to_one_that_was_suppressed_meanwhile(subscriber_site: SubscriberSite) -> None:
    """The suppression list is read again when both addresses have confirmed."""
    subscriber_site.submit_preferences(subscriber_site.subscribe_and_confirm(), "move", address=NEW)
    letters = subscriber_site.deliver_emails()
    subscriber_site.visitor.post(letters[0].link)
    action.suppress_by_operator(subscriber_site.kit.site, NEW, NOW, note="asked by phone")
    assert subscriber_site.visitor.post(letters[1].link).heading == "That didn’t work"
    assert subscriber_site.subscriber() is not None and subscriber_site.subscriber(NEW) is None


def test_an_address_that_was_suppressed_meanwhile_is_not_changed(subscriber_site: SubscriberSite) -> None:
    """The new address would not be mailed either, and no list would say why."""
    subscriber_site.submit_preferences(subscriber_site.subscribe_and_confirm(), "move", address=NEW)
    letters = subscriber_site.deliver_emails()
    subscriber_site.visitor.post(letters[0].link)
    action.suppress_by_operator(subscriber_site.kit.site, ANN, NOW, note="asked by phone")
    assert subscriber_site.visitor.post(letters[1].link).heading == "That didn’t work"
    assert subscriber_site.subscriber() is not None and subscriber_site.subscriber(NEW) is None


def test_no_message_goes_to_an_address_that_was_suppressed_meanwhile(subscriber_site: SubscriberSite) -> None:
    """A message that waits, or is tried again, reads the suppression list when it is sent."""
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.submit_preferences(link, "move", address=NEW)
    subscriber_site.submit_preferences(link, "download")
    action.suppress_by_operator(subscriber_site.kit.site, ANN, NOW, note="asked by phone")
    action.suppress_by_operator(subscriber_site.kit.site, NEW, NOW, note="asked by phone")
    assert subscriber_site.deliver_emails() == []


def test_a_suppression_replaces_the_change_of_address(subscriber_site: SubscriberSite, old_list: Path) -> None:
    """Whoever is suppressed at their old address cannot be signed up there by a form."""
    assert move(subscriber_site, subscriber_site.subscribe_and_confirm()) == "Done"
    old_list.write_text(f"address,status\n{ANN},bounced\n")
    imported(subscriber_site, old_list)
    with subscriber_site.kit.open() as db, db.write() as connection:
        hashed = keyring(subscriber_site.kit.site, connection).address_hash(ANN)
        found = suppression.load_suppressions(connection, [hashed])[hashed]
    assert (found.reason, found.is_undoable) == ("bounced", False)


def test_a_bounce_of_the_old_address_does_not_suppress_the_new_one(subscriber_site: SubscriberSite) -> None:
    """People change their address because the old mailbox ends, so only bounces of later deliveries count."""
    link = subscriber_site.subscribe_and_confirm()
    subscriber_site.kit.issue("three")
    deliver(subscriber_site.kit.site, "daily")
    path = return_path(subscriber_site.kit, ANN)
    with subscriber_site.kit.open() as db, db.read() as connection:
        person = subscribers.find_by_key(connection, ANN)
        assert person is not None
        sent = deliveries.delivery_of(connection, find_issue(connection, "daily").id, person.id)
    assert sent is not None and sent.handed_at is not None
    subscriber_site.clock.jump(datetime.fromtimestamp(sent.handed_at + 3_600, UTC))
    subscriber_site.submit_preferences(link, "move", address=NEW)
    assert [subscriber_site.visitor.post(mail.link).heading for mail in subscriber_site.deliver_emails()][-1] == "Done"
    at = subscriber_site.clock.now()
    result = process_messages(subscriber_site.kit.site, [dsn(path, "<x@review.example>")], at)
    assert (result.hard, result.unverified) == (0, 1)
    moved = subscriber_site.subscriber(NEW)
    assert moved is not None and not moved.is_suppressed
    with subscriber_site.kit.open() as db, db.write() as connection:
        events = subscriptions.load_history(connection, moved.id)
        assert events[-1].as_words() == "everything: active → active (by preferences): another address"
        later = int((at + timedelta(hours=1)).timestamp())
        connection.execute(update(delivery).where(delivery.c.subscriber_id == moved.id).values(handed_at=later))
    result = process_messages(subscriber_site.kit.site, [dsn(path, "<y@review.example>")], at + timedelta(hours=2))
    assert result.suppressed == (NEW,)
