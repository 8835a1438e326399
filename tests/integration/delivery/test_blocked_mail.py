"""Placeholder values reach no real person: deliveries, tests, drafts, confirmation emails, welcome issues."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from publisher import CheckResult
from publisher.cli import check as check_command
from publisher.delivery import store as deliveries
from publisher.delivery.editors_mail import notify_editors
from publisher.digests import store as issues
from publisher.digests.readiness import issue_blockers
from publisher.errors import SendingBlocked
from publisher.model.delivery import DeliveryState
from publisher.model.report import PublishResult
from publisher.model.subscriptions import ConfirmationKind
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from tests.conftest import NOW, MailKit
from tests.support.sample_site import delivered, furnish_with_sample, replace_placeholders, write_sample
from tests.support.smtp import Server
from tests.support.use_cases import approve, check_site, context_of, deliver, plan_approval, send_draft_test

REAL = "anna@posteo.de"


def states(kit: MailKit) -> dict[str, int]:
    with kit.open() as db, db.read() as connection:
        (found,) = deliveries.state_counts(connection).values()
    return {state.value: count for state, count in found.items()}


def tell(kit: MailKit, now: datetime = NOW) -> PublishResult:
    with kit.open() as db:
        return notify_editors(context_of(kit.site, db, now))


def test_nobody_is_sent_a_part_of_a_blocked_issue(any_mail_kit: MailKit) -> None:
    """The decision is taken before the first message, over all deliveries that are open."""
    kit = any_mail_kit
    kit.add_subscribers(30)
    kit.add_subscribers(1, domain="posteo.de")
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        with pytest.raises(SendingBlocked, match="1 recipient would get placeholder values"):
            deliver(kit.site, "daily")
        assert server.accepted == []
        assert states(kit) == {"queued": 31}


def test_a_finished_delivery_to_a_real_recipient_blocks_nothing(any_mail_kit: MailKit) -> None:
    """Only open deliveries count."""
    kit = any_mail_kit
    kit.add_subscribers(2)
    kit.add_subscribers(1, domain="posteo.de")
    kit.issue("one")
    with kit.open() as db, db.write() as connection:
        (row,) = issues.list_issues(connection)
        for number in (1, 2, 3):
            found = deliveries.delivery_of(connection, row.id, number)
            assert found is not None and found.state is DeliveryState.QUEUED
        connection.exec_driver_sql("UPDATE delivery SET state = 'accepted' WHERE subscriber_id = 3")
    assert delivered(kit) == 2


def test_a_test_message_and_a_draft_are_blocked_by_their_recipients(mail_kit: MailKit) -> None:
    """The subscribers of the issue do not matter for them."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.draft("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        with pytest.raises(SendingBlocked, match=r"base_url: https://review.example is at review.example"):
            send_draft_test(kit.site, "daily", f"Anna <{REAL}>", NOW)
        assert send_draft_test(kit.site, "daily", "ed@mail.example.org", NOW).state is DeliveryState.ACCEPTED
        path = kit.root / "publisher.toml"
        path.write_text(path.read_text().replace("[mail]\n", f'[mail]\neditors = ["ed@mail.example.org", "{REAL}"]\n'))
        drafts = tell(kit)
        assert drafts.draft_errors == ("editors were not sent daily/2026-11-20T0000, because of placeholder values",)
        assert [text.partition(":")[0] for text in drafts.blockers] == [
            "base_url",
            "mail.sender",
            "mail.postal_address",
        ]
        assert server.recipients == ["ed@mail.example.org"]


def test_editors_get_only_the_draft_that_waits(mail_kit: MailKit) -> None:
    """Not an issue that is open, old, or approved, when editors are named for the first time."""
    kit = mail_kit
    kit.add_subscribers(2)
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace("[mail]\n", '[mail]\neditors = ["ed@mail.example.org"]\n'))
    for number, days in enumerate((9, 2, 1)):
        when = NOW - timedelta(days=days)
        kit.articles(f"article{number}", date=f"{when:%Y-%m-%d}")
        kit.open_issue(now=when) if days > 1 else kit.approve_issue(now=when)
    kit.draft("article3", date=f"{NOW:%Y-%m-%d}")
    with Server() as server:
        kit.mail(server.port, send="review")
        assert tell(kit).draft_errors == ()
        assert len(server.accepted) == 1
        assert "Draft of daily No. 4 for 2 subscribers." in server.accepted[0].data.decode()
        assert tell(kit).draft_errors == ()
        assert len(server.accepted) == 1


@pytest.mark.postgresql
def test_a_confirmation_email_waits_until_the_settings_are_right(any_mail_kit: MailKit) -> None:
    """It is neither sent nor lost, and does not use up its attempts; others are sent meanwhile."""
    kit = any_mail_kit
    with kit.open() as db, db.write() as connection:
        for address in (REAL, "bert@mail.example.org"):
            confirmations.add(connection, ConfirmationKind.DOWNLOAD, address, address, int(NOW.timestamp()))
    with Server() as server:
        kit.mail(server.port)
        at = NOW
        for _ in range(20):
            with kit.open() as db:
                posted = send_confirmation_emails(context_of(kit.site, db, at))
            assert posted.trouble.startswith("some were not sent, because of placeholder values. base_url: ")
            at += timedelta(minutes=10)
        assert server.recipients == ["bert@mail.example.org"]
        replace_placeholders(kit)
        with kit.open() as db:
            assert send_confirmation_emails(context_of(kit.site, db, at)).sent == 1
        assert server.recipients == [REAL, "bert@mail.example.org"]
        assert b"review.example" not in server.accepted[-1].data


def test_a_welcome_issue_made_with_placeholders_is_held_back(mail_kit: MailKit) -> None:
    """The settings are right by now, but the bytes of the newest issue are older."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
        kit.add_subscribers(1, domain="posteo.de")
        replace_placeholders(kit)
        with kit.open() as db, db.write() as connection:
            confirmations.add(
                connection,
                ConfirmationKind.WELCOME,
                "x",
                "reader0@posteo.de",
                int(NOW.timestamp()),
                subscriber_id=2,
                request={"digest": "daily"},
            )
        with kit.open() as db:
            posted = send_confirmation_emails(context_of(kit.site, db, NOW))
        assert posted.sent == 0
        assert any("it was approved before base_url was set" in text for text in posted.blockers)
        assert server.recipients == ["reader0@mail.example.org"]


def test_approval_names_placeholders_before_anything_is_asked(mail_kit: MailKit) -> None:
    """A blocked draft cannot be approved, and stays a draft."""
    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.draft("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        (stop,) = plan_approval(kit.site, "daily", NOW).stops
        assert "1 recipient would get placeholder values" in stop
        assert "mail.postal_address: it is empty" in stop
        with pytest.raises(SendingBlocked, match=r"mail.postal_address: it is empty"):
            approve(kit.site, "daily", NOW)
        assert server.accepted == []
    with kit.open() as db, db.read() as connection:
        assert issues.list_issues(connection) == []


@pytest.mark.parametrize("template", ["magazine", "brief", "letter"])
@pytest.mark.parametrize("text", ["excerpt", "full"])
def test_the_sample_article_is_found_in_every_theme(mail_kit: MailKit, template: str, text: str) -> None:
    """Also if it was edited after the issue was approved, and if only one paragraph of it is left."""
    kit = mail_kit
    path = kit.root / "publisher.toml"
    options = f'title = "The Daily"\ntemplate = "{template}"\ntext = "{text}"'
    path.write_text(path.read_text().replace('title = "The Daily"', options))
    write_sample(kit)
    kit.issue("one")
    kit.article("welcome.md", "Mine")
    kit.publish()
    replace_placeholders(kit)
    with kit.open() as db, db.read() as connection:
        (row,) = issues.list_issues(connection)
        assert any("sample article" in one.problem for one in issue_blockers(connection, kit.site, row))


def test_an_article_may_link_to_reserved_names(mail_kit: MailKit) -> None:
    """An article's own links and text are its author's."""
    kit = mail_kit
    replace_placeholders(kit)
    kit.add_subscribers(1, domain="posteo.de")
    kit.article(
        "one.md", "One", body="See [it](https://example.com/x), example.org and a@b.test.", url="https://a.example/1"
    )
    kit.open_issue()
    assert delivered(kit) == 1


def test_a_forced_issue_may_carry_the_sample_article(mail_kit: MailKit) -> None:
    """Somebody gave a reason for this issue; the settings are still looked at."""
    kit = mail_kit
    furnish_with_sample(kit)
    kit.open_issue()
    with Server() as server:
        kit.mail(server.port)
        with pytest.raises(SendingBlocked, match="it contains the sample article"):
            deliver(kit.site, "daily")
        (checked,) = check_site(kit.site, ["daily"], NOW, with_browser=False, force="A test among ourselves").issues
        assert check_command.lines(CheckResult(issues=(checked,)))[-1].endswith(
            "may be sent as it is: A test among ourselves"
        )
        assert deliver(kit.site, "daily").counts.accepted == 1
