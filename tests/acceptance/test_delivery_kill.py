"""Kill senders at every step: each subscriber gets one message, except those that the outbox lists as uncertain.

``PUBLISHER_TEST_KILLS=500 python -m pytest tests/acceptance/test_delivery_kill.py`` runs long.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from publisher.delivery.senders import LOCK_FOLDER
from tests.conftest import MailKit
from tests.support.copies import Copies
from tests.support.processes import PIPE, Process
from tests.support.smtp import Server
from tests.support.smtp.sender import STEPS
from tests.support.use_cases import deliver, list_issues
from tests.support.waiting import until

KILLS = int(os.environ.get("PUBLISHER_TEST_KILLS", "12"))
CONNECTIONS = 3
SUBSCRIBERS, SIXTY = 400, 60


def open_issue_for_sixty(kit: MailKit) -> None:
    """Import subscribers, and queue the deliveries of an issue to them."""
    kit.add_subscribers(SIXTY)
    kit.issue("one")


def has_sent(server: Server, wanted: int, senders: list[Process]) -> bool:
    """Return whether a server has accepted this many messages, or no sender runs any more."""
    return len(server.accepted) >= wanted or all(one.poll() is not None for one in senders)


def sender(kit: MailKit, *step: str) -> Process:
    return Process("tests.support.smtp.sender", str(kit.root), "daily", *step, stdout=PIPE, stderr=PIPE)


def uncertain(kit: MailKit) -> set[str]:
    return {address for box in list_issues(kit.site) for address in box.uncertain}


def holds(kit: MailKit, server: Server, names: list[str], kills: int) -> None:
    """Send what is left, and hold the promise against what the server has answered for."""
    sent = deliver(kit.site, "daily")
    assert (sent.waiting, sent.stop_reason) == (0, "")
    counts, doubtful = Counter(server.recipients), uncertain(kit)
    twice = {name for name, count in counts.items() if count > 1}
    without = set(names) - set(counts)
    assert not twice
    assert without <= doubtful, without - doubtful
    assert len(doubtful) <= kills * CONNECTIONS
    assert not list((kit.root / LOCK_FOLDER).glob("*"))
    # What is called accepted, the server has: it is the other way round that cannot be known.
    assert sum(counts.values()) + len(without) == len(names)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_sender_killed_at_any_step_loses_and_repeats_no_delivery(
    tmp_path: Path, copies: Copies, database: str, step: str, when: str
) -> None:
    """The next sender takes over; only the message that was handed over may be uncertain."""
    with copies.copy(database, open_issue_for_sixty, tmp_path / "site") as kit, Server() as server:
        names = [f"reader{number}@mail.example.org" for number in range(SIXTY)]
        kit.mail(server.port)
        kills = 0
        if step == "recover":
            # There has to be a dead one to take over from.
            first = sender(kit, "after hand over", "2")
            first.communicate(timeout=60)
            assert first.returncode == -signal.SIGKILL
            kills += 1
        for count in ("1", "4"):
            process = sender(kit, f"{when} {step}", count)
            process.communicate(timeout=60)
            kills += process.returncode == -signal.SIGKILL
        assert kills
        holds(kit, server, names, kills)


@pytest.mark.slow(reason="senders are started and killed again and again")
def test_senders_killed_at_random_lose_and_repeat_no_delivery(any_mail_kit: MailKit) -> None:
    """One or two senders at a time, killed when the server has accepted a random number of copies more."""
    kit = any_mail_kit
    names = kit.add_subscribers(SUBSCRIBERS)
    kit.issue("one")
    chance = random.Random(len(str(kit.root)))
    with Server() as server:
        kit.mail(server.port)
        kills = 0
        for _ in range(KILLS):
            two = [sender(kit) for _ in range(chance.choice((1, 2)))]
            wanted = len(server.accepted) + chance.randrange(2 * SUBSCRIBERS // KILLS + 1)
            try:
                until(partial(has_sent, server, wanted, two))
            finally:
                for one in two:
                    one.send_signal(signal.SIGKILL)
                    one.communicate(timeout=30)
            for one in two:
                kills += one.returncode == -signal.SIGKILL
        holds(kit, server, names, max(kills, 1))


def test_a_killed_sender_leaves_at_most_one_uncertain_delivery_per_connection(mail_kit: MailKit) -> None:
    """A sender that is killed after handing over leaves no more uncertain deliveries than connections."""
    kit = mail_kit
    names = kit.add_subscribers(60)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        process = sender(kit, "after hand over", "5")
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        holds(kit, server, names, 1)
        assert 0 < len(uncertain(kit)) <= CONNECTIONS


@pytest.mark.postgresql
def test_two_concurrent_processes_send_each_delivery_once(any_mail_kit: MailKit) -> None:
    """Two senders of one issue share its deliveries."""
    kit = any_mail_kit
    names = kit.add_subscribers(300)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        for one in [sender(kit), sender(kit), sender(kit)]:
            _, errors = one.communicate(timeout=60)
            assert one.returncode == 0, errors
        assert server.recipients == sorted(names)
        assert not uncertain(kit)
