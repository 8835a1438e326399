"""Tokens by purpose: the token of a forwarded message never suppresses the subscriber whom it was sent to."""

from __future__ import annotations

import mailbox
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from publisher.delivery.bounces import BounceResult
from publisher.digests import store as issues
from publisher.signing.keyring import Keyring
from publisher.signing.site_key import keyring
from publisher.storage.facts import set_fact
from publisher.storage.tables.delivery import delivery
from publisher.subscribers import store as subscribers
from publisher.subscribers import suppression_store as suppression
from publisher.subscriptions.unsubscribe import link_status, unsubscribe_by_link
from tests.conftest import NOW, MailKit
from tests.integration.delivery.test_bounces import arf, dsn, plain
from tests.support.deliveries import accept_all, return_path, suppressed
from tests.support.smtp import Server
from tests.support.use_cases import context_of, deliver, list_subscribers, process_mailbox, process_messages

ANN: Final = "reader0@mail.example.org"
RING: Final = Keyring(key=b"a key of sixteen bytes or more")


def token_of(message_id: str) -> str:
    return message_id.partition("@")[0].lstrip("<")


def forgeries(message_id: str) -> list[bytes]:
    """Return what somebody can send who holds a forwarded message: every kind of bounce, with its only token."""
    token = token_of(message_id)
    return [
        *(
            dsn(to, message_id)
            for to in ("news@review.example", f"bounces+{token}@review.example", f"{token}@x.example")
        ),
        *(dsn("news@review.example", message_id, status="5.2.2", said=f"smtp; 552 5.2.2 full {n}") for n in range(9)),
        dsn("news@review.example", "<x@y>").replace(
            b"Message-ID:", f"Return-Path: <{token}@x>\r\nMessage-ID:".encode()
        ),
        plain(f"bounces+{token}@review.example", "<r@x>:\n550 5.1.1 no mailbox here"),
        b"X-Original-To: "
        + token.encode()
        + b"@x.example\r\n"
        + plain("news@x.example", "<r@x>:\n550 5.1.1 no mailbox"),
        plain(f"{token}@review.example", f"<r@x>:\n550 5.1.1 {token}", f"Undeliverable: {token[:8]}"),
    ]


def received(kit: MailKit) -> str:
    """Send an issue over SMTP; return the Message-ID of the only message."""
    kit.settings(
        (kit.root / "publisher.toml").read_text().replace("[mail]", '[mail]\nbounces = "bounces+{copy}@review.example"')
    )
    kit.add_subscribers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", clock=lambda: NOW)
        (one,) = server.accepted
    token = token_of(one.message_id)
    # Nothing that a subscriber forwards holds the token of the return path.
    assert token in one.data.decode() and one.sender == return_path(kit, ANN) and token not in one.sender
    assert one.sender.partition("+")[2].partition("@")[0] not in one.data.decode()
    return one.message_id


def by_maildir(kit: MailKit, data: bytes) -> BounceResult:
    box = mailbox.Maildir(kit.root / "box")
    box.add(message_from_bytes(data))
    return process_mailbox(kit.site, NOW, path=kit.root / "box")


def by_mbox(kit: MailKit, data: bytes) -> BounceResult:
    box = mailbox.mbox(kit.root / "mbox")
    box.add(data)
    box.close()
    return process_mailbox(kit.site, NOW, path=kit.root / "mbox")


def by_stdin(kit: MailKit, data: bytes) -> BounceResult:
    return process_messages(kit.site, [data], NOW)


@pytest.mark.parametrize("way", [by_maildir, by_mbox, by_stdin])
def test_a_forwarded_message_suppresses_nobody(
    any_mail_kit: MailKit, way: Callable[[MailKit, bytes], BounceResult]
) -> None:
    """Forged bounces with the Message-ID's token change nothing, and a forged complaint only unsubscribes."""
    kit = any_mail_kit
    message_id = received(kit)
    for data in forgeries(message_id):
        found = way(kit, data)
        assert (found.hard, found.soft, found.suppressed) == (0, 0, ())
    assert [one.as_dict()["status"] for one in list_subscribers(kit.site)] == ["active"]
    found = way(kit, arf(message_id))
    assert (found.complaints, found.suppressed) == (1, ())
    assert suppressed(kit) == [] and [one.as_dict()["status"] for one in list_subscribers(kit.site)] == ["unsubscribed"]


@dataclass(frozen=True)
class Case:
    """A delivery at the time of its bounce."""

    state: str = "accepted"
    days: float = 0
    counts: bool = True


@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case(state="uncertain"),
        Case(state="handed over"),
        Case(days=9.9),
        Case(days=10.1, counts=False),
        Case(days=-11, counts=False),
        Case(state="queued", counts=False),
        Case(state="deferred", counts=False),
        Case(state="failed", counts=False),
        Case(state="suppressed", counts=False),
    ],
)
def test_a_bounce_counts_for_ten_days_after_its_delivery(any_mail_kit: MailKit, case: Case) -> None:
    """A return path proves nothing about a message that was not sent, or was sent long ago."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    accept_all(kit)
    with kit.open() as db, db.write() as connection:
        connection.execute(update(delivery).values(state=case.state))
    found = process_messages(kit.site, [dsn(return_path(kit, ANN), "<x@y>")], NOW + timedelta(days=case.days))
    assert (found.hard, found.unverified, len(found.suppressed)) == (
        int(case.counts),
        int(not case.counts),
        case.counts,
    )
    assert suppressed(kit) == ([ANN] if case.counts else [])


@pytest.mark.parametrize(
    ("until", "days", "to_path", "counts"),
    [(0, 1, True, True), (0, 1, False, False), (0, 11, True, False), (-1, 1, True, False), (None, 1, True, False)],
)
def test_the_token_of_an_older_version_counts_at_its_return_path_for_ten_days(
    mail_kit: MailKit, until: int | None, days: int, to_path: bool, counts: bool
) -> None:
    """Messages from before the upgrade have one token, later ones have two."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    accept_all(kit)
    with kit.open() as db, db.write() as connection:
        row = issues.list_issues(connection)[0]
        token = keyring(kit.site, connection).delivery_token(row.id, 1)
        if until is not None:
            set_fact(connection, "old_return_paths_until", str(int(NOW.timestamp()) + until))
    to = f"bounces+{token}@review.example" if to_path else "news@review.example"
    found = process_messages(kit.site, [dsn(to, f"<{token}@review.example>")], NOW + timedelta(days=days))
    assert (found.hard, found.unverified) == (int(counts), int(not counts))
    later = NOW + timedelta(days=4_000)
    with kit.open() as db:
        status = link_status(context_of(kit.site, db, later), token)
        assert status is not None and status.is_subscribed != counts
        unsubscribe_by_link(context_of(kit.site, db, later), token)
        with db.read() as connection:
            person = subscribers.find_subscriber(connection, 1)
            assert person is not None and person.digests == ()


@pytest.mark.parametrize("by", ["complaint", "unsubscribe"])
def test_a_return_path_opens_no_page(mail_kit: MailKit, by: str) -> None:
    """The token of a return path is for bounces: servers on the way log it."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    accept_all(kit)
    token = return_path(kit, ANN).partition("+")[2].partition("@")[0]
    with kit.open() as db:
        assert link_status(context_of(kit.site, db, NOW), token) is None
        assert unsubscribe_by_link(context_of(kit.site, db, NOW), token) is None
    data = arf(f"<{token}@x>") if by == "complaint" else plain("news@x.example", "", f"unsubscribe {token}")
    process_messages(kit.site, [data], NOW)
    assert suppressed(kit) == []


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**40 - 1))
def test_a_token_of_one_kind_is_rejected_as_another(issue: int, subscriber: int) -> None:
    """Each kind is read by its own function, in upper and lower case, and by no other."""
    link, path = RING.delivery_token(issue, subscriber), RING.return_path_token(issue, subscriber)
    assert RING.delivery_of_token(link.upper()) == RING.delivery_of_return_path(path.upper()) == (issue, subscriber)
    assert (
        RING.delivery_of_token(path)
        is RING.delivery_of_return_path(link)
        is RING.subscriber_of_feed_token(path)
        is None
    )
    assert Keyring(key=b"another key, 16 bytes or more").delivery_of_return_path(path) is None


def test_the_channel_of_a_bounce_is_stored(mail_kit: MailKit) -> None:
    """The operator sees that a bounce message caused the suppression."""
    from tests.support.use_cases import delivery_history

    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    accept_all(kit)
    process_messages(kit.site, [dsn(return_path(kit, ANN), "<x@y>")], NOW)
    with kit.open() as db, db.write() as connection:
        found: dict[str, Any] = suppression.load_suppressions(
            connection, [keyring(kit.site, connection).address_hash(ANN)]
        )
    assert [(one.reason, one.channel.value, one.is_undoable) for one in found.values()] == [("bounced", "bounce", True)]
    assert (
        "suppressed after a bounce on 2026-11-23 07:00 (by bounce): 5.1.1"
        in delivery_history(kit.site, "daily", ANN).suppressed
    )
