"""Deliveries over SMTP: each subscriber gets one message, whatever the servers do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from publisher.backoff import Backoff
from publisher.model.delivery import DeliveryState, UncertainPolicy
from tests.conftest import NOW, MailKit
from tests.support.deliveries import at, return_path, states, suppressed, transport
from tests.support.smtp import Drop, Hang, Script, Server
from tests.support.use_cases import deliver, delivery_history, pause


def test_each_subscriber_gets_one_message_and_a_second_run_sends_nothing(any_mail_kit: MailKit) -> None:
    """Forty subscribers, ten connections."""
    kit = any_mail_kit
    names = kit.add_subscribers(40)
    kit.issue("one", "two")
    with Server() as server:
        kit.mail(server.port)
        sent = deliver(kit.site, "daily")
        assert server.recipients == sorted(names)
        assert (sent.counts.accepted, sent.waiting, sent.stop_reason, sent.uncertain) == (40, 0, "", ())
        assert deliver(kit.site, "daily").counts.done == 0
        assert len(server.accepted) == 40
    assert len({one.message_id for one in server.accepted}) == 40
    assert states(kit) == {"accepted": 40}


def test_a_message_contains_the_data_of_its_subscriber(mail_kit: MailKit) -> None:
    """Recipient, return path, Message-ID and links carry the delivery's own tokens."""
    kit = mail_kit
    kit.settings(
        (kit.root / "publisher.toml")
        .read_text()
        .replace(
            "[mail]",
            '[mail]\nunsubscribe = "https://review.example/leave"\none_click = true\nbounces = "bounces+{copy}@review.example"'
            '\npreferences = "https://review.example/p/{copy}/"',
        )
    )
    kit.add_subscribers(2)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    for one in server.accepted:
        message = message_from_bytes(one.data, policy=policy.default)
        copy = one.message_id.partition("@")[0].lstrip("<")
        assert message["To"] == one.recipient
        assert one.sender == return_path(kit, one.recipient) != f"bounces+{copy}@review.example"
        raw = one.data.decode()
        by_mail = f"<mailto:news@review.example?subject=unsubscribe%20{copy}>"
        assert f"List-Unsubscribe: <https://review.example/leave?copy={copy}>,\r\n {by_mail}\r\n" in raw
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        text = message.get_body(("plain",)).get_content()
        page = message.get_body(("html",)).get_content()
        assert f"https://review.example/leave?copy={copy}" in text
        assert f"https://review.example/leave?copy={copy}" in page
        assert f"https://review.example/p/{copy}/" in page
        assert one.recipient in page
        assert "@@" not in text + page
        assert "\x0e" not in raw
        assert max(len(line) for line in one.data.split(b"\r\n")) <= 200
    assert server.accepted[0].data != server.accepted[1].data


#: Fault → script, states of three deliveries, and number of suppressed subscribers.
FAULTS: dict[str, tuple[Script, dict[str, int], int]] = {
    "421 at connect": (at("connect", "421 4.3.2 later"), {"accepted": 3}, 0),
    "554 at connect": (at("connect", "554 5.7.1 go away", times=9), {"queued": 3}, 0),
    "silence at connect": (at("connect", Hang), {"accepted": 3}, 0),
    "garbage at connect": (at("connect", "SSH-2.0-OpenSSH"), {"accepted": 3}, 0),
    "drop at connect": (at("connect", Drop), {"accepted": 3}, 0),
    "421 at MAIL": (at("mail", "421 4.3.2 later"), {"accepted": 3}, 0),
    "451 at MAIL": (at("mail", "451 4.3.0 later"), {"accepted": 3}, 0),
    "550 at MAIL": (at("mail", "550 5.7.1 not you", times=9), {"queued": 3}, 0),
    "drop at MAIL": (at("mail", Drop), {"accepted": 3}, 0),
    "421 at RCPT": (at("rcpt", "421 4.7.0 too fast"), {"accepted": 2, "deferred": 1}, 0),
    "450 at RCPT": (at("rcpt", "450 4.2.0 greylisted"), {"accepted": 2, "deferred": 1}, 0),
    "452 at RCPT": (at("rcpt", "452 4.2.2 full"), {"accepted": 2, "deferred": 1}, 0),
    "550 at RCPT": (at("rcpt", "550 5.1.1 no such user"), {"accepted": 2, "failed": 1}, 1),
    "550 at RCPT without an enhanced code": (at("rcpt", "550 no such user here"), {"accepted": 2, "failed": 1}, 1),
    "552 at RCPT": (at("rcpt", "552 mailbox full"), {"accepted": 2, "deferred": 1}, 0),
    "552 5.2.2 at RCPT": (at("rcpt", "552 5.2.2 over quota"), {"accepted": 2, "deferred": 1}, 0),
    "550 5.7.1 at RCPT": (at("rcpt", "550 5.7.1 blocked by policy"), {"accepted": 2, "deferred": 1}, 0),
    "554 relaying denied": (at("rcpt", "554 Relay access denied"), {"accepted": 2, "deferred": 1}, 0),
    "530 at RCPT": (at("rcpt", "530 5.7.0 log in first", times=9), {"queued": 3}, 0),
    "drop at RCPT": (at("rcpt", Drop), {"accepted": 3}, 0),
    "garbage at RCPT": (at("rcpt", "hello there"), {"accepted": 3}, 0),
    "silence at RCPT": (at("rcpt", Hang), {"accepted": 3}, 0),
    "451 at DATA": (at("data", "451 4.3.0 later"), {"accepted": 2, "deferred": 1}, 0),
    "554 at DATA": (at("data", "554 5.6.0 no"), {"accepted": 2, "failed": 1}, 0),
    "250 at DATA": (at("data", "250 what"), {"accepted": 3}, 0),
    "drop at DATA": (at("data", Drop), {"accepted": 3}, 0),
    "451 after the dot": (at("dot", "451 4.3.0 later"), {"accepted": 2, "deferred": 1}, 0),
    "421 after the dot": (at("dot", "421 4.3.2 later"), {"accepted": 2, "deferred": 1}, 0),
    "550 after the dot": (at("dot", "550 5.7.1 spam"), {"accepted": 2, "failed": 1}, 0),
    "552 after the dot": (at("dot", "552 5.3.4 too big"), {"accepted": 2, "failed": 1}, 0),
    "554 5.1.1 after the dot": (at("dot", "554 5.1.1 no such user"), {"accepted": 2, "failed": 1}, 1),
    "drop after the dot": (at("dot", Drop), {"accepted": 2, "uncertain": 1}, 0),
    "silence after the dot": (at("dot", Hang), {"accepted": 2, "uncertain": 1}, 0),
    "garbage after the dot": (at("dot", "yes, well"), {"accepted": 2, "uncertain": 1}, 0),
    "354 after the dot": (at("dot", "354 more?"), {"accepted": 2, "uncertain": 1}, 0),
    "drop after the answer": (at("after", Drop), {"accepted": 3}, 0),
    "no pipelining": (Script(extensions=("8BITMIME",)), {"accepted": 3}, 0),
    "no pipelining, 550 at RCPT": (
        Script(at=at("rcpt", "550 5.1.1 no").at, extensions=()),
        {"accepted": 2, "failed": 1},
        1,
    ),
    "no pipelining, drop after the dot": (
        Script(at=at("dot", Drop).at, extensions=()),
        {"accepted": 2, "uncertain": 1},
        0,
    ),
    "too large for the server": (Script(extensions=("PIPELINING", "SIZE 1000")), {"queued": 3}, 0),
    "EHLO refused": (at("ehlo", "502 5.5.1 what?", times=1), {"accepted": 3}, 0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_server_fault_has_its_outcome(mail_kit: MailKit, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fault at one step leads to the states, and to the number of messages that the server accepted."""
    # No pauses of domains that ask to slow down.
    monkeypatch.setattr("publisher.delivery.throttle.PAUSES", Backoff(0, 0))
    script, expected, suppressed_count = FAULTS[fault]
    kit = mail_kit
    names = kit.add_subscribers(3)
    kit.issue("one")
    with Server(script) as server:
        kit.mail(server.port, delivery="connections = 1".replace("connections = 1", ""))
        settings = (kit.root / "publisher.toml").read_text()
        kit.settings(settings.replace("connections = 3", "connections = 1"))
        sent = deliver(kit.site, "daily", transport=transport(kit, max_pause_seconds=1.5))
        assert states(kit) == expected
        assert len(suppressed(kit)) == suppressed_count
        # Nobody gets two messages, and each accepted delivery is one.
        counts = Counter(server.recipients)
        assert set(counts.values()) <= {1}
        assert len(server.accepted) == expected.get("accepted", 0)
        if expected.get("queued"):
            assert sent.stop_reason
        if expected.get("uncertain"):
            assert len(sent.uncertain) == 1
            assert set(sent.uncertain) | set(server.recipients) == set(names)


def test_a_server_without_a_reply_times_out(mail_kit: MailKit) -> None:
    """The message is sent over a second connection."""

    def wait(step: str, argument: str, number: int) -> str | None:
        if step == "mail" and number == 1:
            is_over.wait(30)
        return None

    is_over = threading.Event()
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server(Script(at=wait)) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
        is_over.set()
        assert len(server.accepted) == 1
        assert server.connections == 2


@pytest.mark.parametrize(
    ("policy", "expected", "copies"),
    [
        (UncertainPolicy.HOLD, {"accepted": 2, "uncertain": 1}, 2),
        (UncertainPolicy.RESEND, {"accepted": 3}, 3),
        (UncertainPolicy.SKIP, {"accepted": 3}, 2),
    ],
)
def test_uncertain_deliveries_follow_the_policy(
    mail_kit: MailKit, policy: UncertainPolicy, expected: dict[str, int], copies: int
) -> None:
    """``delivery.uncertain`` holds, resends or skips them."""
    kit = mail_kit
    kit.add_subscribers(3)
    kit.issue("one")
    with Server(at("dot", Drop)) as server:
        kit.mail(server.port, delivery=f'uncertain = "{policy}"')
        deliver(kit.site, "daily", transport=transport(kit))
        assert states(kit) == expected
        assert len(server.accepted) == copies


@pytest.mark.parametrize(("policy", "copies"), [(UncertainPolicy.RESEND, 3), (UncertainPolicy.SKIP, 2)])
def test_held_deliveries_are_resolved_by_a_person_with_the_same_message_id(
    mail_kit: MailKit, policy: UncertainPolicy, copies: int
) -> None:
    """``publish send --uncertain`` resends or skips them."""
    kit = mail_kit
    kit.add_subscribers(3)
    kit.issue("one")
    with Server(at("dot", Drop)) as server:
        kit.mail(server.port)
        doubtful = deliver(kit.site, "daily", transport=transport(kit)).uncertain[0]
        before = delivery_history(kit.site, "daily", doubtful)
        assert before.state is DeliveryState.UNCERTAIN
        sent = deliver(kit.site, "daily", uncertain=policy, transport=transport(kit))
        assert (sent.uncertain, states(kit)) == ((), {"accepted": 3})
        assert len(server.accepted) == copies
    after = delivery_history(kit.site, "daily", doubtful)
    assert after.message_id == before.message_id
    assert any("uncertain" in one.text for one in after.events)
    if policy is UncertainPolicy.RESEND:
        assert before.message_id in {one.message_id for one in server.accepted}


def test_deferred_deliveries_are_retried_and_finally_given_up(mail_kit: MailKit) -> None:
    """After ``retry_days`` the delivery fails, and nobody is suppressed."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    now = datetime.now(UTC)
    with Server(at("rcpt", "450 4.2.0 greylisted", times=10_000)) as server:
        kit.mail(server.port)
        sent = deliver(kit.site, "daily", transport=transport(kit), clock=lambda: now)
        waits = []
        while sent.next_due is not None:
            waits.append((sent.next_due - now).total_seconds() / 60)
            # Too early nothing happens.
            assert deliver(kit.site, "daily", transport=transport(kit), clock=lambda now=now: now).counts.done == 0
            now = sent.next_due + timedelta(seconds=1)
            sent = deliver(kit.site, "daily", transport=transport(kit), clock=lambda now=now: now)
        assert states(kit) == {"failed": 1}
        assert suppressed(kit) == []
    assert [round(one) for one in waits[:8]] == [5, 10, 20, 40, 80, 160, 240, 240]
    assert 3.8 * 24 * 60 < sum(waits) <= 4 * 24 * 60
    story = delivery_history(kit.site, "daily", "reader0@mail.example.org")
    assert len(story.events) == len(waits) + 2
    assert "given up after 4 days" in story.events[-1].text


def test_a_domain_that_refuses_is_paused_and_the_others_are_not(mail_kit: MailKit) -> None:
    """Other domains get their messages without delay."""
    kit = mail_kit
    kit.add_subscribers(30, "slow.example.org")
    path = kit.root / "more.csv"
    path.write_text("address\n" + "".join(f"r{n}@fast.example.org\n" for n in range(30)))
    from tests.support.use_cases import import_list

    import_list(kit.site, path, NOW)
    kit.issue("one")
    asked: list[str] = []

    def slow(step: str, argument: str, number: int) -> str | None:
        if step == "rcpt" and argument.endswith("@slow.example.org"):
            asked.append(argument)
            return "451 4.7.1 too many messages from you"
        return None

    def pause_when_the_others_are_done(server: Server) -> None:
        while len(server.accepted) < 30:
            time.sleep(0.02)
        pause(kit.site, "daily")

    with Server(Script(at=slow)) as server:
        kit.mail(server.port)
        stopper = threading.Thread(target=pause_when_the_others_are_done, args=(server,), daemon=True)
        stopper.start()
        sent = deliver(kit.site, "daily", transport=transport(kit))
        stopper.join()
        assert len(server.accepted) == 30
        assert all(one.recipient.endswith("@fast.example.org") for one in server.accepted)
        # As many as were in progress at the first refusal, and no more.
        assert len(asked) <= 4
        assert sent.paused_domains == ("slow.example.org",)
    assert states(kit)["accepted"] == 30
    assert states(kit)["queued"] >= 26


def test_a_domain_is_kept_within_its_rate_limits(mail_kit: MailKit) -> None:
    """Limits apply to messages at a time and per second."""
    kit = mail_kit
    kit.add_subscribers(12, "few.example.org")
    kit.issue("one")
    under_way, most = [0], [0]
    moments: list[float] = []

    def count(step: str, argument: str, number: int) -> str | None:
        if step == "rcpt":
            moments.append(time.monotonic())
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        if step == "dot":
            time.sleep(0.01)
            under_way[0] -= 1
        return None

    with Server(Script(at=count)) as server:
        kit.mail(server.port)
        kit.add_settings('\n[delivery.domains."few.example.org"]\nat_once = 1\nper_second = 20\n')
        deliver(kit.site, "daily", transport=transport(kit))
        assert len(server.accepted) == 12
    assert most[0] == 1
    assert moments[-1] - moments[0] >= 11 / 20 * 0.9
