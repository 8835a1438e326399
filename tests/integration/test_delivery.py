"""Copies that leave: every reader once, whatever servers do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from publisher.actions.approval import approve, pause
from publisher.actions.deliver import deliver, make_transport
from publisher.actions.oneoff import send_test
from publisher.actions.who import who
from publisher.errors import SettingsError
from publisher.mail.dkim import new_key
from publisher.mail.session import SmtpTransport
from publisher.mail.smtp import Timeouts
from publisher.model import DeliveryState, UncertainPolicy
from tests.conftest import NOW, MailKit
from tests.smtp import Drop, Hang, Script, Server

#: Short enough for a test; the real ones are minutes.
QUICK = Timeouts(connect=2, greeting=0.6, command=0.6, data=0.6, block=0.6, final=0.6)


def transport(kit: MailKit, *, patience: float = 3) -> SmtpTransport:
    made = make_transport(kit.site)
    assert isinstance(made, SmtpTransport)
    return SmtpTransport(relays=made.relays, timeouts=QUICK, patience=patience)


def states(kit: MailKit) -> Counter[str]:
    from publisher.store import deliveries

    with kit.open() as db, db.read() as connection:
        return Counter(
            {state.value: n for counts in deliveries.state_counts(connection).values() for state, n in counts.items()}
        )


def suppressed(kit: MailKit) -> list[str]:
    from publisher.actions.subscribers import readers

    return [one.address for one in readers(kit.site, status="suppressed")]


def test_every_reader_gets_one_copy_and_a_second_run_sends_nothing(any_mail_kit: MailKit) -> None:
    kit = any_mail_kit
    names = kit.readers(40)
    kit.issue("one", "two")
    with Server() as server:
        kit.mail(server.port)
        sent = deliver(kit.site, "daily")
        assert server.recipients == sorted(names)
        assert (sent.tally.accepted, sent.waiting, sent.trouble, sent.uncertain) == (40, 0, "", [])
        assert deliver(kit.site, "daily").tally.done == 0
        assert len(server.accepted) == 40
    assert len({one.message_id for one in server.accepted}) == 40
    assert states(kit) == {"accepted": 40}


def test_a_copy_is_the_readers_own(mail_kit: MailKit) -> None:
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
    kit.readers(2)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    for one in server.accepted:
        message = message_from_bytes(one.data, policy=policy.default)
        copy = one.message_id.partition("@")[0].lstrip("<")
        assert message["To"] == one.recipient
        assert one.sender == f"bounces+{copy}@review.example"
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


def at(step: str, said: str | type[Exception], *, times: int = 1, recipient: str = "") -> Script:
    """Do wrong at a step, so many times."""
    left = [times]
    lock = threading.Lock()

    def answer(now: str, argument: str, number: int) -> str | None:
        with lock:
            if now != step or not left[0] or (recipient and argument != recipient):
                return None
            left[0] -= 1
        if isinstance(said, str):
            return said
        raise said

    return Script(at=answer)


#: fault → what is to have become of three readers' copies: states, and who is struck off.
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
def test_each_fault_has_its_outcome(mail_kit: MailKit, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A domain that asks for patience gets a little of it.
    monkeypatch.setattr("publisher.pacing._REST", (0.2, 1.0))
    script, expected, struck_off = FAULTS[fault]
    kit = mail_kit
    names = kit.readers(3)
    kit.issue("one")
    with Server(script) as server:
        kit.mail(server.port, delivery="connections = 1".replace("connections = 1", ""))
        settings = (kit.root / "publisher.toml").read_text()
        kit.settings(settings.replace("connections = 3", "connections = 1"))
        sent = deliver(kit.site, "daily", transport=transport(kit, patience=1.5))
        assert states(kit) == expected
        assert len(suppressed(kit)) == struck_off
        # Nobody has two, and whoever the ledger calls accepted has one.
        counts = Counter(server.recipients)
        assert set(counts.values()) <= {1}
        assert len(server.accepted) == expected.get("accepted", 0)
        if expected.get("queued"):
            assert sent.trouble
        if expected.get("uncertain"):
            assert len(sent.uncertain) == 1
            assert set(sent.uncertain) | set(server.recipients) == set(names)


def test_a_server_that_drips_is_given_up(mail_kit: MailKit) -> None:
    def drip(step: str, argument: str, number: int) -> str | None:
        if step == "mail" and number == 1:
            time.sleep(2)
        return None

    kit = mail_kit
    kit.readers(1)
    kit.issue("one")
    with Server(Script(at=drip)) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
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
def test_what_is_uncertain_follows_the_policy(
    mail_kit: MailKit, policy: UncertainPolicy, expected: dict[str, int], copies: int
) -> None:
    kit = mail_kit
    kit.readers(3)
    kit.issue("one")
    with Server(at("dot", Drop)) as server:
        kit.mail(server.port, delivery=f'uncertain = "{policy}"')
        deliver(kit.site, "daily", transport=transport(kit))
        assert states(kit) == expected
        assert len(server.accepted) == copies


@pytest.mark.parametrize(("policy", "copies"), [(UncertainPolicy.RESEND, 3), (UncertainPolicy.SKIP, 2)])
def test_a_person_decides_what_was_held_and_the_message_id_stays(
    mail_kit: MailKit, policy: UncertainPolicy, copies: int
) -> None:
    kit = mail_kit
    kit.readers(3)
    kit.issue("one")
    with Server(at("dot", Drop)) as server:
        kit.mail(server.port)
        doubtful = deliver(kit.site, "daily", transport=transport(kit)).uncertain[0]
        before = who(kit.site, "daily", doubtful)
        assert before.state is DeliveryState.UNCERTAIN
        sent = deliver(kit.site, "daily", uncertain=policy, transport=transport(kit))
        assert (sent.uncertain, states(kit)) == ([], {"accepted": 3})
        assert len(server.accepted) == copies
    after = who(kit.site, "daily", doubtful)
    assert after.message_id == before.message_id
    assert any("uncertain" in one.what for one in after.events)
    if policy is UncertainPolicy.RESEND:
        assert before.message_id in {one.message_id for one in server.accepted}


def test_what_is_deferred_is_tried_again_and_given_up_in_the_end(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(1)
    kit.issue("one")
    now = datetime.now(UTC)
    with Server(at("rcpt", "450 4.2.0 greylisted", times=10_000)) as server:
        kit.mail(server.port)
        sent = deliver(kit.site, "daily", transport=transport(kit), clock=lambda: now)
        waits = []
        while sent.next_due is not None:
            waits.append((sent.next_due - now).total_seconds() / 60)
            # Too early nothing happens.
            assert deliver(kit.site, "daily", transport=transport(kit), clock=lambda: now).tally.done == 0
            now = sent.next_due + timedelta(seconds=1)
            sent = deliver(kit.site, "daily", transport=transport(kit), clock=lambda: now)
        assert states(kit) == {"failed": 1}
        assert suppressed(kit) == []
    assert [round(one) for one in waits[:8]] == [5, 10, 20, 40, 80, 160, 240, 240]
    assert 3.8 * 24 * 60 < sum(waits) <= 4 * 24 * 60
    story = who(kit.site, "daily", "reader0@mail.example.org")
    assert len(story.events) == len(waits) + 2
    assert "given up after 4 days" in story.events[-1].what


def test_a_domain_that_refuses_stops_and_the_others_do_not(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(30, "slow.example.org")
    path = kit.root / "more.csv"
    path.write_text("address\n" + "".join(f"r{n}@fast.example.org\n" for n in range(30)))
    from publisher.actions.subscribers import import_list

    import_list(kit.site, path, NOW)
    kit.issue("one")
    asked: list[str] = []

    def slow(step: str, argument: str, number: int) -> str | None:
        if step == "rcpt" and argument.endswith("@slow.example.org"):
            asked.append(argument)
            return "451 4.7.1 too many messages from you"
        return None

    with Server(Script(at=slow)) as server:
        kit.mail(server.port)
        stopper = threading.Timer(3, lambda: pause(kit.site, "daily", is_paused=True))
        stopper.start()
        sent = deliver(kit.site, "daily", transport=transport(kit))
        stopper.cancel()
        assert len(server.accepted) == 30
        assert all(one.recipient.endswith("@fast.example.org") for one in server.accepted)
        # As many as were under way when it first said so, and no more.
        assert len(asked) <= 4
        assert sent.resting == ["slow.example.org"]
    assert states(kit)["accepted"] == 30
    assert states(kit)["queued"] >= 26


def test_a_domain_gets_no_more_at_a_time_and_a_second_than_it_may(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(12, "few.example.org")
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


def test_a_relay_that_fails_is_left_for_another_one(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(20)
    kit.issue("one")
    with Server(at("connect", "554 5.3.2 closed", times=99)) as broken, Server() as good:
        kit.mail(broken.port)
        kit.add_settings(f'\n[[smtp.relays]]\nhost = "127.0.0.1"\nport = {good.port}\nsecurity = "none"\nweight = 2\n')
        sent = deliver(kit.site, "daily", transport=transport(kit))
        assert (sent.tally.accepted, sent.trouble) == (20, "")
        assert len(good.accepted) == 20


def test_relays_share_connections_by_weight(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(60)
    kit.issue("one")

    def slow(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            time.sleep(0.02)
        return None

    with Server(Script(at=slow)) as heavy, Server(Script(at=slow)) as light:
        kit.mail(heavy.port)
        text = (kit.root / "publisher.toml").read_text().replace("connections = 3", "connections = 4")
        kit.settings(text.replace('security = "none"', 'security = "none"\nweight = 3', 1))
        kit.add_settings(f'\n[[smtp.relays]]\nhost = "127.0.0.1"\nport = {light.port}\nsecurity = "none"\n')
        deliver(kit.site, "daily", transport=transport(kit))
        assert (heavy.most_open, light.most_open) == (3, 1)
        assert len(heavy.accepted) + len(light.accepted) == 60


def test_login_refused_stops_the_run_and_shows_no_password(mail_kit: MailKit, certificate: object) -> None:
    kit = mail_kit
    kit.readers(2)
    kit.issue("one")
    script = Script(
        at=at("auth", "535 5.7.8 no", times=9).at, extensions=("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN")
    )
    with Server(script, certificate=certificate) as server:
        kit.mail(server.port)
        (kit.root / "password").write_text("very-secret\n")
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(
            text.replace('host = "127.0.0.1"', 'host = "localhost"').replace(
                'security = "none"',
                f'security = "starttls"\nusername = "me"\npassword = {{ file = "password" }}\nca_file = "{certificate}"',
            )
        )
        sent = deliver(kit.site, "daily", transport=transport(kit))
        assert "refuses our login: 535 5.7.8 no" in sent.trouble
        assert "very-secret" not in repr(sent) + repr(make_transport(kit.site))
        assert states(kit) == {"queued": 2}
        server.script = Script(extensions=("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN"))
        assert deliver(kit.site, "daily", transport=transport(kit)).tally.accepted == 2


def test_a_certificate_of_nobody_is_refused(mail_kit: MailKit, certificate: object) -> None:
    kit = mail_kit
    kit.readers(1)
    kit.issue("one")
    with Server(Script(extensions=("STARTTLS",)), certificate=certificate) as server:
        kit.mail(server.port)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace('security = "none"', 'security = "starttls"'))
        sent = deliver(kit.site, "daily", transport=transport(kit))
        assert "certificate is not to be trusted" in sent.trouble
        assert not server.accepted
        assert not any(one.startswith("MAIL") for one in server.heard)


def test_no_starttls_is_no_reason_to_send_in_the_clear(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace('security = "none"', 'security = "starttls"'))
        assert "offers no STARTTLS" in deliver(kit.site, "daily", transport=transport(kit)).trouble
        assert not server.accepted


def test_letters_beyond_ascii_need_a_server_that_takes_them(mail_kit: MailKit) -> None:
    kit = mail_kit
    path = kit.root / "readers.csv"
    path.write_text("address\nmüller@bücher.example.org\nanna@bücher.example.org\n", "utf-8")
    from publisher.actions.subscribers import import_list

    import_list(kit.site, path, NOW)
    kit.issue("one")
    with Server(Script(extensions=("PIPELINING",))) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
        assert server.recipients == ["anna@xn--bcher-kva.example.org"]
        assert states(kit) == {"accepted": 1, "failed": 1}
        assert suppressed(kit) == []


def test_letters_beyond_ascii_go_through_where_the_server_takes_them(mail_kit: MailKit) -> None:
    kit = mail_kit
    path = kit.root / "readers.csv"
    path.write_text("address\nmüller@bücher.example.org\n", "utf-8")
    from publisher.actions.subscribers import import_list

    import_list(kit.site, path, NOW)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
        assert server.recipients == ["müller@xn--bcher-kva.example.org"]
        assert any("SMTPUTF8" in one for one in server.heard if one.startswith("MAIL"))
        message = message_from_bytes(server.accepted[0].data, policy=policy.default)
        assert "müller@bücher.example.org" in message.get_body(("plain",)).get_content()


def test_an_unapproved_issue_is_refused_and_an_approved_one_leaves(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(2)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        with pytest.raises(SettingsError, match="not approved"):
            deliver(kit.site, "daily")
        assert approve(kit.site, "daily", NOW).readers == 2
        assert deliver(kit.site, "daily").tally.accepted == 2


@pytest.mark.parametrize("change", ["subject of the sender", "readers", "bytes"])
def test_a_change_after_approval_makes_it_void(mail_kit: MailKit, change: str) -> None:
    from sqlalchemy import text

    kit = mail_kit
    kit.readers(3)
    kit.issue("one")
    kit.mail(1, send="review")
    approve(kit.site, "daily", NOW)
    if change == "subject of the sender":
        path = kit.root / "publisher.toml"
        path.write_text(path.read_text().replace("The Test Review <news@", "Another Review <news@"))
    else:
        statement = {
            "readers": "DELETE FROM delivery WHERE subscriber_id = 1",
            "bytes": "UPDATE rendering SET text = CAST(text || ' ' AS BLOB)",
        }[change]
        with kit.open() as db, db.write() as connection:
            connection.execute(text(statement))
    with pytest.raises(SettingsError, match="has changed since it was approved"):
        deliver(kit.site, "daily")


def test_an_approval_outlives_readers_who_leave(mail_kit: MailKit) -> None:
    from publisher.actions.subscribers import forget, suppress

    kit = mail_kit
    names = kit.readers(4)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        approve(kit.site, "daily", NOW)
        suppress(kit.site, names[0], NOW)
        forget(kit.site, names[1], NOW)
        deliver(kit.site, "daily")
        assert server.recipients == sorted(names[2:])
    assert states(kit) == {"accepted": 2, "suppressed": 2}


def test_an_issue_with_a_withdrawn_article_does_not_leave(mail_kit: MailKit) -> None:
    from publisher.actions.correct import retract

    kit = mail_kit
    kit.readers(1)
    kit.issue("one", "two")
    retract(kit.site, NOW, "one.md", "untrue")
    kit.mail(1)
    with pytest.raises(SettingsError, match="withdrawn"):
        deliver(kit.site, "daily")


def test_a_paused_issue_waits_and_a_running_one_stops(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(200)
    kit.issue("one")

    def slow(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            time.sleep(0.05)
        return None

    with Server(Script(at=slow)) as server:
        kit.mail(server.port)
        threading.Timer(0.5, lambda: pause(kit.site, "daily", is_paused=True)).start()
        sent = deliver(kit.site, "daily")
        assert sent.trouble == "it was paused"
        assert 0 < sent.tally.accepted < 200
        assert states(kit) == {"accepted": sent.tally.accepted, "queued": 200 - sent.tally.accepted}
        with pytest.raises(SettingsError, match="is paused"):
            deliver(kit.site, "daily")
        pause(kit.site, "daily", is_paused=False)
        server.script = Script()
        deliver(kit.site, "daily")
        assert len(server.recipients) == len(set(server.recipients)) == 200


def test_a_limit_is_kept(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(20)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        assert deliver(kit.site, "daily", limit=7).tally.accepted == 7
        assert len(server.accepted) == 7
        assert states(kit) == {"accepted": 7, "queued": 13}


def test_a_warm_up_lets_so_many_leave_a_day(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(20)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        kit.add_settings("\n[delivery.warm_up]\nstart = 2026-11-23\nfirst = 5\ngrowth = 2.0\n")
        days = [datetime(2026, 11, 23 + day, 9, tzinfo=UTC) for day in range(3)]
        assert deliver(kit.site, "daily", clock=lambda: days[0]).tally.accepted == 5
        again = deliver(kit.site, "daily", clock=lambda: days[0])
        assert (again.tally.accepted, again.trouble) == (0, "the warm-up lets no more copies leave today")
        assert deliver(kit.site, "daily", clock=lambda: days[1]).tally.accepted == 10
        assert deliver(kit.site, "daily", clock=lambda: days[2]).tally.accepted == 5


def test_a_test_goes_to_one_address_and_changes_nothing(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(3)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        outcome = send_test(kit.site, "daily", "editor@review.example", NOW)
        assert outcome.state is DeliveryState.ACCEPTED
        assert server.recipients == ["editor@review.example"]
        assert message_from_bytes(server.accepted[0].data, policy=policy.default)["Subject"].startswith("[Test] ")
    assert states(kit) == {"queued": 3}


def test_two_senders_at_once_send_one_copy_each(any_mail_kit: MailKit) -> None:
    kit = any_mail_kit
    kit.readers(300)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        found: list[object] = []
        threads = [threading.Thread(target=lambda: found.append(deliver(kit.site, "daily"))) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(server.recipients) == len(set(server.recipients)) == 300
    assert states(kit) == {"accepted": 300}
    assert sum(one.tally.accepted for one in found) == 300


def test_auto_issues_leave_with_publish_now_and_once(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(5)
    with Server() as server:
        kit.mail(server.port)
        report = kit.issue("one")
        assert [(one.accepted, one.trouble) for one in report.mailed] == [(5, "")]
        assert kit.publish(NOW).mailed == []
        assert len(server.accepted) == 5


def test_editors_get_a_draft_with_its_preflight_once(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.settings(
        (kit.root / "publisher.toml")
        .read_text()
        .replace("[mail]", '[mail]\neditors = ["Ed <ed@review.example>", "al@review.example"]')
    )
    kit.readers(2)
    with Server() as server:
        kit.mail(server.port, send="review")
        (kit.root / "key.pem").write_text(new_key("rsa"))
        kit.add_settings('\n[[dkim]]\nselector = "s"\nkey = { file = "key.pem" }\n')
        report = kit.issue("one")
        assert report.undrafted == []
        assert all(b"DKIM-Signature: v=1; a=rsa-sha256" in one.data for one in server.accepted)
        assert server.recipients == ["al@review.example", "ed@review.example"]
        message = message_from_bytes(server.accepted[0].data, policy=policy.default)
        assert message["Subject"].startswith("[Draft] ")
        assert "Draft of daily/2026-11-23T0700 for 2 readers" in message.get_body(("plain",)).get_content()
        assert "publish approve daily/2026-11-23T0700" in message.get_body(("html",)).get_content()
        kit.publish(NOW)
        assert len(server.accepted) == 2
    assert states(kit) == {"queued": 2}


def test_drafts_that_could_not_leave_are_sent_by_the_next_run(
    mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = mail_kit
    kit.settings((kit.root / "publisher.toml").read_text().replace("[mail]", '[mail]\neditors = ["ed@review.example"]'))
    with Server(at("connect", "554 no", times=1)) as server:
        kit.mail(server.port, send="review")
        report = kit.issue("one")
        assert "editors were not sent daily/2026-11-23T0700" in report.undrafted[0]
        assert report.exit_status == 1
        assert kit.publish(NOW).undrafted == []
        assert server.recipients == ["ed@review.example"]


def test_an_old_issue_is_not_sent_because_a_server_is_named_today(mail_kit: MailKit) -> None:
    kit = mail_kit
    kit.readers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        assert kit.publish(NOW + timedelta(days=20)).mailed == []
        assert not server.accepted


def test_a_lost_ledger_stops_the_run_and_loses_nothing(mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch) -> None:
    from publisher.errors import StoreError
    from publisher.store import deliveries

    kit = mail_kit
    kit.readers(30)
    kit.issue("one")
    real, calls = deliveries.hand_over, [0]

    def full(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == 4:
            raise OSError(28, "No space left on device")
        return real(*arguments)  # type: ignore[arg-type]

    with Server() as server:
        kit.mail(server.port)
        monkeypatch.setattr(deliveries, "hand_over", full)
        with pytest.raises(StoreError, match="No space left"):
            deliver(kit.site, "daily", transport=transport(kit))
        sent = deliver(kit.site, "daily", transport=transport(kit))
        # What was handed over when the disk ran full is known to the server, and to nobody else.
        doubtful = set(sent.uncertain)
        assert set(server.recipients) | doubtful == {f"reader{n}@mail.example.org" for n in range(30)}
        assert len(server.recipients) == len(set(server.recipients))
        assert len(doubtful) <= 3


def test_a_maildir_takes_each_copy_once(any_mail_kit: MailKit) -> None:
    import mailbox

    kit = any_mail_kit
    kit.readers(10)
    kit.issue("one")
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('title = "The Daily"', 'title = "The Daily"\nsend = "auto"'))
    kit.add_settings('\n[delivery]\ntransport = "maildir"\nmaildir = "outbox/letters"\n')
    assert deliver(kit.site, "daily").tally.accepted == 10
    box = mailbox.Maildir(kit.root / "outbox" / "letters", create=False)
    assert sorted(one["Delivered-To"] for one in box) == sorted(f"reader{n}@mail.example.org" for n in range(10))
    message = next(iter(box))
    assert message["Return-Path"] == "<news@review.example>"
    assert message.get_content_type() == "multipart/alternative"
