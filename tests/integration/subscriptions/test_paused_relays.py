"""Confirmation emails and welcome issues respect the pause of a relay that has lost messages."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest

from publisher.runner import make_log
from publisher.runner.jobs import Jobs
from publisher.storage import facts, job_queue
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from publisher.subscriptions.confirmation_store import CONFIRMATION
from tests.conftest import NOW
from tests.support.smtp import Drop, Script
from tests.support.subscriber_site import SubscriberSite
from tests.support.use_cases import tick

UNTIL = NOW + timedelta(minutes=15)


@pytest.fixture
def paused(subscriber_site: SubscriberSite) -> SubscriberSite:
    """A site with a queued confirmation email, and one relay that is paused for 15 minutes."""
    subscriber_site.subscribe()
    pause(subscriber_site)
    return subscriber_site


def relay(subscriber_site: SubscriberSite) -> str:
    return f"relay 127.0.0.1:{subscriber_site.server.port}"


def pause(subscriber_site: SubscriberSite) -> None:
    with subscriber_site.kit.open() as db, db.write() as connection:
        facts.set_fact(connection, relay(subscriber_site), f"1 {int(UNTIL.timestamp())}")


def stored_pause(subscriber_site: SubscriberSite) -> str | None:
    with subscriber_site.kit.open() as db, db.read() as connection:
        return facts.get_fact(connection, relay(subscriber_site))


def test_nothing_is_sent_during_the_pause_and_everything_after_it(paused: SubscriberSite) -> None:
    """No attempt is counted meanwhile, however long it lasts; the first success ends the pause."""
    subscriber_site = paused
    for _ in range(10):
        assert subscriber_site.deliver_emails() == []
    assert subscriber_site.server.commands == []
    with subscriber_site.kit.open() as db, db.read() as connection:
        (waiting,) = job_queue.due(connection, CONFIRMATION, int(NOW.timestamp()))
        assert waiting.attempts == 0
    subscriber_site.advance(minutes=16)
    assert len(subscriber_site.deliver_emails()) == 1
    assert stored_pause(subscriber_site) is None


def test_one_more_loss_makes_the_pause_longer(paused: SubscriberSite) -> None:
    """After a pause a relay is on probation for confirmation emails as well."""
    subscriber_site = paused

    def drop(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            raise Drop
        return None

    subscriber_site.server.script = Script(at=drop)
    subscriber_site.advance(minutes=16)
    subscriber_site.deliver_emails()
    again = NOW + timedelta(minutes=16 + 30)
    assert stored_pause(subscriber_site) == f"2 {int(again.timestamp())}"
    subscriber_site.subscribe("bea@mail.example.org")
    subscriber_site.server.script = Script()
    assert subscriber_site.deliver_emails() == []


def test_a_second_relay_is_used_during_the_pause(paused: SubscriberSite) -> None:
    """Only where every relay is paused do messages wait."""
    subscriber_site = paused
    subscriber_site.kit.add_settings(
        f'\n[[smtp.relays]]\nhost = "localhost"\nport = {subscriber_site.server.port}\nsecurity = "none"\n'
    )
    with subscriber_site.kit.open() as db:
        result = send_confirmation_emails(subscriber_site.context(db))
    assert (result.sent, result.paused_until) == (1, None)


def test_the_runner_and_tick_name_the_end_of_the_pause(paused: SubscriberSite) -> None:
    """The runner looks again when it is over, without a failure of the job."""
    subscriber_site, text = paused, io.StringIO()
    woken = []
    with subscriber_site.kit.open() as db:
        log = make_log(text, as_json=True)
        jobs = Jobs(
            subscriber_site.kit.site,
            db,
            subscriber_site.clock,
            log,
            wake=lambda name: None,
            wake_at=lambda *wanted: woken.append(wanted),
        )
        jobs.confirmation_emails()
        jobs.close()
    (line,) = map(json.loads, text.getvalue().splitlines())
    assert (line["level"], line["event"], line["until"]) == (
        "warning",
        "confirmation emails paused",
        "2026-11-23T07:15Z",
    )
    assert woken == [("confirmation-emails", "confirmation-emails", UNTIL)]
    report = tick(subscriber_site.kit.site, clock=subscriber_site.clock)
    assert [one.reason for one in report.rejected if one.where == "confirmation emails"] == [
        "every relay has lost messages, and none is used before 2026-11-23 07:15 UTC"
    ]
