"""Confirmation emails and welcome issues respect the pause of a relay that has lost messages."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest

from publisher.runner import make_log
from publisher.runner.jobs import Jobs
from publisher.runner.tick import tick
from publisher.storage import facts
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from tests.conftest import NOW
from tests.support.smtp import Drop, Script
from tests.support.subscriber_site import Town

UNTIL = NOW + timedelta(minutes=15)


@pytest.fixture
def paused(town: Town) -> Town:
    """A site of which somebody has asked for a confirmation email, and whose only relay is paused for 15 minutes."""
    town.join()
    pause(town)
    return town


def relay(town: Town) -> str:
    return f"relay 127.0.0.1:{town.server.port}"


def pause(town: Town) -> None:
    with town.kit.open() as db, db.write() as connection:
        facts.set_fact(connection, relay(town), f"1 {int(UNTIL.timestamp())}")


def stored_pause(town: Town) -> str | None:
    with town.kit.open() as db, db.read() as connection:
        return facts.get_fact(connection, relay(town))


def test_nothing_is_sent_during_the_pause_and_everything_after_it(paused: Town) -> None:
    """No attempt is counted meanwhile, however long it lasts; the first success ends the pause."""
    town = paused
    for _ in range(10):
        assert town.post_office() == []
    assert town.server.heard == []
    with town.kit.open() as db, db.write() as connection:
        (waiting,) = confirmations.claim(connection, int(NOW.timestamp()), lease=0, limit=10)
        assert waiting.attempts == 0
    town.pass_time(minutes=16)
    assert len(town.post_office()) == 1
    assert stored_pause(town) is None


def test_one_more_loss_makes_the_pause_longer(paused: Town) -> None:
    """After a pause a relay is on probation for confirmation emails as well."""
    town = paused

    def drop(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            raise Drop
        return None

    town.server.script = Script(at=drop)
    town.pass_time(minutes=16)
    town.post_office()
    again = NOW + timedelta(minutes=16 + 30)
    assert stored_pause(town) == f"2 {int(again.timestamp())}"
    town.join("bea@mail.example.org")
    town.server.script = Script()
    assert town.post_office() == []


def test_a_second_relay_is_used_during_the_pause(paused: Town) -> None:
    """Only where every relay is paused do messages wait."""
    town = paused
    town.kit.add_settings(f'\n[[smtp.relays]]\nhost = "localhost"\nport = {town.server.port}\nsecurity = "none"\n')
    with town.kit.open() as db:
        result = send_confirmation_emails(town.kit.site, db, town.clock.now)
    assert (result.sent, result.paused_until) == (1, None)


def test_the_runner_and_tick_name_the_end_of_the_pause(paused: Town) -> None:
    """The runner looks again when it is over, without a failure of the job."""
    town, text = paused, io.StringIO()
    woken = []
    with town.kit.open() as db:
        log = make_log(text, as_json=True)
        jobs = Jobs(
            town.kit.site, db, town.clock, log, wake=lambda name: None, wake_at=lambda *wanted: woken.append(wanted)
        )
        jobs.letters()
        jobs.close()
    (line,) = map(json.loads, text.getvalue().splitlines())
    assert (line["level"], line["event"], line["until"]) == ("warning", "letters wait", "2026-11-23T07:15Z")
    assert woken == [("letters", "letters", UNTIL)]
    report = tick(town.kit.site, clock=town.clock)
    assert [one.reason for one in report.refused if one.where == "letters"] == [
        "every relay has lost messages, and none is used before 2026-11-23 07:15 UTC"
    ]
