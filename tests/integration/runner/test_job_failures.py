"""Jobs of the runner whose servers or files fail: what is logged, and when the next attempt is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from publisher.errors import PublisherError
from publisher.runner import jobs as jobs_module
from publisher.runner.background_job import BackgroundJob
from publisher.runner.runner import Runner
from publisher.runner.sweep import SweepResult
from publisher.runner.timers import Timers
from publisher.settings.read import settings_signature
from publisher.storage import job_queue
from publisher.storage.job_queue import Job
from publisher.subscriptions.confirmation_emails import ConfirmationEmailResult
from publisher.subscriptions.confirmation_store import CONFIRMATION
from publisher.websub.hub_store import CONTENT
from publisher.websub.notifications_store import NOTIFICATION
from tests.conftest import NOW, MailKit, SiteKit
from tests.integration.runner.test_jobs import JobHarness
from tests.support.smtp import Server

DUE = NOW + timedelta(minutes=5)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[SiteKit], JobHarness]]:
    made: list[JobHarness] = []

    def make_harness(kit: SiteKit) -> JobHarness:
        made.append(JobHarness(kit))
        return made[-1]

    yield make_harness
    for harness in made:
        harness.jobs.close()
        harness.db.close()


def queue_job(kit: SiteKit, kind: str) -> None:
    """Queue a job that is due at DUE."""
    with kit.open() as db, db.write() as connection:
        job = Job(kind=kind, subject="all.rss", target="https://hub.example/", due_at=int(DUE.timestamp()))
        job_queue.queue(connection, [job])


def test_confirmation_emails_that_wait_are_sent_at_their_time(
    mail_kit: MailKit, make: Callable[[SiteKit], JobHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure is one of the job, which is then repeated."""
    queue_job(mail_kit, CONFIRMATION)
    result = ConfirmationEmailResult()
    monkeypatch.setattr("publisher.subscriptions.confirmation_emails.send_confirmation_emails", lambda *_, **__: result)
    with Server() as server:
        mail_kit.mail(server.port)
        harness = make(mail_kit)
        harness.jobs.confirmation_emails()
        assert harness.at["confirmation-emails"] == ("confirmation-emails", DUE)
        result.trouble = "no mail server takes the message"
        with pytest.raises(PublisherError, match=r"^confirmation emails: no mail server takes the message$"):
            harness.jobs.confirmation_emails()


def test_a_hub_that_does_not_answer_is_logged(
    kit: SiteKit, make: Callable[[SiteKit], JobHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asked again later."""
    kit.add_settings('\n[announce]\nhubs = ["https://hub.example/"]\n')
    queue_job(kit, NOTIFICATION)
    result = SimpleNamespace(sent=0, waiting=1, failed=["hub.example: no answer"])
    monkeypatch.setattr(jobs_module, "send_notifications", lambda *_, **__: result)
    harness = make(kit)
    harness.jobs.announce()
    assert [entry["reason"] for entry in harness.logged("hub not notified")] == ["hub.example: no answer"]
    assert harness.at["announce"] == ("announce", DUE)


def test_a_subscriber_of_the_hub_that_fails_is_logged(
    kit: SiteKit, make: Callable[[SiteKit], JobHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt has a timer; nothing is logged about nothing."""
    kit.add_settings("\n[web]\nhub = true\n")
    queue_job(kit, CONTENT)
    result = SimpleNamespace(delivered=0, subscribed=0, unsubscribed=0, dropped=0, failed=["a.example: status 500"])
    monkeypatch.setattr("publisher.websub.hub.run_hub_tasks", lambda *_, **__: result)
    harness = make(kit)
    harness.jobs.hub()
    assert harness.logged("hub notifications sent") == []
    assert [entry["reason"] for entry in harness.logged("hub failed")] == ["a.example: status 500"]
    assert harness.at["hub"] == ("hub", DUE)


def test_a_message_that_cannot_be_read_is_logged(mail_kit: MailKit, make: Callable[[SiteKit], JobHarness]) -> None:
    """An operator finds the message by its name in the mailbox, and an empty mailbox logs nothing."""
    for name in ("new", "cur", "tmp"):
        (mail_kit.root / "box" / name).mkdir(parents=True)
    mail_kit.add_settings('\n[bounces]\npath = "box"\n')
    harness = make(mail_kit)
    harness.jobs.bounces()
    assert harness.logged("bounces read") == []
    header = "X: y\n" * 100_000
    (mail_kit.root / "box/new/1").write_text(f"{header}\nText\n")
    harness.jobs.bounces()
    (entry,) = harness.logged("message skipped")
    assert "a header is larger than" in entry["reason"]


def test_due_times_that_a_wrong_clock_has_set_are_repaired(
    kit: SiteKit, make: Callable[[SiteKit], JobHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a warning."""
    result = SweepResult(repaired=3)
    monkeypatch.setattr(jobs_module, "sweep", lambda *_: result)
    harness = make(kit)
    harness.jobs.sweep()
    (entry,) = harness.logged("due times repaired")
    assert (entry["rows"], entry["reason"]) == (3, "the clock was ahead")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.passed

    def seconds(self, span: timedelta) -> float:
        return span.total_seconds()


def test_a_job_that_is_due_and_does_not_start_is_stuck() -> None:
    """The readiness check reports it."""
    clock: Any = Clock()
    job = BackgroundJob("publish", lambda: None, SimpleNamespace(error=print), clock, lambda *_: None)  # type: ignore[arg-type]
    assert job.time_since_progress is None and job.stuck_reason() == ""
    job.wake()
    assert job.stuck_reason() == ""
    clock.passed = 3600.0
    assert job.stuck_reason() == "publish is due for 60 minutes and does not start"


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    warning = error = info


def test_a_runner_whose_timers_stand_still_is_not_ready(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is logged once, and ``publish status`` shows it."""
    kit.open().close()
    log = Log()
    runner = Runner(kit.site, log)  # type: ignore[arg-type]
    file = SimpleNamespace(write=lambda state: None)
    monkeypatch.setattr(Timers, "is_stalled", True)
    for _ in range(2):
        runner._report_state(file)  # type: ignore[arg-type]
    assert [event for event, _ in log.events] == ["stuck"]
    assert runner.late_reason().startswith("no timer has fired for ")
    for db in runner._databases:
        db.close()


def test_a_runner_follows_other_folders_and_databases_of_its_settings(kit: SiteKit) -> None:
    """And keeps the previous settings while the file is gone."""
    kit.open().close()
    log = Log()
    runner = Runner(kit.site, log)  # type: ignore[arg-type]
    runner._watcher.start()
    (kit.root / "texts").mkdir()
    kit.add_settings('\n[paths]\narticles = "texts"\n\n[database]\nurl = "sqlite:///other.db"\n')
    runner._check_settings()
    assert runner._watcher.folder == kit.root / "texts" and len(runner._databases) == 2
    (kit.root / "publisher.toml").unlink()
    assert settings_signature(kit.root) is None
    runner._check_settings()
    assert [event for event, _ in log.events if event == "settings rejected"] == ["settings rejected"]
    runner._watcher.stop()
    for db in runner._databases:
        db.close()
