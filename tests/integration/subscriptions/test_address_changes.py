"""Somebody who has changed their address, and the lists that still have the old one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from publisher.delivery import store as deliveries
from publisher.delivery.bounces import process_messages
from publisher.digests.lookup import find_issue
from publisher.errors import SettingsError
from publisher.signing.site_key import keyring
from publisher.storage.tables.delivery import delivery
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscriptions import manage as action
from publisher.subscriptions.add import add
from publisher.subscriptions.import_list import ImportResult, import_list
from tests.conftest import NOW
from tests.integration.delivery.test_bounces import dsn
from tests.support.deliveries import return_path
from tests.support.subscriber_site import ANN, Town

NEW = "ann@new.example.org"


@pytest.fixture
def old_list(tmp_path: Path) -> Path:
    """A list that has Ann at her old address."""
    path = tmp_path / "old.csv"
    path.write_text(f"address,digests\n{ANN.upper()},daily | weekly\n")
    return path


def move(town: Town, link: str, address: str = NEW) -> str:
    """Ask for another address, confirm it at both, and return the heading of the last answer."""
    town.choose(link, "move", address=address)
    return [town.ann.post(mail.link).heading for mail in town.post_office()][-1]


def imported(town: Town, path: Path) -> ImportResult:
    return import_list(town.kit.site, path, town.clock.now())


def test_an_old_list_does_not_add_somebody_who_has_moved(town: Town, old_list: Path) -> None:
    """Neither an import nor ``add`` makes them a second subscriber, who would be mailed after the first one left."""
    assert move(town, town.joined()) == "Done"
    result = imported(town, old_list)
    assert (result.added, result.skipped) == (0, 1)
    assert "the subscriber has another address now" in result.skips[0].reason
    with pytest.raises(SettingsError, match=r"\(moved\).*--resubscribe REASON"):
        add(town.kit.site, ANN, NOW, digests=["daily"])
    assert town.reader() is None


def test_somebody_who_moved_left_and_moved_back_stays_unsubscribed(town: Town, old_list: Path) -> None:
    """The state goes with the person to each address, and back to the first one."""
    link = town.joined()
    assert move(town, link) == "Done"
    town.choose(link, "save")
    assert imported(town, old_list).added == 0
    town.pass_time(days=2)
    assert move(town, link, ANN) == "Done"
    person = town.reader()
    assert person is not None and (person.digests, person.is_suppressed) == ((), False)
    result = imported(town, old_list)
    assert (result.added, result.changed, result.skipped) == (0, 0, 1)
    assert town.reader(NEW) is None


def test_the_owner_of_an_address_that_was_left_may_sign_up_again(town: Town) -> None:
    """A confirmed sign-up form is the owner's own act."""
    assert move(town, town.joined()) == "Done"
    town.pass_time(days=2)
    town.joined()
    assert town.reader() is not None and town.reader(NEW) is not None


def test_nobody_moves_to_an_address_that_was_suppressed_meanwhile(town: Town) -> None:
    """The suppression list is read again when both addresses have confirmed."""
    town.choose(town.joined(), "move", address=NEW)
    letters = town.post_office()
    town.ann.post(letters[0].link)
    action.suppress(town.kit.site, NEW, NOW, note="asked by phone")
    assert town.ann.post(letters[1].link).heading == "That didn’t work"
    assert town.reader() is not None and town.reader(NEW) is None


def test_nobody_moves_away_from_an_address_that_was_suppressed_meanwhile(town: Town) -> None:
    """The new address would not be mailed either, and no list would say why."""
    town.choose(town.joined(), "move", address=NEW)
    letters = town.post_office()
    town.ann.post(letters[0].link)
    action.suppress(town.kit.site, ANN, NOW, note="asked by phone")
    assert town.ann.post(letters[1].link).heading == "That didn’t work"
    assert town.reader() is not None and town.reader(NEW) is None


def test_no_message_goes_to_an_address_that_was_suppressed_meanwhile(town: Town) -> None:
    """A message that waits, or is tried again, reads the suppression list when it is sent."""
    link = town.joined()
    town.choose(link, "move", address=NEW)
    town.choose(link, "download")
    action.suppress(town.kit.site, ANN, NOW, note="asked by phone")
    action.suppress(town.kit.site, NEW, NOW, note="asked by phone")
    assert town.post_office() == []


def test_a_suppression_replaces_the_change_of_address(town: Town, old_list: Path) -> None:
    """Whoever is suppressed at their old address cannot be signed up there by a form."""
    assert move(town, town.joined()) == "Done"
    old_list.write_text(f"address,status\n{ANN},bounced\n")
    imported(town, old_list)
    with town.kit.open() as db, db.write() as connection:
        hashed = keyring(town.kit.site, connection).address_hash(ANN)
        found = suppression.suppressions(connection, [hashed])[hashed]
    assert (found.reason, found.is_undoable) == ("bounced", False)


def test_a_bounce_of_the_old_address_does_not_suppress_the_new_one(town: Town) -> None:
    """People change their address because the old mailbox ends. Bounces of later deliveries count."""
    link = town.joined()
    town.kit.issue("three")
    path = return_path(town.kit, ANN)
    with town.kit.open() as db, db.read() as connection:
        person = subscribers.by_key(connection, ANN)
        assert person is not None
        sent = deliveries.delivery_of(connection, find_issue(connection, "daily").id, person.id)
    assert sent is not None and sent.handed_at is not None
    town.clock.jump(datetime.fromtimestamp(sent.handed_at + 3_600, UTC))
    town.choose(link, "move", address=NEW)
    assert [town.ann.post(mail.link).heading for mail in town.post_office()][-1] == "Done"
    at = town.clock.now()
    result = process_messages(town.kit.site, [dsn(path, "<x@review.example>")], at)
    assert (result.hard, result.unverified) == (0, 1)
    moved = town.reader(NEW)
    assert moved is not None and not moved.is_suppressed
    with town.kit.open() as db, db.write() as connection:
        events = subscriptions.history(connection, moved.id)
        assert events[-1].as_words() == "everything: active → active (by preferences): another address"
        later = int((at + timedelta(hours=1)).timestamp())
        connection.execute(update(delivery).where(delivery.c.subscriber_id == moved.id).values(handed_at=later))
    result = process_messages(town.kit.site, [dsn(path, "<y@review.example>")], at + timedelta(hours=2))
    assert result.suppressed == [NEW]
