"""Servers that end connections between DATA and the reply: few deliveries become uncertain, and the run stops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.delivery.deliver import SendResult
from publisher.mail.outcome import RelayFault
from publisher.mail.relay_state import MAX_LOSSES, RelayState
from publisher.mail.smtp_transport import SmtpTransport
from tests.conftest import NOW, MailKit
from tests.support.deliveries import states, transport
from tests.support.smtp import Drop, Script, Server
from tests.support.use_cases import deliver

CONNECTIONS = 10
LONGEST = timedelta(hours=4)


def dropping(step: str = "dot") -> Script:
    """Return a script that resets every connection at a step."""

    def at(name: str, argument: str, number: int) -> str | None:
        if name == step:
            raise Drop
        return None

    return Script(at=at)


def prepared(kit: MailKit, server: Server, count: int = 100) -> None:
    kit.add_subscribers(count)
    kit.issue("one")
    kit.mail(server.port)
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace("connections = 3", f"connections = {CONNECTIONS}"))


def run(
    kit: MailKit, now: datetime = NOW, *, is_attended: bool = False, way: SmtpTransport | None = None
) -> SendResult:
    return deliver(kit.site, "daily", transport=way or transport(kit), clock=lambda: now, is_attended=is_attended)


@pytest.mark.parametrize("step", ["dot", "begin"])
def test_a_server_that_resets_every_connection_in_data_stops_the_run(any_mail_kit: MailKit, step: str) -> None:
    """Ten connections lose twelve messages at most, and all others stay queued."""
    kit = any_mail_kit
    with Server(dropping(step)) as server:
        prepared(kit, server)
        sent = run(kit)
    assert (1 if step == "dot" else 0) <= len(sent.uncertain) <= CONNECTIONS + MAX_LOSSES - 1
    assert "lost 3 messages in a row before its reply" in sent.stop_reason
    assert states(kit)["queued"] == 100 - len(sent.uncertain)


def test_an_invalid_reply_counts_as_a_loss(mail_kit: MailKit) -> None:
    """A 3xx reply to the message neither accepts nor rejects it (RFC 5321 §4.2.1)."""
    kit = mail_kit
    with Server(Script(at=lambda step, *_: "354 and then?" if step == "dot" else None)) as server:
        prepared(kit, server)
        sent = run(kit)
    assert 1 <= len(sent.uncertain) <= CONNECTIONS + MAX_LOSSES - 1
    assert "lost 3 messages" in sent.stop_reason


def test_losses_with_successes_between_them_stop_nothing(mail_kit: MailKit) -> None:
    """Only losses in a row count: a server that loses a tenth of all messages is used to the end."""
    kit = mail_kit
    lock, count = threading.Lock(), [0]

    def at(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            with lock:
                count[0] += 1
                if count[0] % 10 == 0:
                    raise Drop
        return None

    with Server(Script(at=at)) as server:
        prepared(kit, server)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace(f"connections = {CONNECTIONS}", "connections = 1"))
        sent = run(kit)
    assert (sent.stop_reason, states(kit)) == ("", {"accepted": 90, "uncertain": 10})


def test_a_second_relay_takes_over(mail_kit: MailKit) -> None:
    """A relay that loses messages stops no other relay."""
    kit = mail_kit
    with Server(dropping()) as bad, Server() as good:
        prepared(kit, good)
        made = transport(kit)
        (relay,) = made.relays
        from dataclasses import replace

        way = SmtpTransport(relays=[replace(relay, port=bad.port), relay], timeouts=made.timeouts, max_pause_seconds=3)
        sent = run(kit, way=way)
        assert sent.stop_reason == ""
        assert len(good.accepted) == 100 - len(sent.uncertain)
    assert len(sent.uncertain) <= CONNECTIONS + MAX_LOSSES - 1


def test_later_runs_pause_the_relay_and_then_lose_one_message_each(any_mail_kit: MailKit) -> None:
    """The pause is stored, doubles up to four hours, and ends with a single message on a single connection."""
    kit = any_mail_kit
    with Server(dropping()) as server:
        prepared(kit, server)
        first = len(run(kit).uncertain)
        commands = len(server.commands)
        again = run(kit, NOW + timedelta(minutes=14))
        assert f"is paused until {NOW + timedelta(minutes=15):%Y-%m-%d %H:%M} UTC" in again.stop_reason
        assert (len(again.uncertain), len(server.commands)) == (first, commands)
        now, lost = NOW, first
        for pause in (15, 30, 60, 120, 240, 240):
            now += timedelta(minutes=pause + 1)
            found = run(kit, now)
            lost += 1
            assert len(found.uncertain) == lost
            assert "lost 1 message before its reply" in found.stop_reason
        server.script = Script()
        done = run(kit, now + LONGEST + timedelta(minutes=1))
    assert (done.stop_reason, states(kit)) == ("", {"accepted": 100 - lost, "uncertain": lost})


def test_a_person_does_not_wait_for_the_pause(mail_kit: MailKit) -> None:
    """``publish send`` tries a paused relay at once, with one message."""
    kit = mail_kit
    with Server(dropping()) as server:
        prepared(kit, server)
        first = len(run(kit).uncertain)
        assert len(run(kit, is_attended=True).uncertain) == first + 1
        server.script = Script()
        assert run(kit, is_attended=True).stop_reason == ""
        assert states(kit) == {"accepted": 99 - first, "uncertain": first + 1}


def test_a_pause_of_a_clock_that_was_ahead_is_over(mail_kit: MailKit) -> None:
    """No pause is longer than four hours, so one that ends in years was written by a wrong clock."""
    kit = mail_kit
    with Server(dropping()) as server:
        prepared(kit, server, 3)
        run(kit, NOW + timedelta(days=4_000))
        server.script = Script()
        assert run(kit).stop_reason == ""


# -- the state of a relay --------------------------------------------------------------------------------

STEPS = st.lists(st.sampled_from(["success", "loss", "fault"]), max_size=40)


def _apply(state: RelayState, steps: list[str]) -> None:
    calls: dict[str, Callable[[], None]] = {
        "success": state.record_success,
        "loss": lambda: state.record_loss("connection lost"),
        "fault": lambda: state.record_fault(RelayFault("busy"), 0.0, 0.0),
    }
    for step in steps:
        calls[step]()


@given(STEPS)
def test_a_relay_is_stopped_by_three_losses_without_a_success(steps: list[str]) -> None:
    """Faults before DATA neither count nor reset the count."""
    state = RelayState()
    _apply(state, steps)
    row = "".join(step[0] for step in steps if step != "fault")
    assert state.has_lost == ("lll" in row)
    assert bool(state.refused) == state.has_lost


def test_a_relay_on_probation_has_one_connection() -> None:
    """A second connection has to wait until the relay has accepted a message."""
    state = RelayState(is_on_probation=True)
    assert state.is_usable(0.0)
    state.connections = 1
    assert not state.is_usable(0.0)
    state.record_success()
    assert state.is_usable(0.0)
