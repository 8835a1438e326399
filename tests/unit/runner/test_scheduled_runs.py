"""The parts of the runner: background jobs, systemd notifications, logs, the file watcher."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher.clock import Clock
from publisher.errors import PublisherError, StoreError
from publisher.runner import Runner, make_log
from publisher.runner.background_job import BackgroundJob, JobStopped
from publisher.runner.file_watcher import FileWatcher
from publisher.runner.systemd import SystemdNotifier
from publisher.runner.timers import Timers
from publisher.schedule.processes import RUNNERS_FOLDER, RunnerFile, list_runners, try_process_lock
from tests.conftest import SiteKit
from tests.support.clocks import FastClock, ManualClock

NOW = datetime(2026, 11, 23, 6, 59, 30, tzinfo=UTC)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


class RecordingJob:
    """A background job whose work is controlled by the test."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.text = io.StringIO()
        self.began: list[float] = []
        self.at_once = self.most = 0
        self.go = threading.Event()
        self.go.set()
        self.raises: list[BaseException] = []
        self.timers = Timers(Clock(), threads=2)
        self.timers.start()
        self.job = BackgroundJob(
            "job", self.work, make_log(self.text, as_json=True), clock or Clock(), self.timers.once
        )

    def work(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.began.append(time.monotonic())
        self.go.wait()
        self.at_once -= 1
        if self.raises:
            raise self.raises.pop(0)

    def end(self) -> None:
        self.go.set()
        self.job.stop()
        assert self.job.join(10)
        self.timers.stop()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.getvalue().splitlines()]


@pytest.fixture
def recorder() -> Iterator[RecordingJob]:
    made = RecordingJob()
    yield made
    made.end()


def test_a_job_runs_when_it_is_woken(recorder: RecordingJob) -> None:
    """Without a wake-up it waits."""
    assert recorder.began == []
    recorder.job.wake()
    until(lambda: recorder.job.health.runs == 1)
    assert recorder.job.health.began_at is not None and recorder.job.health.ended_at is not None


def test_a_job_never_runs_twice_at_once_and_no_wake_up_is_lost(recorder: RecordingJob) -> None:
    """A wake-up during a run causes another run."""
    recorder.go.clear()
    recorder.job.wake()
    until(lambda: len(recorder.began) == 1)
    for _ in range(50):
        recorder.job.wake()
    recorder.go.set()
    until(lambda: recorder.job.health.runs == 2)
    assert (recorder.most, len(recorder.began)) == (1, 2)


def test_a_failed_job_is_logged_and_retried_after_a_pause() -> None:
    """The log has the job, the number of failures, the pause and the reason."""
    recorder = RecordingJob(FastClock(NOW, time.time(), 200))
    recorder.raises = [PublisherError("no disk"), ValueError("none\nat all")]
    recorder.job.wake()
    until(lambda: recorder.job.health.runs == 3)
    assert (recorder.job.health.failures, recorder.job.health.last_error, recorder.job.retry_at) == (0, "", None)
    told = [(one["job"], one["failures"], one["retry_in"], one["reason"]) for one in recorder.events]
    assert told == [("job", 1, 5, "PublisherError: no disk"), ("job", 2, 10, "ValueError: none at all")]
    # 5 and 10 seconds of a clock that goes 200 times as fast.
    assert recorder.began[2] - recorder.began[1] > recorder.began[1] - recorder.began[0] > 0.02
    recorder.end()


def test_a_wake_up_does_not_shorten_the_pause_after_a_failure() -> None:
    """A failing relay is not asked more often."""
    recorder = RecordingJob(ManualClock(NOW))
    recorder.raises = [PublisherError("no disk")]
    recorder.job.wake()
    until(lambda: recorder.job.health.failures == 1)
    recorder.job.wake()
    time.sleep(0.1)
    assert len(recorder.began) == 1
    recorder.end()


def test_a_stopped_job_ends_without_a_failure(recorder: RecordingJob) -> None:
    """``JobStopped`` is not counted as an error."""
    recorder.raises = [JobStopped()]
    recorder.job.wake()
    until(lambda: recorder.job.health.runs == 1)
    assert recorder.events == [] and recorder.job.health.failures == 0


# -- systemd ---------------------------------------------------------------------------------------


def test_systemd_is_notified(tmp_path: Path) -> None:
    """Ready, status, watchdog, reload and stop are sent."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        told = SystemdNotifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
        assert told.watchdog == 15
        told.ready()
        told.status("all well")
        told.keep_alive()
        told.reloading()
        told.stopping()
        said = [sock.recv(200).decode() for _ in range(5)]
    assert said[:3] == ["READY=1", "STATUS=all well", "WATCHDOG=1"]
    assert said[3].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[4] == "STOPPING=1"
    told.keep_alive()


def test_an_abstract_socket_is_supported() -> None:
    """Its name begins with @."""
    name = f"publisher-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert sock.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_sent() -> None:
    """Without NOTIFY_SOCKET all calls do nothing."""
    quiet = SystemdNotifier({})
    quiet.ready()
    assert quiet.watchdog is None
    assert SystemdNotifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog is None


# -- logs ------------------------------------------------------------------------------------------


def test_a_log_line_is_one_line_in_either_form() -> None:
    """Line breaks and control characters of values are removed."""
    text, as_json = io.StringIO(), io.StringIO()
    make_log(text).warning("skipped", where="a b.md", reason='no "title"\nat \x1b[2Jall', count=3)
    make_log(as_json, as_json=True).info("ready", schedules=2)
    line = text.getvalue()
    assert line.count("\n") == 1
    assert 'level=warning event=skipped where="a b.md" reason="no \\"title\\" at [2Jall" count=3' in line
    assert line.startswith("at=20")
    said = json.loads(as_json.getvalue())
    assert (said["level"], said["event"], said["schedules"]) == ("info", "ready", 2)


def test_warnings_of_libraries_come_in_the_same_form() -> None:
    """They use the same handler."""
    text = io.StringIO()
    make_log(text, as_json=True)
    logging.getLogger("apscheduler.scheduler").warning("Execution of job %s skipped", "x")
    logging.getLogger("apscheduler.scheduler").info("not of interest")
    (line,) = text.getvalue().splitlines()
    assert json.loads(line)["event"] == "Execution of job x skipped"


# -- the rest --------------------------------------------------------------------------------------


def test_a_missing_folder_is_logged_and_watched_later(tmp_path: Path) -> None:
    """The watcher tries again after a pause."""
    text = io.StringIO()
    watcher = FileWatcher(tmp_path / "none", lambda: None, make_log(text))
    watcher.start()
    until(lambda: "folder not watched" in text.getvalue())
    watcher.stop()


def test_a_changed_file_calls_the_watcher(tmp_path: Path) -> None:
    """The watcher calls its function after a change."""
    told = threading.Event()
    watcher = FileWatcher(tmp_path, told.set, make_log(io.StringIO()))
    watcher.start()
    until(lambda: (tmp_path / "one.md").write_text("x") == 1 and told.wait(0.5))
    watcher.stop()


def test_state_files_of_killed_runners_are_removed(tmp_path: Path) -> None:
    """Their lock is free."""
    folder = tmp_path / RUNNERS_FOLDER
    folder.mkdir()
    (folder / "dead-1.lock").touch()
    (folder / "dead-1.json").write_text('{"runner": "dead 1"}')
    assert list_runners(tmp_path) == []
    with RunnerFile(tmp_path) as file:
        assert not (folder / "dead-1.json").exists()
        assert list_runners(tmp_path) == []
        file.write({"runner": "me"})
        assert list_runners(tmp_path) == [{"runner": "me"}]
    assert list_runners(tmp_path) == []
    assert list(folder.iterdir()) == []


def test_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    """The runner cannot write its state there."""
    (tmp_path / RUNNERS_FOLDER).write_text("in the way")
    with pytest.raises(StoreError, match="must be writable"), RunnerFile(tmp_path):
        pass


def test_a_process_lock_is_exclusive(tmp_path: Path) -> None:
    """A second process does not get it."""
    with try_process_lock(tmp_path, "mail") as first, try_process_lock(tmp_path, "mail") as second:
        assert (first, second) == (True, False)
    with try_process_lock(tmp_path, "mail") as third:
        assert third


def test_a_runner_that_is_late_is_not_ready(kit: SiteKit) -> None:
    """The reason is the text of /readyz."""
    clock = ManualClock(NOW)
    runner = Runner(kit.site, make_log(io.StringIO(), as_json=True), clock=clock)
    job = runner.background_jobs["publish"]
    assert runner.late_reason() == "articles/ was not read yet"
    job.health.runs = 1
    job.record_progress()
    clock.advance(minutes=5)
    assert runner.late_reason() == ""
    clock.advance(minutes=2)
    assert runner.late_reason() == "publish has not run for 7 minutes"
    # A large import takes long and reports progress.
    job.record_progress()
    assert runner.late_reason() == ""
    clock.jump(NOW + timedelta(days=4_000))
    assert runner.late_reason() == ""
    job.health.failures = 2
    assert "failed 2 times in a row" in runner.late_reason()
    for db in runner._databases:
        db.close()
