"""The background jobs of the runner, one by one, with a settable clock."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from publisher.errors import PublisherError, RemoteError
from publisher.runner import make_log
from publisher.runner.background_job import JobStopped
from publisher.runner.jobs import Jobs
from publisher.schedule import processes as runners
from tests.conftest import NOW, MailKit, SiteKit, titles
from tests.support.clocks import ManualClock
from tests.support.http_servers import run_web_server
from tests.support.smtp import Script, Server
from tests.support.use_cases import tick


class JobHarness:
    """The jobs of a site, with their wake-ups, timers and log."""

    def __init__(self, kit: SiteKit, now: datetime = NOW) -> None:
        self.kit = kit
        self.clock = ManualClock(now)
        self.text = io.StringIO()
        self.woken: list[str] = []
        self.at: dict[str, tuple[str, datetime]] = {}
        self.db = kit.open()
        log = make_log(self.text, as_json=True)
        self.jobs = Jobs(kit.site, self.db, self.clock, log, wake=self.woken.append, wake_at=self.wake_at)

    def wake_at(self, reason: str, name: str, moment: datetime) -> None:
        self.at[reason] = (name, moment)

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [one for one in map(json.loads, self.text.getvalue().splitlines()) if one["event"] == event]


@pytest.fixture
def make_harness(request: pytest.FixtureRequest) -> Any:
    made: list[JobHarness] = []

    def make(kit: SiteKit, now: datetime = NOW) -> JobHarness:
        made.append(JobHarness(kit, now))
        return made[-1]

    yield make
    for one in made:
        one.jobs.close()
        one.db.close()


Make = Callable[..., JobHarness]


def test_an_article_is_published_at_its_time(kit: SiteKit, make_harness: Make) -> None:
    """The runner sets a timer for the next publication."""
    kit.article("later.md", "Later", date="2026-11-23T09:30:00Z")
    kit.article("now.md", "Now")
    one = make_harness(kit)
    one.jobs.articles_changed()
    one.jobs.publish()
    assert titles(kit) == ["Now"]
    name, moment = one.at["publication"]
    assert (name, moment) == ("articles", datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    one.clock.at = moment
    one.jobs.articles_changed()
    one.jobs.publish()
    assert titles(kit) == ["Later", "Now"]


def test_an_article_is_withdrawn_at_the_time_of_its_expiry(kit: SiteKit, make_harness: Make) -> None:
    """The runner sets a timer for the next article that expires."""
    kit.article("a.md", "One", expires="2026-11-23T09:30:00Z")
    one = make_harness(kit)
    one.jobs.articles_changed()
    one.jobs.publish()
    assert titles(kit) == ["One"]
    name, moment = one.at["expiry"]
    assert (name, moment) == ("articles", datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    one.clock.at = moment
    one.jobs.articles_changed()
    one.jobs.publish()
    assert titles(kit) == []


def test_a_parse_that_shutdown_ends_is_no_failure(kit: SiteKit, make_harness: Make) -> None:
    """The log has one line of information, the slot is free at once, and the next run publishes the file."""
    one = make_harness(kit)
    kit.article()
    one.jobs.stop()
    one.jobs.close()
    one.jobs.articles_changed()
    with pytest.raises(JobStopped):
        one.jobs.publish()
    (line,) = one.logged("stopped early")
    assert (line["level"], line["job"]) == ("info", "publish")
    assert "the next run parses these files" in line["reason"]
    assert one.logged("slot failed") == [] and not (kit.root / "feeds").exists()
    kit.publish()
    assert titles(kit) == ["One"]


def test_the_publish_job_without_changes_reads_nothing(kit: SiteKit, make_harness: Make) -> None:
    """Only due slots and changes cause work."""
    one = make_harness(kit)
    one.jobs.publish()
    one.clock.advance(minutes=1)
    kit.article()
    one.jobs.publish()
    assert one.logged("published") == [] and not (kit.root / "feeds" / "all.rss").exists()


def test_a_skipped_file_is_logged_once(kit: SiteKit, make_harness: Make) -> None:
    """The next run does not repeat the warning."""
    for number in range(25):
        kit.write(f"bad{number}.txt", "")
    one = make_harness(kit)
    for _ in range(2):
        one.jobs.articles_changed()
        one.jobs.publish()
    told = one.logged("skipped")
    assert len(told) == 21 and told[-1]["more"] == 5
    kit.write("new.txt", "")
    one.jobs.articles_changed()
    one.jobs.publish()
    assert [line["where"] for line in one.logged("skipped")[21:]] == ["new.txt"]


def test_a_warning_that_stays_is_logged_once(kit: SiteKit, make_harness: Make) -> None:
    """A setting that means something else is not reported at every run; after it was gone, it is."""
    text = (kit.root / "publisher.toml").read_text()
    cadence = 'cadence = "0 7 * * *"\ncatch_up = '
    kit.settings(text.replace('title = "The Daily"', f'title = "The Daily"\n{cadence}"all"'))
    one = make_harness(kit)
    for _ in range(3):
        one.jobs.articles_changed()
        one.jobs.publish()
    assert [line["where"] for line in one.logged("warning")] == ["digests.daily.catch_up"]
    for value in ("latest", "all"):
        kit.settings(text.replace('title = "The Daily"', f'title = "The Daily"\n{cadence}"{value}"'))
        one.jobs.current = (kit.site, one.db)
        one.jobs.articles_changed()
        one.jobs.publish()
    assert len(one.logged("warning")) == 2


def test_failed_feeds_are_a_failure_of_the_job_and_retried(kit: SiteKit, make_harness: Make) -> None:
    """The next run starts without a change of files."""
    kit.article()
    (kit.root / "feeds").write_text("in the way")
    one = make_harness(kit)
    one.jobs.articles_changed()
    with pytest.raises(PublisherError, match="feeds: "):
        one.jobs.publish()
    (kit.root / "feeds").unlink()
    one.jobs.publish()
    assert titles(kit) == ["One"]


def test_jobs_stop_when_the_runner_stops(kit: SiteKit, make_harness: Make) -> None:
    """Nothing is lost: the next runner continues."""
    kit.article()
    one = make_harness(kit)
    one.jobs.articles_changed()
    one.jobs.stop()
    with pytest.raises(JobStopped):
        one.jobs.publish()


def test_deferred_deliveries_are_retried_when_they_are_due(mail_kit: MailKit, make_harness: Make) -> None:
    """A timer is set for the next attempt."""
    kit = mail_kit
    kit.add_subscribers(2)
    kit.issue("one")
    busy = Script(
        at=lambda step, argument, number: "451 4.7.1 later" if step == "rcpt" and "reader1" in argument else None
    )
    with Server(busy) as server:
        kit.mail(server.port)
        one = make_harness(kit)
        one.jobs.mail()
        (first,) = one.logged("issue sent")
        assert (first["accepted"], first["deferred"], first["waiting"]) == (1, 1, 1)
        name, due = one.at["deliveries"]
        assert name == "mail" and due > one.clock.now() + timedelta(minutes=1)
        one.jobs.mail()
        assert len(one.logged("issue sent")) == 1
        server.script = Script()
        one.clock.at = due
        one.jobs.mail()
        assert server.recipients == ["reader0@mail.example.org", "reader1@mail.example.org"]
        del one.at["deliveries"]
        one.jobs.mail()
        assert "deliveries" not in one.at


def test_an_issue_that_the_relay_refuses_is_retried_after_a_pause(mail_kit: MailKit, make_harness: Make) -> None:
    """The pauses grow with each failure."""
    kit = mail_kit
    kit.add_subscribers(2)
    target = kit.issue("one")
    refusing = Script(at=lambda step, argument, number: "550 5.7.1 not you" if step == "mail" else None)
    with Server(refusing) as server:
        kit.mail(server.port)
        one = make_harness(kit)
        one.jobs.mail()
        one.jobs.mail()
        (held,) = one.logged("not sent")
        assert (held["issue"], held["failures"]) == (target, 1)
        assert "not you" in held["reason"]
        assert one.at["retries"] == ("mail", NOW + timedelta(seconds=5))
        one.clock.advance(seconds=5)
        one.jobs.mail()
        assert [line["failures"] for line in one.logged("not sent")] == [1, 2]
        server.script = Script()
        one.clock.advance(seconds=10)
        one.jobs.mail()
        assert len(server.accepted) == 2


def test_editors_get_drafts_and_a_failed_draft_delays_nothing(mail_kit: MailKit, make_harness: Make) -> None:
    """Issues are sent even if a draft fails."""
    kit = mail_kit
    kit.settings(
        (kit.root / "publisher.toml").read_text().replace("[mail]\n", '[mail]\neditors = ["ed@review.example"]\n')
    )
    kit.draft("one")
    refusing = Script(at=lambda step, argument, number: "550 5.1.1 nobody" if step == "rcpt" else None)
    with Server(refusing) as server:
        kit.mail(server.port, send="review")
        one = make_harness(kit)
        one.jobs.mail()
        (held,) = one.logged("not sent")
        assert held["issue"] == "drafts" and "ed@review.example was not sent" in held["reason"]


def test_hubs_are_notified_and_failed_notifications_are_retried(kit: SiteKit, make_harness: Make) -> None:
    """A feed that is not live yet is announced later."""
    with run_web_server() as web:
        kit.add_settings(f'\n[feeds]\nurl = "{web.url}/feeds"\n[announce]\nhubs = ["{web.url}/hub"]\ntimeout = 2\n')
        kit.article()
        one = make_harness(kit)
        one.jobs.articles_changed()
        one.jobs.publish()
        assert "announce" in one.woken
        one.jobs.announce()
        # The new bytes are not live yet.
        name, due = one.at["announce"]
        assert name == "announce" and due >= NOW + timedelta(seconds=15)
        web.folder = kit.root / "feeds"
        one.clock.at = due + timedelta(minutes=2)
        one.jobs.announce()
        assert one.logged("hubs notified")[-1]["waiting"] == 0 and web.posts


def test_bounces_are_processed(mail_kit: MailKit, make_harness: Make) -> None:
    """The log has the number of messages of each kind."""
    kit = mail_kit
    one = make_harness(kit)
    one.jobs.bounces()
    assert one.logged("bounces read") == []
    for name in ("new", "cur", "tmp"):
        (kit.root / "back" / name).mkdir(parents=True)
    (kit.root / "back" / "new" / "1").write_bytes(b"From: a@b.example\r\nSubject: hello\r\n\r\nno report\r\n")
    kit.add_settings('\n[bounces]\npath = "back"\n')
    one.jobs.current = (kit.site, one.db)
    one.jobs.bounces()
    assert one.logged("bounces read")[0]["left"] == 1


def test_a_request_by_mail_is_logged_without_the_address(mail_kit: MailKit, make_harness: Make) -> None:
    """The log has the event, the newsletter and the source, as for changes by the web."""
    from publisher.digests import store as issues
    from publisher.signing.site_key import keyring

    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    kit.add_settings('\n[bounces]\npath = "back"\n')
    for name in ("new", "cur", "tmp"):
        (kit.root / "back" / name).mkdir(parents=True)
    one = make_harness(kit)
    with one.db.write() as connection:
        token = keyring(kit.site, connection).delivery_token(issues.list_issues(connection)[0].id, 1)
    mail = f"From: reader0@mail.example.org\r\nSubject: unsubscribe {token}\r\n\r\n\r\n"
    for number in range(2):
        (kit.root / "back" / "new" / str(number)).write_bytes(
            mail.replace("\r\n\r\n", f"\r\nX: {number}\r\n\r\n", 1).encode()
        )
    one.jobs.bounces()
    (change,) = one.logged("subscription changed")
    assert (change["digest"], change["state"], change["source"]) == ("daily", "unsubscribed", "mail")
    assert "reader0" not in one.text.getvalue() and token not in one.text.getvalue()


def test_an_unreachable_mailbox_is_a_failure(mail_kit: MailKit, make_harness: Make) -> None:
    """The job is retried with a pause."""
    kit = mail_kit
    with Server() as server:
        port = server.port
    (kit.root / "password").write_text("x")
    kit.add_settings(
        f'\n[bounces]\nimap = {{ host = "127.0.0.1", port = {port}, security = "none", username = "u", '
        'password = { file = "password" } }\n'
    )
    with pytest.raises(RemoteError):
        make_harness(kit).jobs.bounces()
    report = tick(kit.site, clock=ManualClock(NOW))
    assert [problem.where for problem in report.rejected] == ["bounces"] and report.exit_status == 1


def test_a_tick_beside_one_that_is_sending_sends_nothing(mail_kit: MailKit) -> None:
    """Two cron jobs at a time would send an issue twice."""
    kit = mail_kit
    kit.add_subscribers(2)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        with runners.try_process_lock(kit.root, "mail"):
            assert tick(kit.site, clock=ManualClock(NOW)).sends == ()
        assert [one.accepted for one in tick(kit.site, clock=ManualClock(NOW)).sends] == [2]
        assert tick(kit.site, clock=ManualClock(NOW)).sends == ()
