"""Sending: approval, pauses, limits, test messages, and drafts for editors."""

from __future__ import annotations

import html
import threading
import time
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from publisher.delivery.deliver import SendResult
from publisher.errors import SettingsError
from publisher.findings.mail_rules import MAIL_RULES
from publisher.mail.dkim import new_key
from publisher.model.delivery import DeliveryState
from tests.conftest import NOW, MailKit
from tests.support.deliveries import at, states, transport
from tests.support.smtp import Script, Server
from tests.support.use_cases import approve, deliver, pause, resume, send_draft_test


def test_a_draft_is_not_sent_and_an_approved_issue_is(mail_kit: MailKit) -> None:
    """``send = "review"`` needs an approval; without a cadence, it opens the send."""
    kit = mail_kit
    kit.add_subscribers(2)
    kit.draft("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        with pytest.raises(
            SettingsError, match=r"has a draft and no issue yet. Approve it first: publish approve daily"
        ):
            deliver(kit.site, "daily")
        opened = approve(kit.site, "daily", NOW).opened
        assert opened is not None and opened.subscribers == 2
        assert deliver(kit.site, "daily").counts.accepted == 2


def test_an_open_issue_is_sent_when_subscribers_were_suppressed_or_erased(mail_kit: MailKit) -> None:
    """Their deliveries are suppressed and stay in the audience."""
    from tests.support.use_cases import erase_subscriber, suppress_by_operator

    kit = mail_kit
    names = kit.add_subscribers(4)
    kit.draft("one")
    with Server() as server:
        kit.mail(server.port, send="review")
        approve(kit.site, "daily", NOW)
        assert states(kit) == {"queued": 4}
        suppress_by_operator(kit.site, names[0], NOW)
        erase_subscriber(kit.site, names[1], NOW)
        deliver(kit.site, "daily")
        assert server.recipients == sorted(names[2:])
    assert states(kit) == {"accepted": 2, "suppressed": 2}


def test_an_issue_with_a_withdrawn_article_is_not_sent(mail_kit: MailKit) -> None:
    """The error names the withdrawal."""
    from tests.support.use_cases import retract

    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one", "two")
    retract(kit.site, NOW, "one.md", "untrue")
    kit.mail(1)
    with pytest.raises(SettingsError, match="withdrawn"):
        deliver(kit.site, "daily")


def test_pausing_stops_an_issue_before_and_during_sending(mail_kit: MailKit) -> None:
    """Resuming continues with the rest."""
    kit = mail_kit
    kit.add_subscribers(200)
    kit.issue("one")

    def slow(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            time.sleep(0.05)
        return None

    with Server(Script(at=slow)) as server:
        kit.mail(server.port)
        threading.Timer(0.5, lambda: pause(kit.site, "daily")).start()
        sent = deliver(kit.site, "daily")
        assert sent.stop_reason == "it was paused"
        assert 0 < sent.counts.accepted < 200
        assert states(kit) == {"accepted": sent.counts.accepted, "queued": 200 - sent.counts.accepted}
        with pytest.raises(SettingsError, match="is paused"):
            deliver(kit.site, "daily")
        resume(kit.site, "daily")
        server.script = Script()
        deliver(kit.site, "daily")
        assert len(server.recipients) == len(set(server.recipients)) == 200


def test_a_run_sends_no_more_than_its_limit(mail_kit: MailKit) -> None:
    """The rest stays queued."""
    kit = mail_kit
    kit.add_subscribers(20)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        assert deliver(kit.site, "daily", limit=7).counts.accepted == 7
        assert len(server.accepted) == 7
        assert states(kit) == {"accepted": 7, "queued": 13}


def test_a_warm_up_limits_the_messages_of_a_day(mail_kit: MailKit) -> None:
    """The limit grows from day to day."""
    kit = mail_kit
    kit.add_subscribers(20)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        kit.add_settings("\n[delivery.warm_up]\nstart = 2026-11-23\nfirst = 5\ngrowth = 2.0\n")
        days = [datetime(2026, 11, 23 + day, 9, tzinfo=UTC) for day in range(3)]
        assert deliver(kit.site, "daily", clock=lambda: days[0]).counts.accepted == 5
        again = deliver(kit.site, "daily", clock=lambda: days[0])
        assert (again.counts.accepted, again.stop_reason) == (0, "the warm-up limit of today is reached")
        assert deliver(kit.site, "daily", clock=lambda: days[1]).counts.accepted == 10
        assert deliver(kit.site, "daily", clock=lambda: days[2]).counts.accepted == 5


def test_a_test_message_goes_to_one_address_and_changes_nothing(mail_kit: MailKit) -> None:
    """No delivery is recorded, and no approval is needed."""
    kit = mail_kit
    kit.add_subscribers(3)
    kit.draft("one")
    before = states(kit)
    with Server() as server:
        kit.mail(server.port, send="review")
        outcome = send_draft_test(kit.site, "daily", "editor@review.example", NOW)
        assert outcome.state is DeliveryState.ACCEPTED
        assert server.recipients == ["editor@review.example"]
        assert message_from_bytes(server.accepted[0].data, policy=policy.default)["Subject"].startswith("[Test] ")
    assert states(kit) == before


@pytest.mark.postgresql
def test_two_senders_at_once_send_each_message_once(any_mail_kit: MailKit) -> None:
    """Both share the queue."""
    kit = any_mail_kit
    kit.add_subscribers(300)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        results: list[SendResult] = []
        threads = [threading.Thread(target=lambda: results.append(deliver(kit.site, "daily"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.recipients) == len(set(server.recipients)) == 300
    assert states(kit) == {"accepted": 300}
    assert sum(result.counts.accepted for result in results) == 300


def test_publish_now_sends_automatic_issues_once(mail_kit: MailKit) -> None:
    """A second run sends nothing."""
    kit = mail_kit
    kit.add_subscribers(5)
    with Server() as server:
        kit.mail(server.port)
        kit.articles("one")
        report = kit.publish()
        assert [(one.accepted, one.stop_reason) for one in report.sends] == [(5, "")]
        assert kit.publish(NOW).sends == ()
        assert len(server.accepted) == 5


def test_editors_get_a_draft_with_its_preflight_once(mail_kit: MailKit) -> None:
    """The findings come before the issue."""
    kit = mail_kit
    kit.settings(
        (kit.root / "publisher.toml")
        .read_text()
        .replace("[mail]", '[mail]\neditors = ["Ed <ed@review.example>", "al@review.example"]')
    )
    kit.add_subscribers(2)
    with Server() as server:
        kit.mail(server.port, send="review")
        (kit.root / "key.pem").write_text(new_key("rsa"))
        kit.add_settings('\n[[dkim]]\nselector = "s"\nkey = { file = "key.pem" }\n')
        kit.articles("one")
        report = kit.publish()
        assert report.draft_errors == ()
        assert all(b"DKIM-Signature: v=1; a=rsa-sha256" in one.data for one in server.accepted)
        assert server.recipients == ["al@review.example", "ed@review.example"]
        message = message_from_bytes(server.accepted[0].data, policy=policy.default)
        assert message["Subject"].startswith("[Draft] ")
        (summary,) = report.issue_drafts
        assert "Draft of daily No. 1 for 2 subscribers" in message.get_body(("plain",)).get_content()
        assert f"publish approve daily --expect {summary.hash}" in message.get_body(("html",)).get_content()
        rule = MAIL_RULES["one-click"]
        lines = [f"required: {rule.requirement}", "found: List-Unsubscribe-Post: it is missing", f"fix: {rule.fix}"]
        text = "\n".join(["warning one-click", *(f"  {line}" for line in lines)])
        assert text in message.get_body(("plain",)).get_content().replace("\r\n", "\n")
        page = "<br>".join(["warning one-click", *(f"&nbsp;&nbsp;{html.escape(line)}" for line in lines)])
        assert page in message.get_body(("html",)).get_content()
        kit.publish(NOW)
        assert len(server.accepted) == 2
    assert states(kit) == {}


def test_drafts_that_could_not_be_sent_are_sent_by_the_next_run(
    mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each draft is marked as sent only afterwards."""
    kit = mail_kit
    kit.settings((kit.root / "publisher.toml").read_text().replace("[mail]", '[mail]\neditors = ["ed@review.example"]'))
    with Server(at("connect", "554 no", times=1)) as server:
        kit.mail(server.port, send="review")
        kit.articles("one")
        report = kit.publish()
        assert "editors were not sent daily/2026-11-20T0000" in report.draft_errors[0]
        assert report.exit_status == 1
        assert kit.publish(NOW).draft_errors == ()
        assert server.recipients == ["ed@review.example"]


def test_an_old_issue_is_not_sent_when_a_server_is_configured_later(mail_kit: MailKit) -> None:
    """Issues older than ``retry_days`` need ``publish send``."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        assert kit.publish(NOW + timedelta(days=20)).sends == ()
        assert not server.accepted


def test_an_error_of_the_ledger_stops_the_run_and_loses_nothing(
    mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run sends the rest, each message once."""
    from publisher.delivery import claims_store
    from publisher.errors import StoreError

    kit = mail_kit
    kit.add_subscribers(30)
    kit.issue("one")
    real, calls = claims_store.hand_over, [0]

    def full(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == 4:
            raise OSError(28, "No space left on device")
        return real(*arguments)  # type: ignore[arg-type]

    with Server() as server:
        kit.mail(server.port)
        monkeypatch.setattr(claims_store, "hand_over", full)
        with pytest.raises(StoreError, match="No space left"):
            deliver(kit.site, "daily", transport=transport(kit))
        sent = deliver(kit.site, "daily", transport=transport(kit))
        # Only the server knows the outcome of messages in progress when the disk was full.
        doubtful = set(sent.uncertain)
        assert set(server.recipients) | doubtful == {f"reader{n}@mail.example.org" for n in range(30)}
        assert len(server.recipients) == len(set(server.recipients))
        assert len(doubtful) <= 3


def test_a_maildir_gets_each_message_once(any_mail_kit: MailKit) -> None:
    """Sending again writes no second file, also after a mail program moved the first."""
    import mailbox

    kit = any_mail_kit
    kit.add_subscribers(10)
    kit.issue("one")
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('title = "The Daily"', 'title = "The Daily"\nsend = "auto"'))
    kit.add_settings('\n[delivery]\ntransport = "maildir"\nmaildir = "outbox/letters"\n')
    assert deliver(kit.site, "daily").counts.accepted == 10
    box = mailbox.Maildir(kit.root / "outbox" / "letters", create=False)
    assert sorted(one["Delivered-To"] for one in box) == sorted(f"reader{n}@mail.example.org" for n in range(10))
    message = next(iter(box))
    assert message["Return-Path"] == "<news@review.example>"
    assert message.get_content_type() == "multipart/alternative"
