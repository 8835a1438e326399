"""An issue that is being sent stops once it may not be sent any more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from publisher.delivery.dispatch import DeliveryCounts
from publisher.digests import approval_store as approvals
from publisher.errors import SettingsError
from tests.conftest import MailKit
from tests.support.deliveries import states
from tests.support.smtp import Script, Server
from tests.support.use_cases import cancel, deliver, force_issue, pause, reinstate, retract

BEGIN = datetime.now(UTC)
PEOPLE = 120


def withdraw(kit: MailKit) -> None:
    retract(kit.site, BEGIN, "one.md", "untrue")


def make_a_draft(kit: MailKit) -> None:
    path = kit.root / "articles" / "one.md"
    path.write_text(path.read_text().replace("---\n", "---\ndraft: true\n", 1))
    kit.publish()


def pause_it(kit: MailKit) -> None:
    pause(kit.site, "daily")


class Interruption:
    """Changes the site while an issue is being sent, and holds the mail server back until the sender has read that."""

    def __init__(self, change: Callable[[], object]) -> None:
        self._change = change
        self._now = BEGIN
        self._looks = 0
        self._has_begun, self._may_go_on = threading.Event(), threading.Event()

    def answer(self, step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            self._has_begun.set()
            assert self._may_go_on.wait(60)
        return None

    def watch(self, counts: DeliveryCounts, total: int) -> None:
        """Change the site at the first look; let the server go on at the third, when the second has read the change."""
        self._now += timedelta(seconds=2)
        if not self._has_begun.is_set():
            return
        self._looks += 1
        if self._looks == 1:
            self._change()
        elif self._looks == 3:
            self._may_go_on.set()

    def clock(self) -> datetime:
        """Return a time that passes with the sender's looks only, so that no lease ends on a busy machine."""
        return self._now


@pytest.mark.parametrize(
    ("change", "trouble", "refusal"),
    [
        (withdraw, "articles of it were withdrawn, or became drafts", "withdrawn"),
        (make_a_draft, "articles of it were withdrawn, or became drafts", "became drafts"),
        (pause_it, "it was paused", "is paused"),
    ],
)
def test_an_issue_that_is_being_sent_stops(
    mail_kit: MailKit, change: Callable[[MailKit], None], trouble: str, refusal: str
) -> None:
    """Messages in progress are finished, all others wait."""
    kit = mail_kit
    kit.add_subscribers(PEOPLE)
    kit.issue("one", "two")
    interruption = Interruption(lambda: change(kit))
    with Server(Script(at=interruption.answer)) as server:
        kit.mail(server.port, send="review")
        sent = deliver(kit.site, "daily", clock=interruption.clock, on_progress=interruption.watch)
        assert sent.stop_reason.startswith(trouble)
        assert 0 < sent.counts.accepted < PEOPLE
        assert states(kit) == {"accepted": sent.counts.accepted, "queued": PEOPLE - sent.counts.accepted}
        with pytest.raises(SettingsError, match=refusal):
            deliver(kit.site, "daily")


@pytest.mark.postgresql
def test_a_cancelled_issue_stops_for_good(any_mail_kit: MailKit) -> None:
    """Messages that were handed over by then keep their outcome; nobody gets one of the others later."""
    kit = any_mail_kit
    kit.add_subscribers(PEOPLE)
    kit.issue("one", "two")
    interruption = Interruption(lambda: cancel(kit.site, "daily", BEGIN))
    with Server(Script(at=interruption.answer)) as server:
        kit.mail(server.port, send="review")
        sent = deliver(kit.site, "daily", clock=interruption.clock, on_progress=interruption.watch)
        assert sent.stop_reason == "it was cancelled"
        got = len(server.accepted)
        assert 0 < got < PEOPLE
        assert states(kit) == {"accepted": got, "cancelled": PEOPLE - got}
        server.script = Script()
        with pytest.raises(SettingsError, match="was cancelled on"):
            deliver(kit.site, "daily")
        assert len(server.accepted) == got


def test_a_forced_issue_stops_too(mail_kit: MailKit) -> None:
    """The reason to send it was given before the article was withdrawn; a later one covers the withdrawal."""
    kit = mail_kit
    kit.add_subscribers(PEOPLE)
    kit.issue("one", "two")
    with kit.open() as db, db.write() as connection:
        approvals.save_forced_reason(connection, kit.newest_issue().id, "it is only a typing error")
    interruption = Interruption(lambda: withdraw(kit))
    with Server(Script(at=interruption.answer)) as server:
        kit.mail(server.port)
        sent = deliver(kit.site, "daily", clock=interruption.clock, on_progress=interruption.watch)
        assert sent.stop_reason.startswith("articles of it were withdrawn, or became drafts")
        server.script = Script()
        reinstate(kit.site, BEGIN, "one.md")
        deliver(kit.site, "daily", limit=1)
        assert len(server.recipients) == sent.counts.accepted + 1
        retract(kit.site, BEGIN + timedelta(minutes=1), "one.md", "untrue after all")
        with pytest.raises(SettingsError, match="withdrawn"):
            deliver(kit.site, "daily")
        force_issue(kit.site, "daily", "the withdrawal is announced in it")
        deliver(kit.site, "daily")
        assert len(server.recipients) == len(set(server.recipients)) == PEOPLE
