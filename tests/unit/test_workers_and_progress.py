"""Worker processes, and progress messages."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import pytest

from publisher.cli.common import parse_at
from publisher.cli.progress import ProgressLine
from publisher.cli.send import SendProgress
from publisher.delivery.dispatch import DeliveryCounts
from publisher.html.text import count_phrase
from publisher.workers.pool import Workers
from tests.support.worker_functions import die_elsewhere, double


@pytest.mark.parametrize(("count", "worth_it"), [(2, True), (2, False), (1, True)])
def test_results_come_in_order(count: int, worth_it: bool) -> None:
    """This holds with and without worker processes."""
    with Workers(count) as workers:
        assert list(workers.map(double, range(20), worth_it=worth_it)) == [number * 2 for number in range(20)]


def test_jobs_of_a_dead_worker_run_in_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No result is lost."""
    monkeypatch.setenv("TEST_PARENT", str(os.getpid()))
    with Workers(2) as workers:
        assert list(workers.map(die_elsewhere, range(10), worth_it=True)) == list(range(10))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quick_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress is shown after two seconds."""
    clock = Clock()
    with ProgressLine(clock, terminal=False) as progress:
        clock.now = 1.9
        progress("reading", 5, 10)
    assert capsys.readouterr().err == ""


def test_progress_without_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Control sequences would end up in log files."""
    clock = Clock()
    with ProgressLine(clock, terminal=False) as progress:
        for clock.now, done in ((6, 1000), (7, 2000), (12, 3000), (13, 4000)):
            progress("reading", done, 4000)
    assert capsys.readouterr().err == "reading: 1,000 of 4,000\nreading: 3,000 of 4,000\nreading: 4,000 of 4,000\n"


def test_unchanged_progress_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The same line is not repeated while a server does not answer."""
    clock, counts = Clock(), DeliveryCounts()
    with SendProgress(clock, terminal=False) as progress:
        for clock.now in range(0, 60, 2):
            counts.accepted += clock.now == 40
            progress(counts, 100)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["0 of 100", "1 of 100"]


def test_an_unknown_total_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the number of finished items is shown."""
    clock = Clock()
    with ProgressLine(clock, terminal=False) as progress:
        clock.now = 6
        progress("reading records", 5000, 0)
    assert capsys.readouterr().err == "reading records: 5,000\n"
    with ProgressLine(clock, terminal=True) as progress:
        clock.now = 12
        progress("reading records", 5000, 0)
    assert "reading records" in capsys.readouterr().err


def test_long_work_shows_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar names the current step, and nothing of it remains at the end."""
    clock = Clock()
    with ProgressLine(clock, terminal=True) as progress:
        clock.now = 3
        progress("reading articles", 1, 2)
        progress("staging feeds", 1_000, 3_000)
    *_, bar, erased = capsys.readouterr().err.split("\r\x1b[2K")
    assert bar == "staging feeds [##########--------------------]  33% 1,000 of 3,000"
    assert erased == ""


def test_a_bar_is_written_ten_times_a_second_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of steps a second would fill a slow terminal."""
    clock = Clock()
    with ProgressLine(clock, terminal=True) as progress:
        for step in range(1_000):
            clock.now = 3 + step / 1_000
            progress("reading", step, 1_000)
    assert 9 <= capsys.readouterr().err.count("reading") <= 11


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (120, "[#########---------------------]  30% 3 of 10, 2 a second: 3 accepted, 0 deferred, 0 failed; 4 s left"),
        (80, "[##------]  30% 3 of 10, 2 a second: 3 accepted, 0 deferred, 0 failed; 4 s left"),
        (70, "3 of 10, 2 a second: 3 accepted, 0 deferred, 0 failed; 4 s left"),
        (20, "3 of 10, 2 a second"),
    ],
)
def test_a_bar_fits_on_the_line_of_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, line: str
) -> None:
    """A line that wraps could not be erased, and the counts are more important than the bar."""
    monkeypatch.setenv("COLUMNS", str(columns))
    clock = Clock()
    with SendProgress(clock, terminal=True) as progress:
        clock.now = 1.5
        progress(DeliveryCounts(accepted=3), 10)
    shown = capsys.readouterr().err.split("\r\x1b[2K")[1]
    assert shown == line and len(shown) < columns


def test_times_on_the_command_line_are_parsed() -> None:
    """Times without a zone are in the site's time zone."""
    zone = ZoneInfo("Europe/London")
    assert parse_at("2026-07-01T07:00", zone) == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert parse_at("2026-07-01T07:00:00.9+02:00", zone) == datetime(2026, 7, 1, 5, tzinfo=UTC)
    assert parse_at(None, zone).tzinfo is zone
    with pytest.raises(click.BadParameter, match="is not a time"):
        parse_at("tomorrow", zone)


def test_counts_are_written_with_their_noun() -> None:
    """The noun is plural unless the count is one."""
    assert [count_phrase(count, "file") for count in (0, 1, 12000)] == ["0 files", "1 file", "12,000 files"]
