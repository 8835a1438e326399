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

from publisher.cadence import Timetable, parse_cadence
from publisher.clock import Clock
from publisher.runner import make_log
from publisher.runner import timers as timers_module
from publisher.runner.background_job import BackgroundJob, report_progress
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
    made = Timers(Clock(), threads=2)
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
    fast = Timers(FastClock(NOW, time.time(), 300), threads=2)
    fast.start()
    fast.at_slots("slot", DAILY, fired.set)
    assert fired.wait(20)
    fast.stop()


def test_a_timetable_that_is_over_has_no_timer(timers: Timers) -> None:
    """Without a next slot nothing fires; a slot of the far past would fire again and again."""
    over = Timetable(cadences=DAILY.cadences, zone=DAILY.zone, ends=NOW.date() - timedelta(days=1))
    fired: list[str] = []
    timers.at_slots("slot", over, lambda: fired.append("slot"))
    timers.every("tick", 0.02, lambda: fired.append("tick"))
    until(lambda: len(fired) >= 5)
    assert "slot" not in fired


def test_a_slow_action_delays_no_other_timer(timers: Timers) -> None:
    """A hub that does not answer must not delay mail."""
    go, fired = threading.Event(), threading.Event()
    timers.once("hub", 0, lambda: go.wait(20) and None)
    timers.once("mail", 0, fired.set)
    assert fired.wait(20)
    go.set()


def _fire_what_is_due(timers: Timers) -> None:
    """Return when all timers have fired that are due."""
    done = threading.Event()
    timers.once("what is due", 0, done.set)
    assert done.wait(20)


@pytest.mark.parametrize("years", [1, 26, 500])
def test_a_jump_ahead_fires_each_timer_once(years: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long ago a timer was due, APScheduler does not list the ticks that it missed."""
    wall = SettableClock(monkeypatch)
    fired: list[str] = []
    # One thread, so that actions end in the order in which they are due.
    timers = Timers(Clock(), threads=1)
    for name in ("one", "two"):
        timers.every(name, 10, lambda name=name: fired.append(name))  # type: ignore[misc]
    timers.start()
    wall.at += timedelta(days=365 * years)
    for _ in range(2):
        _fire_what_is_due(timers)
        assert sorted(fired) == ["one", "two"]
    timers.stop()


def test_a_jump_back_delays_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``reset`` timers go by the new time; otherwise they would wait until the old time is reached again."""
    wall = SettableClock(monkeypatch)
    fired: list[int] = []
    timers = Timers(Clock(), threads=1)
    timers.start()
    wall.at = datetime(2037, 1, 1, tzinfo=UTC)
    timers.every("tick", 10, lambda: fired.append(1))
    timers.once("mail", 10, lambda: fired.append(2))
    wall.at = NOW
    timers.reset()
    _fire_what_is_due(timers)
    assert fired == []
    wall.at += timedelta(seconds=11)
    _fire_what_is_due(timers)
    assert fired == [1]
    timers.stop()


def test_a_stalled_scheduler_is_detected() -> None:
    """The heartbeat is a timer itself, so it stops when the scheduler hangs."""
    clock = ManualClock(NOW)
    timers = Timers(clock, threads=1)
    assert not timers.is_stalled
    timers.start()
    timers.stop()
    clock.advance(seconds=59)
    assert not timers.is_stalled
    clock.jump(NOW + timedelta(days=9_000))
    assert not timers.is_stalled
    clock.advance(seconds=2)
    assert timers.is_stalled


# -- jobs --------------------------------------------------------------------------------------------


class Calls:
    """Calls that a job asks for: by name, the seconds from now and the function."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[float, Callable[[], None]]] = {}

    def add(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self.waiting[name] = (seconds, action)

    def make(self) -> None:
        """Make the call that waits, in this thread."""
        ((_, action),) = self.waiting.values()
        self.waiting.clear()
        action()


def test_a_run_without_progress_is_stuck_after_half_an_hour() -> None:
    """A run that reports progress is not stuck, however long it lasts."""
    clock, calls = ManualClock(NOW), Calls()
    reasons: list[str] = []

    def work() -> None:
        for report in (True, False):
            clock.advance(minutes=29)
            reasons.append(job.stuck_reason())
            if report:
                report_progress()
        clock.advance(minutes=2)
        reasons.append(job.stuck_reason())

    job = BackgroundJob("mail", work, make_log(io.StringIO()), clock, calls.add)
    assert job.stuck_reason() == ""
    job.wake()
    calls.make()
    assert reasons == ["", "", "mail has made no progress for 31 minutes"]
    assert job.stuck_reason() == ""


def test_a_job_that_has_nothing_to_do_is_not_stuck() -> None:
    """Idle time does not count."""
    clock = ManualClock(NOW)
    job = BackgroundJob("mail", lambda: None, make_log(io.StringIO()), clock, Calls().add)
    clock.advance(days=3)
    assert job.stuck_reason() == ""


def test_a_clock_jump_does_not_extend_a_pause() -> None:
    """A pause is real time: a clock that is set back from 2037 does not block a job for years."""
    clock, calls = ManualClock(datetime(2037, 1, 1, tzinfo=UTC)), Calls()
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ValueError

    job = BackgroundJob("mail", work, make_log(io.StringIO()), clock, calls.add)
    job.wake()
    calls.make()
    clock.jump(NOW)
    job.wake()
    assert calls.waiting["job:mail"][0] == pytest.approx(5)
    clock.advance(seconds=4)
    calls.make()
    assert len(runs) == 1 and calls.waiting["job:mail"][0] == pytest.approx(1)
    clock.advance(seconds=2)
    calls.make()
    assert len(runs) == 2 and calls.waiting == {}
