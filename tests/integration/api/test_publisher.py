"""A site that is open, and transactions over several calls."""

from collections.abc import Callable

import pytest

from publisher import Access, ConfirmationKind, Publisher, SubscriptionRequest
from publisher.errors import SettingsError, StoreError
from tests.conftest import MailKit, SiteKit


def addresses(kit: SiteKit) -> list[str]:
    with Publisher.open(kit.root) as publisher:
        return [subscriber.address for subscriber in publisher.subscribers.list()]


def test_calls_in_a_transaction_are_stored_together(any_kit: SiteKit) -> None:
    """A program that adds a team wants all of it or nothing."""
    with Publisher.open(any_kit.root) as publisher, publisher.transaction():
        publisher.subscribers.add("ann@example.org")
        publisher.subscribers.add("ben@example.org")
    assert addresses(any_kit) == ["ann@example.org", "ben@example.org"]


def test_an_error_in_a_transaction_takes_back_every_call(any_kit: SiteKit) -> None:
    """Half of a team would be subscribed otherwise."""
    with Publisher.open(any_kit.root) as publisher:
        with pytest.raises(SettingsError, match="no address"), publisher.transaction():
            publisher.subscribers.add("ann@example.org")
            publisher.subscribers.add("no address")
        assert list(publisher.subscribers.list()) == []
    assert addresses(any_kit) == []


def test_a_caught_error_takes_back_its_own_call_only(any_kit: SiteKit) -> None:
    """A program that skips bad addresses keeps the good ones."""
    with Publisher.open(any_kit.root) as publisher, publisher.transaction():
        publisher.subscribers.add("ann@example.org")
        with pytest.raises(SettingsError):
            publisher.subscribers.add("no address")
    assert addresses(any_kit) == ["ann@example.org"]


def test_a_publishing_run_cannot_be_part_of_a_transaction(any_kit: SiteKit) -> None:
    """It would hold up every other process until the caller's transaction ends."""
    with Publisher.open(any_kit.root) as publisher, publisher.transaction():
        with pytest.raises(StoreError, match="before or after the transaction"), publisher.context().exclusive():
            pass
        with pytest.raises(StoreError, match="before or after the transaction"), publisher.context().db.durable():
            pass


def test_nothing_is_sent_or_deleted_that_a_rollback_would_forget(mail_kit: MailKit) -> None:
    """A message that was sent, or a bounce that was deleted from its mailbox, would be forgotten."""
    calls: list[Callable[[Publisher], object]] = [
        lambda publisher: publisher.issues.send("daily"),
        lambda publisher: publisher.issues.send_test("daily", "ann@example.org"),
        lambda publisher: publisher.issues.process_mailbox(path=mail_kit.root / "mbox"),
        lambda publisher: publisher.issues.process_messages([b"Subject: none\n\n"]),
        lambda publisher: publisher.feeds.notify_hubs(),
        lambda publisher: publisher.tick(),
    ]
    for call in calls:
        with (
            Publisher.open(mail_kit.root) as publisher,
            publisher.transaction(),
            pytest.raises(StoreError, match="before or after the transaction"),
        ):
            call(publisher)
        with (
            Publisher.open(mail_kit.root, dry_run=True) as publisher,
            pytest.raises(StoreError, match="cannot be part of a dry run"),
        ):
            call(publisher)


def test_a_preview_is_not_part_of_a_transaction(kit: SiteKit) -> None:
    """It would wait for the transaction that waits for it."""
    kit.article()
    with (
        Publisher.open(kit.root) as publisher,
        publisher.transaction(),
        pytest.raises(StoreError, match="a rehearsal cannot be part of a transaction"),
    ):
        publisher.digests.preview("daily")


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (SubscriptionRequest(digests=("dayly",)), r"there is no digest 'dayly'\. publisher\.toml has: daily"),
        (SubscriptionRequest(digests=("daily",), follows={"topic": ("Water",)}), "'topic' is no field of interests"),
        (SubscriptionRequest(digests=("daily",), zone="Mars/Olympus"), "'Mars/Olympus' is not a time zone"),
    ],
)
def test_a_request_with_an_unknown_name_is_an_error(
    mail_kit: MailKit, request_: SubscriptionRequest, error: str
) -> None:
    """The person would get nothing, or everything, or at another time than they chose."""
    with Publisher.open(mail_kit.root) as publisher:
        person = publisher.subscribers.add("ben@example.org")
        with pytest.raises(SettingsError, match=error):
            publisher.subscribers.request_subscription("ann@example.org", request_)
        with pytest.raises(SettingsError, match=error):
            publisher.subscribers.save_preferences(Access(person.id, is_signed_link=True), request_)
        assert list(publisher.subscribers.list()) == [person]


def test_a_request_without_a_newsletter_is_an_error(mail_kit: MailKit) -> None:
    """The person would confirm a subscription to nothing."""
    with Publisher.open(mail_kit.root) as publisher, pytest.raises(SettingsError, match="names no newsletter"):
        publisher.subscribers.request_subscription("ann@example.org", SubscriptionRequest(digests=()))


def test_only_emails_about_data_can_be_requested(mail_kit: MailKit) -> None:
    """An email of another kind would name an address or an issue that the request does not have."""
    with Publisher.open(mail_kit.root) as publisher:
        person = publisher.subscribers.add("ann@example.org")
        for kind in set(ConfirmationKind) - {ConfirmationKind.DOWNLOAD, ConfirmationKind.ERASE}:
            with pytest.raises(ValueError, match="is not a request for data"):
                publisher.subscribers.request_data(person.id, kind)


def test_an_unknown_status_is_an_error_with_the_known_ones(mail_kit: MailKit) -> None:
    """A program passes what a form or a command line has."""
    with (
        Publisher.open(mail_kit.root) as publisher,
        pytest.raises(SettingsError, match=r"'gone' is no status\. There are: active, unconfirmed, "),
    ):
        list(publisher.subscribers.list(status="gone"))


def test_a_dry_run_stores_nothing(any_kit: SiteKit) -> None:
    """A rehearsal must not subscribe people."""
    with Publisher.open(any_kit.root, dry_run=True) as publisher:
        publisher.subscribers.add("ann@example.org")
        assert [subscriber.address for subscriber in publisher.subscribers.list()] == ["ann@example.org"]
    assert addresses(any_kit) == []
