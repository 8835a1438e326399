"""Timers of the runner, with a wall clock that jumps."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers import base
from apscheduler.triggers.date import DateTrigger

from publisher.cadence import Timetable, parse_cadence
from publisher.clock import Clock
from publisher.runner import make_log
from publisher.runner import timers as timers_module
from publisher.runner.background_job import BackgroundJob, JobStopped, report_progress
from publisher.runner.timers import Timers
from tests.support.clocks import FastClock, ManualClock

NOW = datetime(2026, 11, 23, 6, 59, 30, tzinfo=UTC)
DAILY = Timetable(cadences=(parse_cadence("0 7 * * *"),), zone=ZoneInfo("UTC"))


class SettableClock:
    """A settable wall clock for the scheduler and its timers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wall = self
        self.at = NOW

        class Set(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return wall.at.astimezone(tz)

        monkeypatch.setattr(base, "datetime", Set)
        monkeypatch.setattr(timers_module, "datetime", Set)


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.01)


@pytest.fixture
def timers() -> Iterator[Timers]:
    made = Timers(Clock())
    made.start()
    yield made
    made.stop()


def test_a_repeated_timer_fires_again_and_again(timers: Timers) -> None:
    """A timer is set again after each call."""
    fired: list[float] = []
    timers.every("tick", 0.02, lambda: fired.append(time.monotonic()))
    until(lambda: len(fired) >= 5)


def test_a_timer_that_is_set_again_replaces_the_one_before(timers: Timers) -> None:
    """Of two timers with one name only the second fires."""
    fired: list[str] = []
    timers.once("mail", 0.1, lambda: fired.append("first"))
    timers.once("mail", 0.2, lambda: fired.append("second"))
    until(lambda: fired)
    assert fired == ["second"]


def test_a_failing_action_does_not_end_its_timer(timers: Timers) -> None:
    """An exception of an action is logged by the scheduler, and the timer is set again."""
    fired: list[int] = []

    def fail() -> None:
        fired.append(1)
        raise ValueError

    timers.every("tick", 0.02, fail)
    until(lambda: len(fired) >= 3)


def test_a_cancelled_timer_does_not_fire(timers: Timers) -> None:
    """Timers that the settings no longer ask for are cancelled."""
    fired: list[str] = []
    timers.every("old", 0.3, lambda: fired.append("old"))
    timers.every("new", 0.05, lambda: fired.append("new"))
    timers.keep({"new"})
    until(lambda: len(fired) >= 10)
    assert set(fired) == {"new"}


def test_a_timer_of_a_timetable_fires_at_the_slot(timers: Timers) -> None:
    """The wait is worked out by the clock that is passed in, and waited for in real time."""
    fired = threading.Event()
    fast = Timers(FastClock(NOW, time.time(), 300))
    fast.start()
    fast.at_slots("slot", DAILY, fired.set)
    assert fired.wait(20)
    fast.stop()


def test_a_timetable_that_is_over_has_no_timer() -> None:
    """Without a next slot no job is set."""
    over = Timetable(cadences=DAILY.cadences, zone=DAILY.zone, ends=NOW.date() - timedelta(days=1))
    timers = Timers(ManualClock(NOW))
    timers.at_slots("slot", over, lambda: None)
    assert timers._scheduler.get_jobs() == []


def test_every_job_of_the_scheduler_has_one_date() -> None:
    """No interval or cron trigger is used: APScheduler 3 lists each of their missed ticks under its lock."""
    timers = Timers(ManualClock(NOW))
    timers.every("tick", 10, lambda: None)
    timers.at_slots("slot", DAILY, lambda: None)
    timers.once("mail", 10, lambda: None)
    jobs = timers._scheduler.get_jobs()
    assert len(jobs) == 3
    assert {type(job.trigger) for job in jobs} == {DateTrigger}


@pytest.mark.parametrize("years", [1, 26, 500])
def test_a_jump_ahead_fires_each_timer_once(years: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One round after a jump calls each due action once, however long ago it was due."""
    wall = SettableClock(monkeypatch)
    fired: list[str] = []
    timers = Timers(Clock())
    # Without starting the thread.
    base.BaseScheduler.start(timers._scheduler, paused=True)
    for name in ("one", "two"):
        timers.every(name, 10, lambda name=name: fired.append(name))  # type: ignore[misc]
    timers._scheduler.state = base.STATE_RUNNING
    wall.at += timedelta(days=365 * years)
    assert timers._scheduler._process_jobs() == pytest.approx(10)
    assert sorted(fired) == ["one", "two"]
    assert timers._scheduler._process_jobs() == pytest.approx(10)
    assert len(fired) == 2


def test_a_jump_back_delays_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``reset`` timers go by the new time; otherwise they would wait until the old time is reached again."""
    wall = SettableClock(monkeypatch)
    fired: list[int] = []
    timers = Timers(Clock())
    base.BaseScheduler.start(timers._scheduler, paused=True)
    timers._scheduler._event = threading.Event()
    timers._scheduler.state = base.STATE_RUNNING
    wall.at = datetime(2037, 1, 1, tzinfo=UTC)
    timers.every("tick", 10, lambda: fired.append(1))
    timers.once("mail", 10, lambda: fired.append(2))
    wall.at = NOW
    timers.reset()
    assert timers._scheduler._process_jobs() == pytest.approx(10)
    wall.at += timedelta(seconds=11)
    timers._scheduler._process_jobs()
    assert fired == [1]


def test_a_stalled_scheduler_is_detected() -> None:
    """The heartbeat is a timer itself, so it stops when the scheduler hangs."""
    clock = ManualClock(NOW)
    timers = Timers(clock)
    assert not timers.is_stalled
    timers._record_heartbeat()
    clock.advance(seconds=59)
    assert not timers.is_stalled
    clock.jump(NOW + timedelta(days=9_000))
    assert not timers.is_stalled
    clock.advance(seconds=2)
    assert timers.is_stalled


# -- jobs --------------------------------------------------------------------------------------------


class HeldJob:
    """A job whose run lasts until it is released."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.begun, self.go, self.report = threading.Event(), threading.Event(), threading.Event()
        self.reported = threading.Event()
        self.job = BackgroundJob("mail", self.work, make_log(io.StringIO()), self.clock)

    def work(self) -> None:
        self.begun.set()
        assert self.report.wait(20)
        report_progress()
        self.reported.set()
        assert self.go.wait(20)

    def end(self) -> None:
        self.report.set()
        self.go.set()
        self.job.stop()
        assert self.job.join(20)


def test_a_run_without_progress_is_stuck_after_half_an_hour() -> None:
    """A living thread without progress is stuck; one that reports progress is not."""
    held = HeldJob()
    assert held.job.stuck_reason() == ""
    held.job.start()
    held.job.wake()
    assert held.begun.wait(20)
    held.clock.advance(minutes=29)
    assert held.job.stuck_reason() == ""
    held.report.set()
    assert held.reported.wait(20)
    held.clock.advance(minutes=29)
    assert held.job.stuck_reason() == ""
    held.clock.advance(minutes=2)
    assert held.job.stuck_reason() == "mail has made no progress for 31 minutes"
    held.end()
    assert held.job.stuck_reason() == ""


def test_a_job_that_has_nothing_to_do_is_not_stuck() -> None:
    """Idle time does not count."""
    held = HeldJob()
    held.job.start()
    held.clock.advance(days=3)
    assert held.job.stuck_reason() == ""
    held.end()


def test_a_job_whose_thread_has_ended_is_stuck() -> None:
    """The watchdog detects a thread that has ended before the runner was stopped."""
    clock = ManualClock(NOW)

    def work() -> None:
        raise JobStopped

    job = BackgroundJob("mail", work, make_log(io.StringIO()), clock)
    job.start()
    job.wake()
    assert job.join(20)
    assert job.stuck_reason() == "the thread of mail has ended"


def test_a_clock_jump_does_not_extend_a_pause() -> None:
    """A pause is real time: a clock that is set back from 2037 does not block a job for years."""
    clock = ManualClock(datetime(2037, 1, 1, tzinfo=UTC))
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ValueError

    job = BackgroundJob("mail", work, make_log(io.StringIO()), clock)
    job.start()
    job.wake()
    until(lambda: job.health.failures == 1)
    clock.jump(NOW)
    clock.advance(seconds=6)
    job.wake()
    until(lambda: len(runs) == 2)
    job.stop()
    assert job.join(20)
