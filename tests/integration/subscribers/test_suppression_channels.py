"""Channels of suppressions: one that came by mail can be undone by the subscribe form, the others cannot."""

from __future__ import annotations

from typing import Any, Final

import pytest
from sqlalchemy import create_engine, text

from publisher.errors import SettingsError
from publisher.model.subscriptions import ChangeSource
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.storage.migrate import upgrade
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppress_address
from publisher.subscribers.suppression_store import Suppression, SuppressionChannel, load_suppressions
from tests.conftest import NOW, MailKit
from tests.support.subscriber_site import ANN, SubscriberSite
from tests.support.use_cases import add_subscriber, erase_subscriber, import_list, suppress_by_operator

SMTP, BOUNCE, COMPLAINT = SuppressionChannel.SMTP, SuppressionChannel.BOUNCE, SuppressionChannel.COMPLAINT
PROVIDER, IMPORT = SuppressionChannel.PROVIDER, SuppressionChannel.IMPORT
OPERATOR, ERASURE = SuppressionChannel.OPERATOR, SuppressionChannel.ERASURE


def old_suppressions(url: str) -> None:
    """A database of before channels, with suppressions of every origin."""
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0008")

        def run(statement: str, **values: Any) -> None:
            connection.execute(text(statement), values)

        run("INSERT INTO selection VALUES (1, '{}')")
        run("INSERT INTO digest VALUES ('daily', 0)")
        run(
            "INSERT INTO issue (id, digest, slot, name, number, subject, is_staged, is_paused)"
            " VALUES (1, 'daily', 1000, 'x', 1, 'S', true, false)"
        )
        for number, handed in ((1, 5000), (2, 6000)):
            run(
                "INSERT INTO delivery (issue_id, subscriber_id, edition, state, handed_at)"
                " VALUES (1, :n, 1, 'accepted', :at)",
                n=number,
                at=handed,
            )
        run("INSERT INTO bounce VALUES (1, 'r', 'hard', 1, 1, '5.1.1', 'no such user', 7000)")
        for hashed, reason, note, at in (
            ("h1", "bounced", "5.1.1 550 no such user", 7000),
            ("h2", "bounced", "mx.example: 550 no such user", 7001),
            ("h3", "bounced", "imported list: status", 7000),
            ("h4", "complained", "reported as abuse", 7000),
            ("h5", "complained", "imported list: status", 7000),
            ("h6", "forgotten", "", 7000),
            ("h7", "asked", "by phone", 7000),
            ("h8", "unsubscribed", "", 7000),
        ):
            run("INSERT INTO suppression VALUES (:h, :r, :n, :at)", h=hashed, r=reason, n=note, at=at)
    engine.dispose()


def test_channels_of_an_older_site_are_derived(database_url: str) -> None:
    """Each suppression gets its channel, and the last delivery with one token for everything is noted."""
    old_suppressions(database_url)
    with Database.open(database_url) as db, db.read() as connection:
        found = load_suppressions(connection, [f"h{number}" for number in range(1, 9)])
        until = connection.execute(text("SELECT value FROM meta WHERE key = 'old_return_paths_until'")).scalar()
    assert {hashed: one.channel for hashed, one in found.items()} == {
        "h1": BOUNCE,
        "h2": SMTP,
        "h3": IMPORT,
        "h4": COMPLAINT,
        "h5": IMPORT,
        "h6": ERASURE,
        "h7": OPERATOR,
        "h8": IMPORT,
    }
    assert until == "6000"


def test_a_site_that_has_sent_nothing_has_no_old_tokens(database_url: str) -> None:
    """Without a delivery there is nothing to note."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection, "0008")
    engine.dispose()
    with Database.open(database_url) as db, db.read() as connection:
        assert connection.execute(text("SELECT value FROM meta WHERE key = 'old_return_paths_until'")).first() is None


#: Reason and channel → whether the owner of the address can undo it by the form.
UNDOABLE: Final = {
    ("bounced", SMTP): False,
    ("bounced", BOUNCE): True,
    ("bounced", IMPORT): False,
    ("complained", COMPLAINT): True,
    ("complained", PROVIDER): False,
    ("complained", IMPORT): False,
    ("asked", OPERATOR): False,
    ("asked", IMPORT): False,
    ("forgotten", ERASURE): True,
    ("unsubscribed", IMPORT): True,
}


def suppress_ann(subscriber_site: SubscriberSite, reason: str, channel: SuppressionChannel) -> None:
    with subscriber_site.kit.open() as db, db.write() as connection:
        ring = keyring(subscriber_site.kit.site, connection)
        suppress_address(connection, ring, ANN, reason, channel, "550", int(subscriber_site.clock.now().timestamp()))


def suppression_of(kit: MailKit, address: str) -> Suppression | None:
    with kit.open() as db, db.write() as connection:
        hashed = keyring(kit.site, connection).address_hash(address)
        return load_suppressions(connection, [hashed]).get(hashed)


@pytest.mark.parametrize(("reason", "channel"), UNDOABLE)
def test_the_channel_decides_whether_the_form_lifts_a_suppression(
    subscriber_site: SubscriberSite, reason: str, channel: SuppressionChannel
) -> None:
    """A suppression that anybody can cause by mail is undone by a confirmation email, which only its owner gets."""
    subscriber_site.subscribe_and_confirm(digests=("daily", "weekly"))
    suppress_ann(subscriber_site, reason, channel)
    subscriber_site.advance(days=8)
    assert subscriber_site.subscribe().heading == "Check your email"
    letters = subscriber_site.deliver_emails()
    person = subscriber_site.subscriber()
    assert person is not None and person.is_suppressed
    assert len(letters) == UNDOABLE[reason, channel]
    for email in letters:
        subscriber_site.visitor.post(email.link, {"yes": "yes"})
        person = subscriber_site.subscriber()
        assert person is not None and not person.is_suppressed and suppression_of(subscriber_site.kit, ANN) is None
        # A complaint unsubscribes from everything: only confirmed newsletters are active again.
        assert set(person.digests) == ({"daily", "weekly"} if reason in ("bounced", "forgotten") else {"daily"})


@pytest.mark.parametrize("kind", ["bounce", "complaint"])
def test_a_doubtful_address_gets_one_confirmation_email_a_week(subscriber_site: SubscriberSite, kind: str) -> None:
    """The form cannot be used to mail a dead or complaining address every day."""
    subscriber_site.subscribe_and_confirm()
    person = subscriber_site.subscriber()
    assert person is not None
    subscriber_site.advance(days=8)
    if kind == "bounce":
        suppress_ann(subscriber_site, "bounced", BOUNCE)
    else:
        with subscriber_site.kit.open() as db, db.write() as connection:
            subscriptions.unsubscribe(
                connection, person.id, StateChange(ChangeSource.COMPLAINT, int(subscriber_site.clock.now().timestamp()))
            )
    sent = []
    for _ in range(16):
        subscriber_site.subscribe()
        sent.append(len(subscriber_site.deliver_emails()))
        subscriber_site.advance(days=1)
    assert sent == [1, 0, 0, 0, 0, 0, 0] * 2 + [1, 0]


def test_an_operators_suppression_replaces_a_bounce(mail_kit: MailKit) -> None:
    """An address that an operator, or a list, suppresses stays suppressed although a bounce came first."""
    kit = mail_kit
    names = kit.add_subscribers(3)
    with kit.open() as db, db.write() as connection:
        ring = keyring(kit.site, connection)
        for name in names:
            suppress_address(connection, ring, name, "bounced", BOUNCE, "550", 1)
        suppress_address(connection, ring, names[2], "complained", COMPLAINT, "abuse", 2)
    suppress_by_operator(kit.site, names[0], NOW)
    (kit.root / "gone.csv").write_text(f"address,status\n{names[1]},bounced\n")
    import_list(kit.site, kit.root / "gone.csv", NOW)
    suppress_by_operator(kit.site, names[2], NOW)
    found = [suppression_of(kit, name) for name in names]
    assert [(one.reason, one.channel) for one in found if one] == [
        ("asked", OPERATOR),
        ("bounced", IMPORT),
        ("complained", OPERATOR),
    ]


def test_a_bounce_never_weakens_a_suppression(mail_kit: MailKit) -> None:
    """A forged bounce after an operator's suppression does not make it undoable."""
    (name,) = mail_kit.add_subscribers(1)
    suppress_by_operator(mail_kit.site, name, NOW)
    with mail_kit.open() as db, db.write() as connection:
        suppress_address(connection, keyring(mail_kit.site, connection), name, "bounced", BOUNCE, "550", 9)
    found = suppression_of(mail_kit, name)
    assert found is not None and (found.reason, found.channel, found.is_undoable) == ("asked", OPERATOR, False)


def test_erasing_keeps_no_words_and_lets_the_person_return(mail_kit: MailKit) -> None:
    """The words of a bounce hold the address: they go with it."""
    (name,) = mail_kit.add_subscribers(1)
    with mail_kit.open() as db, db.write() as connection:
        suppress_address(connection, keyring(mail_kit.site, connection), name, "bounced", BOUNCE, f"550 {name}", 9)
    erase_subscriber(mail_kit.site, name, NOW)
    found = suppression_of(mail_kit, name)
    assert found is not None and (found.reason, found.channel, found.note) == ("forgotten", ERASURE, "")


def test_only_the_subscriber_can_resubscribe_after_a_complaint(mail_kit: MailKit) -> None:
    """An operator's reason never overrides a complaint, by command or by list."""
    kit = mail_kit
    (name,) = kit.add_subscribers(1)
    with kit.open() as db, db.write() as connection:
        subscriptions.unsubscribe(connection, 1, StateChange(ChangeSource.COMPLAINT, int(NOW.timestamp())))
    with pytest.raises(SettingsError, match="No reason lifts a complaint"):
        add_subscriber(kit.site, name, NOW, digests=["daily"], resubscribe="asked by phone")
    (kit.root / "again.csv").write_text(f"address,digests\n{name},daily\n")
    found = import_list(kit.site, kit.root / "again.csv", NOW, resubscribe="asked by phone")
    assert (found.changed, found.skipped) == (0, 1)
