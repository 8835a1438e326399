"""The brake on suppressions over real SMTP connections: a server that refuses many recipients suppresses nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from publisher.cli import outbox as outbox_cli
from publisher.cli import resume as resume_cli
from publisher.cli import status as status_cli
from publisher.delivery import brakes_store as brakes
from publisher.delivery.deliver import SendResult
from publisher.errors import SettingsError
from publisher.storage.tables.delivery import provisional_suppression
from publisher.subscribers import store as subscribers
from tests.conftest import NOW, MailKit
from tests.support.deliveries import states, suppressed, transport
from tests.support.smtp import Script, Server
from tests.support.use_cases import (
    accept_refusals,
    deliver,
    delivery_history,
    erase_subscriber,
    list_issues,
    load_status,
    retry_refusals,
)

GONE: Final = "550 no such user"


def refusing(is_gone: Callable[[str], bool], reply: str = GONE) -> Script:
    """Return a script that refuses some recipients at RCPT."""

    def at(step: str, argument: str, number: int) -> str | None:
        return reply.replace("{address}", argument) if step == "rcpt" and is_gone(argument) else None

    return Script(at=at)


def number_of(address: str) -> int:
    return int(address.partition("@")[0].removeprefix("reader"))


def send(kit: MailKit, server: Server, now: datetime = NOW, digest: str = "daily") -> SendResult:
    return deliver(kit.site, digest, transport=transport(kit), clock=lambda: now)


def prepared(kit: MailKit, server: Server, count: int, domain: str = "mail.example.org") -> list[str]:
    names = kit.add_subscribers(count, domain)
    kit.issue("one")
    kit.mail(server.port)
    return names


def provisional(kit: MailKit) -> int:
    with kit.open() as db, db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(provisional_suppression)).scalar_one())


def test_a_server_that_refuses_everybody_suppresses_nobody(any_mail_kit: MailKit) -> None:
    """The run stops after a few refusals, and names the words and the commands that decide."""
    kit = any_mail_kit
    with Server(refusing(lambda address: True)) as server:
        prepared(kit, server, 100)
        sent = send(kit, server)
        assert suppressed(kit) == []
        assert (
            "no such user" in sent.stop_reason
            and "publish resume" in sent.stop_reason
            and "--accept" in sent.stop_reason
        )
        # What was in hand when the eleventh refusal came may be refused too.
        assert 11 <= states(kit)["failed"] <= 20 and states(kit)["queued"] == 100 - states(kit)["failed"]
        before = states(kit)
        again = send(kit, server)
        assert states(kit) == before and "no such user" in again.stop_reason
    (box,) = list_issues(kit.site)
    assert "no such user" in " ".join(box.stopped)
    assert any("no such user" in line for line in load_status(kit.site, NOW).stopped)
    assert provisional(kit) == before["failed"]


@pytest.mark.postgresql
def test_the_operator_accepts_the_refusals(any_mail_kit: MailKit) -> None:
    """The addresses are suppressed, the issue goes on, and further refusals with these words need no second command."""
    kit = any_mail_kit
    with Server(refusing(lambda address: number_of(address) < 60)) as server:
        names = prepared(kit, server, 100)
        send(kit, server)
        failed = states(kit)["failed"]
        decision = accept_refusals(kit.site, "daily", NOW)
        assert decision.count == failed and len(suppressed(kit)) == failed
        send(kit, server)
        assert states(kit) == {"accepted": 40, "failed": 60}
        assert suppressed(kit) == names[:60]
        assert sorted(server.recipients) == sorted(names[60:])
    assert provisional(kit) == 0
    with pytest.raises(SettingsError, match="no refusals wait for a decision"):
        accept_refusals(kit.site, "daily", NOW)


@pytest.mark.postgresql
def test_the_operator_requeues_the_refused_deliveries(any_mail_kit: MailKit) -> None:
    """After the server is repaired each subscriber gets the issue once, and nobody is suppressed."""
    kit = any_mail_kit
    is_broken = [True]
    with Server(refusing(lambda address: is_broken[0])) as server:
        names = prepared(kit, server, 40)
        send(kit, server)
        failed = states(kit)["failed"]
        is_broken[0] = False
        assert retry_refusals(kit.site, "daily").count == failed
        send(kit, server)
        assert server.recipients == sorted(names)
    assert states(kit) == {"accepted": 40} and suppressed(kit) == [] and provisional(kit) == 0


def test_fifteen_of_a_hundred_are_suppressed_when_the_issue_is_sent(any_mail_kit: MailKit) -> None:
    """An ordinary share of dead addresses stops nothing."""
    kit = any_mail_kit
    with Server(refusing(lambda address: number_of(address) % 7 == 3)) as server:
        names = prepared(kit, server, 105)
        sent = send(kit, server)
    assert (sent.stop_reason, states(kit)) == ("", {"accepted": 90, "failed": 15})
    assert suppressed(kit) == [name for name in names if number_of(name) % 7 == 3]
    assert provisional(kit) == 0


def test_the_third_of_three_subscribers_is_mailed(any_mail_kit: MailKit) -> None:
    """Two dead addresses of three are few: they are suppressed at the end of the issue."""
    kit = any_mail_kit
    with Server(refusing(lambda address: number_of(address) < 2)) as server:
        names = prepared(kit, server, 3)
        send(kit, server)
        assert server.recipients == [names[2]]
    assert suppressed(kit) == names[:2]


def test_a_domain_that_refuses_every_recipient_is_stopped_and_others_get_the_issue(any_mail_kit: MailKit) -> None:
    """The brake of a domain applies to that domain alone."""
    kit = any_mail_kit
    with Server(refusing(lambda address: address.endswith("@broken.example"))) as server:
        kit.add_subscribers(200)
        names = [f"bad{number}@broken.example" for number in range(40)]
        path = kit.root / "more.csv"
        path.write_text("address,digests\n" + "".join(f"{name},daily\n" for name in names))
        from tests.support.use_cases import import_list

        import_list(kit.site, path, NOW)
        kit.issue("one")
        kit.mail(server.port)
        sent = send(kit, server)
        assert suppressed(kit) == []
        assert states(kit)["accepted"] == 200 and 11 <= states(kit)["failed"] <= 20
        assert "broken.example refused" in sent.stop_reason and sent.paused_domains == ()
        again = send(kit, server)
        assert again.counts.done == 0 and "broken.example" in again.stop_reason
        accept_refusals(kit.site, "daily", NOW)
        send(kit, server)
    assert states(kit) == {"accepted": 200, "failed": 40} and len(suppressed(kit)) == 40


def test_words_that_name_the_address_need_half_of_the_attempts(mail_kit: MailKit) -> None:
    """A server that names each address is trusted more: a third of dead addresses is suppressed."""
    kit = mail_kit
    with Server(refusing(lambda address: number_of(address) % 3 == 0, "550 5.1.1 <{address}>: user unknown")) as server:
        prepared(kit, server, 90)
        sent = send(kit, server)
    assert sent.stop_reason == "" and len(suppressed(kit)) == 30


def test_another_issue_waits_for_the_verdict_about_an_address(any_mail_kit: MailKit) -> None:
    """After the verdict the delivery is sent, or ends as suppressed."""
    kit = any_mail_kit
    kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\nrepeat = true\nsend = "auto"\n')
    is_broken = [True]
    with Server(refusing(lambda address: is_broken[0])) as server:
        kit.add_subscribers(12, digests=("daily", "weekly"))
        kit.issue("one")
        kit.open_issue("weekly")
        kit.mail(server.port)
        send(kit, server)
        is_broken[0] = False
        assert provisional(kit) == states(kit)["failed"] >= 11
        send(kit, server, digest="weekly")
        mailed = 12 - provisional(kit)
        assert len(server.accepted) == mailed
        retry_refusals(kit.site, "daily")
        send(kit, server, NOW + timedelta(hours=2), digest="weekly")
        send(kit, server, NOW + timedelta(hours=2))
        assert len(server.accepted) == 24
    assert set(states(kit)) == {"accepted"} and suppressed(kit) == []


def test_provisional_suppressions_survive_a_crash(any_mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed before the verdict leaves rows, and the next run judges them."""
    kit = any_mail_kit
    with Server(refusing(lambda address: number_of(address) < 2)) as server:
        names = prepared(kit, server, 3)

        def dies(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("publisher.delivery.deliver.settle_finished_issues", dies)
        with pytest.raises(KeyboardInterrupt):
            send(kit, server)
        monkeypatch.undo()
        assert suppressed(kit) == []
        send(kit, server)
    assert provisional(kit) == 0 and suppressed(kit) == names[:2]


def test_refusals_of_an_earlier_run_count(any_mail_kit: MailKit) -> None:
    """Eight refusals in one run and three in the next are eleven."""
    kit = any_mail_kit
    with Server(refusing(lambda address: True)) as server:
        prepared(kit, server, 40)
        first = deliver(kit.site, "daily", transport=transport(kit), clock=lambda: NOW, limit=8)
        assert (first.stop_reason, provisional(kit)) == ("", 8)
        send(kit, server)
        assert 11 <= states(kit)["failed"] <= 16 and suppressed(kit) == []


@pytest.mark.postgresql
def test_a_sender_stops_with_its_next_refusal_after_another_has_stopped_the_relay(any_mail_kit: MailKit) -> None:
    """The brake of another process counts at once, not at the next look of a clock."""
    kit = any_mail_kit
    count, lock = [0], threading.Lock()

    def at(step: str, argument: str, number: int) -> str | None:
        if step != "rcpt":
            return None
        with lock:
            count[0] += 1
            if count[0] == 3:
                stop_relay(kit, server.port)
        return GONE

    with Server(Script(at=at)) as server:
        prepared(kit, server, 100)
        sent = send(kit, server)
        assert suppressed(kit) == []
        assert "no such user" in sent.stop_reason
        # One for each of three connections may have been in hand.
        assert 3 <= states(kit)["failed"] <= 6


def stop_relay(kit: MailKit, port: int) -> None:
    """Store the brake of another sender."""
    brake = brakes.Brake(
        issue_id=1,
        scope=brakes.RELAY,
        name=f"127.0.0.1:{port}",
        words="no such user",
        note=GONE,
        refused=11,
        attempts=11,
        stopped_at=int(NOW.timestamp()),
    )
    with kit.open() as db, db.write() as connection:
        brakes.add_brake(connection, brake)


@pytest.mark.postgresql
def test_several_senders_share_the_verdict(any_mail_kit: MailKit) -> None:
    """Two processes that send at a time stop together, and suppress nobody."""
    kit = any_mail_kit
    with Server(refusing(lambda address: True)) as server:
        prepared(kit, server, 120)
        runs = [threading.Thread(target=send, args=(kit, server)) for _ in range(2)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        send(kit, server)
    assert suppressed(kit) == [] and states(kit)["failed"] <= 60
    with kit.open() as db, db.read() as connection:
        assert {brake.scope for brake in brakes.open_brakes(connection)} == {"relay", "domain"}


@pytest.mark.postgresql
def test_several_senders_suppress_dead_addresses(any_mail_kit: MailKit) -> None:
    """An ordinary share of dead addresses is suppressed, whichever process sends the last delivery."""
    kit = any_mail_kit
    with Server(refusing(lambda address: number_of(address) % 10 == 0)) as server:
        prepared(kit, server, 120)
        runs = [threading.Thread(target=send, args=(kit, server)) for _ in range(2)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        send(kit, server)
        assert len(server.accepted) == 108
    assert len(suppressed(kit)) == 12 and provisional(kit) == 0


def test_erasing_a_subscriber_deletes_their_refusal(mail_kit: MailKit) -> None:
    """The words of the server contain the address."""
    kit = mail_kit
    with Server(refusing(lambda address: True)) as server:
        prepared(kit, server, 20)
        send(kit, server)
    count = provisional(kit)
    with kit.open() as db, db.read() as connection:
        row = brakes.provisional_suppressions(connection, 1)[0]
        person = subscribers.find_subscriber(connection, row.subscriber_id)
        assert person is not None
    assert "suppressed for the time being" in delivery_history(kit.site, "daily", person.address).suppressed
    erase_subscriber(kit.site, person.address, NOW)
    assert provisional(kit) == count - 1


def test_a_new_address_is_not_suppressed_for_the_old_one(mail_kit: MailKit) -> None:
    """A subscriber who changed their address after the refusal still gets mail."""
    kit = mail_kit
    with Server(refusing(lambda address: True)) as server:
        prepared(kit, server, 20)
        send(kit, server)
    with kit.open() as db, db.write() as connection:
        row = brakes.provisional_suppressions(connection, 1)[0]
        values = {"address": "new@mail.example.org", "key": "new@mail.example.org"}
        subscribers.update_subscribers(connection, [(row.subscriber_id, values)])
    accept_refusals(kit.site, "daily", NOW)
    assert "new@mail.example.org" not in suppressed(kit) and len(suppressed(kit)) >= 10


def test_the_resume_command_names_the_decision(mail_kit: MailKit) -> None:
    """Resume without an option changes nothing and names the options."""
    kit = mail_kit
    with Server(refusing(lambda address: True)) as server:
        prepared(kit, server, 30)
        send(kit, server)
        site = ["--site", str(kit.root)]
        run = CliRunner().invoke
        with pytest.raises(SettingsError, match=r"--accept.*--retry"):
            run(resume_cli.command, ["daily", *site], catch_exceptions=False)
        both = run(resume_cli.command, ["daily", "--accept", "--retry", *site])
        assert both.exit_code == 2
        assert suppressed(kit) == []
        assert "no such user" in run(outbox_cli.command, site).output
        assert "no such user" in run(status_cli.command, site).output
        done = run(resume_cli.command, ["daily", "--accept", *site])
        assert done.exit_code == 0 and "Suppressed" in done.output
        with pytest.raises(SettingsError, match="no refusals wait for a decision"):
            run(resume_cli.command, ["daily", "--accept", *site], catch_exceptions=False)
