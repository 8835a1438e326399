"""Article files are parsed in a process with limits: a file at its limit does not stop other files."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import SettingsError
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker
from tests.conftest import NOW, SiteKit, titles
from tests.support.use_cases import set_note

FAULTY = "tests.support.faulty_parsers"


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsers that do not end, with half a second of processor time for each file."""
    from publisher.workers import timed_worker

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setattr("tests.support.parsers.shared_parser", lambda: None)
    monkeypatch.setattr(timed_worker, "CPU_SECONDS", 0.5)
    # Imported before the limit applies.
    monkeypatch.setattr(Workers, "PARSER_PRELOAD", (*Workers.PARSER_PRELOAD, FAULTY))
    own = {
        "publisher.articles.parsers.registry:parse_each_file": f"{FAULTY}:slow_each",
        "publisher.articles.parsers.registry:iterate_records": f"{FAULTY}:slow_stream",
    }
    real = TimedWorker.iterate
    monkeypatch.setattr(
        TimedWorker, "iterate", lambda self, function, *rest: real(self, own.get(function, function), *rest)
    )


def reasons(report: Any) -> dict[str, str]:
    return {problem.where: problem.reason for problem in report.rejected}


def test_a_file_that_takes_too_long_is_rejected_and_the_rest_published(kit: SiteKit, limited: None) -> None:
    """The process is restarted after each such file."""
    for name in ("a.md", "b-endless.md", "c.md", "d-deadly.md", "e.md"):
        kit.article(name, name)
    report = kit.publish()
    assert report.exit_status == 1
    assert "more than 0.5 seconds of processor time" in reasons(report)["b-endless.md"]
    assert "crashed (signal 11)" in reasons(report)["d-deadly.md"]
    assert sorted(titles(kit)) == ["a.md", "c.md", "e.md"]


def test_a_draft_that_stops_the_process_is_withdrawn(kit: SiteKit, limited: None) -> None:
    """The file has a draft field, but parsing it takes too long."""
    kit.article("a.md", "A", id="a7")
    kit.article("b.md", "B")
    kit.publish()
    (kit.root / "articles" / "a.md").unlink()
    kit.article("a-endless.md", "A", id="a7", draft="true")
    report = kit.publish()
    assert "It says draft: true, so its article counts as a draft." in reasons(report)["a-endless.md"]
    assert (report.withdrawn, titles(kit)) == (1, ["B"])


def test_a_record_that_takes_too_long_is_rejected_by_line(kit: SiteKit, limited: None) -> None:
    """The other records of the file are parsed."""
    names = ["A", "Endless", "C", "", "Endless", "F"]
    lines = [
        json.dumps({"id": name + str(n), "title": name, "date": "2026-11-20"}) if name else ""
        for n, name in enumerate(names)
    ]
    kit.write("many.jsonl", "\n".join(lines))
    report = kit.publish()
    assert set(reasons(report)) == {"many.jsonl:2", "many.jsonl:5"}
    assert "parsing was stopped: it took more than 0.5 seconds" in reasons(report)["many.jsonl:2"]
    assert sorted(titles(kit)) == ["A", "C", "F"]


def test_many_files_are_parsed_on_all_cores(kit: SiteKit, limited: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results come in order from several processes, and bad files are named."""
    from publisher.pipeline import parsing

    monkeypatch.setattr(parsing, "RECORDS_PER_BATCH", 5)
    for number in range(28):
        kit.article(f"{number:02}{'-endless' if number == 13 else ''}.md", f"{number:02}")
    results = list(
        parsing.parse_files(
            kit.site, sorted(path.name for path in (kit.root / "articles").iterdir()), workers := Workers(3)
        )
    )
    workers.__exit__()
    assert [name[:2] for names, _ in results for name in names] == [f"{number:02}" for number in range(28)]
    parsed = {name: found for _, batch in results for name, found in batch.items()}
    assert "processor time" in str(parsed["13-endless.md"])
    assert sum("processor time" in str(found) for found in parsed.values()) == 1


def test_a_run_that_is_stopped_rejects_no_file(kit: SiteKit, limited: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run parses the file that was being parsed."""
    from publisher.errors import PublisherError
    from publisher.pipeline import parsing
    from publisher.workers import timed_worker

    monkeypatch.setattr(timed_worker, "CPU_SECONDS", 60.0)
    kit.article("a-endless.md")
    worker = TimedWorker()
    threading.Timer(1, worker.close).start()
    with pytest.raises(PublisherError, match="the next run parses these files"):
        list(parsing.parse_files(kit.site, ["a-endless.md"], Workers(parser_process=worker)))


def test_the_runner_keeps_one_warm_process(kit: SiteKit) -> None:
    """Several runs use one process, which ends with the runner."""
    from publisher.clock import Clock
    from tests.support.use_cases import run_due_slots

    with kit.open() as db, TimedWorker() as worker:
        kit.article("a.md", "A")
        run_due_slots(kit.site, db, Clock(), always=True, parser_process=worker)
        first = worker.pid
        kit.article("b.md", "B")
        run_due_slots(kit.site, db, Clock(), always=True, parser_process=worker)
        assert worker.pid == first is not None
    assert sorted(titles(kit)) == ["A", "B"]
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_run_with_nothing_to_parse_starts_no_process(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only runs with changed files need the process."""
    kit.article()
    now = time.time_ns() + 10_000_000_000
    # A file that may have changed within the tick of the clock would be read again.
    monkeypatch.setattr("publisher.pipeline.ingest.time.time_ns", lambda: now)
    kit.publish()
    monkeypatch.setattr(TimedWorker, "start", lambda self: pytest.fail("started"))
    assert kit.publish().files_read == 0


def test_a_note_is_rendered_once_before_it_is_stored(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markdown that takes too long is rejected by the command."""
    kit.article()
    assert set_note(kit.site, "daily", NOW, text="*Good* morning").note == "*Good* morning"
    monkeypatch.setattr("publisher.pipeline.note.RENDER_SECONDS", 0.001)
    with pytest.raises(SettingsError, match="the note cannot be rendered: it took more than"):
        set_note(kit.site, "daily", NOW, text="*a " * 6_000)
    assert set_note(kit.site, "daily", NOW).note == "*Good* morning"
