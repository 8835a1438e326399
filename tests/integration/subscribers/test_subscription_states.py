"""Subscription states: how an older site's are derived, and how deliveries obey them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from publisher.delivery import claims_store
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState
from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.signing.keyring import Keyring
from publisher.storage.engine import Database
from publisher.storage.migrate import upgrade
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression_store import SuppressionChannel
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.use_cases import deliver, suppress_by_operator, unclear_states

ACT = StateChange(ChangeSource.LINK, int(NOW.timestamp()))


def old_site(url: str, hashed: str = "h9") -> None:
    """A database of before subscription states, with people in every situation."""
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0006")

        def run(statement: str, **values: Any) -> None:
            connection.execute(text(statement), values)

        run("INSERT INTO selection VALUES (1, '{}')")
        for number, digest in ((1, "daily"), (2, "weekly")):
            run("INSERT INTO digest VALUES (:d, 0)", d=digest)
            run(
                "INSERT INTO issue (id, digest, slot, name, number, subject, is_staged, is_paused)"
                " VALUES (:i, :d, :i * 1000, 'x', 1, 'S', true, false)",
                i=number,
                d=digest,
            )
        for number in range(1, 10):
            run(
                "INSERT INTO subscriber (id, address, key, domain, status, selection_id, added_at)"
                " VALUES (:n, :a, :a, 'example.org', :s, 1, 500)",
                n=number,
                a=f"p{number}@example.org",
                s="suppressed" if number in (5, 9) else "active",
            )
        for digest, number in (("daily", 1), ("weekly", 3), ("daily", 5), ("daily", 6), ("daily", 7)):
            run("INSERT INTO subscription VALUES (:d, :n)", d=digest, n=number)
        for issue, number in ((1, 1), (1, 2), (1, 3), (2, 3), (1, 6), (1, 7), (1, 8), (1, 77)):
            run(
                "INSERT INTO delivery (issue_id, subscriber_id, edition, state) VALUES (:i, :n, 1, 'accepted')",
                i=issue,
                n=number,
            )
        for number in (6, 7, 8, 77):
            run(
                "INSERT INTO bounce VALUES (:n, 'r', 'unsubscribe', 1, :n, '', '', 2000)",
                n=number,
            )
        run(
            "INSERT INTO letter (id, kind, hash, address, subscriber_id, wish, made_at, attempts, used_at)"
            " VALUES (1, 'join', 'h', 'p7@example.org', 7, '{\"digests\": [\"daily\"]}', 2100, 1, 2200)"
        )
        run("INSERT INTO suppression VALUES (:h, 'unsubscribed', '', 700)", h=hashed)
    engine.dispose()


def test_an_upgrade_derives_subscription_states(database_url: str) -> None:
    """Deliveries without a subscription, and requests by mail, mean unsubscribed; nobody is resubscribed."""
    old_site(database_url)
    with Database.open(database_url) as db, db.read() as connection:
        people = subscribers.find_subscribers(connection, range(1, 10))
        found = {
            number: (one.status.value, {name: (s.state.value, s.source.value) for name, s in one.subscriptions.items()})
            for number, one in people.items()
        }
        history = {number: subscriptions.load_history(connection, number) for number in people}
        assert connection.execute(text("SELECT count(*) FROM subscription WHERE subscriber_id = 77")).scalar() == 0
    assert found == {
        1: ("active", {"daily": ("active", "migration")}),
        2: ("unsubscribed", {"daily": ("unsubscribed", "migration")}),
        3: ("active", {"daily": ("unsubscribed", "migration"), "weekly": ("active", "migration")}),
        4: ("unsubscribed", {}),
        5: ("suppressed", {"daily": ("active", "migration")}),
        6: ("unsubscribed", {"daily": ("unsubscribed", "migration")}),
        7: ("active", {"daily": ("active", "migration")}),
        8: ("unsubscribed", {"daily": ("unsubscribed", "mail")}),
        9: ("suppressed", {}),
    }
    assert people[5].state is SubscriptionState.ACTIVE and people[9].state is SubscriptionState.UNSUBSCRIBED
    left_everything = {number for number, one in people.items() if one.opted_out_at is not None}
    assert left_everything == {2, 4, 6, 8, 9}
    assert people[2].opted_out_at == 1000 and people[4].opted_out_at == 500 and people[8].opted_out_at == 2000
    reasons = {number: [one.reason for one in events if one.reason] for number, events in history.items()}
    assert {number for number, some in reasons.items() if some} == {4, 6, 9}
    assert all(history[number] for number in people)


@pytest.mark.postgresql
def test_guessed_states_of_an_upgrade_are_listed_for_review(kit: SiteKit, database_url: str) -> None:
    """People suppressed as unsubscribed become unsubscribed people; guesses are listed with their reason."""
    (kit.root / "publisher.key").write_text("k" * 32)
    old_site(database_url, Keyring(key=b"k" * 32).address_hash("p9@example.org"))
    kit.add_settings(f'\n[database]\nurl = "{database_url}"\n')
    for _ in range(2):
        assert [(one.address, one.digest) for one in unclear_states(kit.site)] == [
            ("p6@example.org", "daily"),
            ("p4@example.org", None),
            ("p9@example.org", None),
        ]
    with kit.open() as db, db.write() as connection:
        person = subscribers.find_subscriber(connection, 9)
        assert person is not None and person.status is SubscriptionState.UNSUBSCRIBED
        assert suppression.load_suppressions(connection, [Keyring(key=b"k" * 32).address_hash(person.key)]) == {}
        subscriptions.set_states(
            connection, [("daily", 6)], SubscriptionState.ACTIVE, StateChange(ChangeSource.FORM, ACT.at)
        )
    assert [one.address for one in unclear_states(kit.site)] == ["p4@example.org", "p9@example.org"]
    assert all(one.reason for one in unclear_states(kit.site))


def queued(kit: MailKit, people: int = 1, **options: Any) -> tuple[int, list[int]]:
    """Make an issue that waits for its sending; return its number and the subscribers' numbers."""
    kit.add_subscribers(people, digests=("daily",))
    kit.issue("one", **options)
    with kit.open() as db, db.read() as connection:
        return issues.list_issues(connection)[0].id, list(range(1, people + 1))


def act_of(name: str, db: Database, number: int) -> None:
    with db.write() as connection:
        if name == "newsletter":
            subscriptions.unsubscribe(connection, number, ACT, ["daily"])
        elif name == "everything":
            subscriptions.unsubscribe(connection, number, ACT)
        elif name == "suppressed":
            person = subscribers.find_subscriber(connection, number)
            assert person is not None
            suppression.add_suppression(
                connection, "h", person.key, "complained", SuppressionChannel.PROVIDER, "", ACT.at
            )
        else:
            subscribers.delete_subscriber(connection, number)


ACTS = {
    "newsletter": "unsubscribed from daily since 2026-11-23 07:00 UTC (by link)",
    "everything": "unsubscribed from daily since 2026-11-23 07:00 UTC (by link)",
    "suppressed": "the address is on the suppression list",
    "erased": "the subscriber was erased",
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("state", ["queued", "deferred"])
def test_a_claim_skips_unsubscribed_people_and_records_why(any_mail_kit: MailKit, name: str, state: str) -> None:
    """The delivery ends as suppressed, with the reason; the others are claimed."""
    issue, _ = queued(any_mail_kit, 2)
    with any_mail_kit.open() as db:
        with db.write() as connection:
            connection.execute(text("UPDATE delivery SET state = :s"), {"s": state})
        act_of(name, db, 1)
        with db.write() as connection:
            claims, _, suppressed = claims_store.claim(
                connection, issue, 7, after=0, limit=10, now=ACT.at + 60, without=()
            )
            assert [one.subscriber_id for one in claims] == [2] and suppressed == 1
            row = deliveries.delivery_of(connection, issue, 1)
    assert row is not None and (row.state, row.answer) == (DeliveryState.SUPPRESSED, ACTS[name])


@pytest.mark.parametrize("name", ACTS)
def test_a_claimed_delivery_is_not_sent_after_an_unsubscription(any_mail_kit: MailKit, name: str) -> None:
    """Minutes may pass after the claim if a domain is throttled: the state is read again before sending."""
    issue, _ = queued(any_mail_kit, 2)
    with any_mail_kit.open() as db:
        with db.write() as connection:
            claims, _, _ = claims_store.claim(connection, issue, 7, after=0, limit=10, now=ACT.at + 60, without=())
        act_of(name, db, 1)
        with db.write() as connection:
            lost, withdrawn = claims_store.hand_over(connection, claims, 7, ACT.at + 90)
            states = {n: deliveries.delivery_of(connection, issue, n) for n in (1, 2)}
    assert lost == set() and withdrawn == {(issue, 1)}
    assert states[1] is not None and (states[1].state, states[1].answer) == (DeliveryState.SUPPRESSED, ACTS[name])
    assert states[2] is not None and states[2].state is DeliveryState.HANDED_OVER


class Leaver:
    """A transport that lets one subscriber unsubscribe after their delivery was claimed."""

    is_idempotent = False
    is_local = True

    def __init__(self, kit: MailKit) -> None:
        self.kit = kit
        self.sent: list[str] = []

    def run(self, feed: MessageSource, lane: int) -> None:
        while (copy := feed.take(wait=True)) is not None:
            self.leave(copy)
            if feed.hand_over(copy)():
                self.sent.append(copy.recipient)
                feed.record_outcome(copy, Outcome(state=DeliveryState.ACCEPTED, answer="250 ok"))
            else:
                feed.record_outcome(copy, Outcome(state=DeliveryState.QUEUED, answer=""))

    def leave(self, copy: OutgoingMessage) -> None:
        if copy.recipient.startswith("reader0@"):
            with self.kit.open() as db:
                act_of("newsletter", db, 1)


def test_a_run_counts_people_who_unsubscribed_during_it(any_mail_kit: MailKit) -> None:
    """A claimed delivery that must not be sent any more is settled; the run does not wait for it."""
    queued(any_mail_kit, 3)
    leaver = Leaver(any_mail_kit)
    any_mail_kit.mail(1)
    sent = deliver(any_mail_kit.site, "daily", transport=leaver, clock=lambda: NOW + timedelta(minutes=1))
    assert sorted(leaver.sent) == ["reader1@mail.example.org", "reader2@mail.example.org"]
    assert (sent.counts.accepted, sent.counts.suppressed) == (2, 1)
    assert sent.states == {DeliveryState.ACCEPTED: 2, DeliveryState.SUPPRESSED: 1}


def test_lifting_a_suppression_restores_the_state_before(any_mail_kit: MailKit) -> None:
    """A person who had unsubscribed from one newsletter is unsubscribed from that one only."""
    any_mail_kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\n')
    (address,) = any_mail_kit.add_subscribers(1, digests=("daily", "weekly"))
    with any_mail_kit.open() as db, db.write() as connection:
        subscriptions.unsubscribe(connection, 1, ACT, ["weekly"])
    suppress_by_operator(any_mail_kit.site, address, NOW, note="asked by phone")
    with any_mail_kit.open() as db, db.write() as connection:
        from publisher.signing.site_key import keyring

        before = subscribers.find_subscriber(connection, 1)
        hashed = keyring(any_mail_kit.site, connection).address_hash(address)
        suppression.lift_suppression(
            connection, hashed, address, StateChange(ChangeSource.OPERATOR, ACT.at, "a mistake")
        )
        after = subscribers.find_subscriber(connection, 1)
        events = subscriptions.load_history(connection, 1)
    assert before is not None and before.status is SubscriptionState.SUPPRESSED and before.digests == ("daily",)
    assert after is not None and after.status is SubscriptionState.ACTIVE and after.digests == ("daily",)
    assert [(one.old_state, one.new_state, one.reason) for one in events[-2:]] == [
        ("active", "suppressed", "asked by phone"),
        ("suppressed", "active", "a mistake"),
    ]


def test_a_complaint_is_remembered_though_the_address_was_suppressed_before(any_mail_kit: MailKit) -> None:
    """A complaint after a bounce counts as the complaint that it is."""
    with any_mail_kit.open() as db, db.write() as connection:
        assert suppression.add_suppression(connection, "h", None, "bounced", SuppressionChannel.SMTP, "550", 1)
        assert not suppression.add_suppression(
            connection, "h", None, "complained", SuppressionChannel.PROVIDER, "abuse", 2
        )
        assert not suppression.add_suppression(connection, "h", None, "bounced", SuppressionChannel.SMTP, "551", 3)
        assert suppression.load_suppressions(connection, ["h"])["h"].reason == "complained"
