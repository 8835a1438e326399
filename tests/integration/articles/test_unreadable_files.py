"""Unreadable files and folders are named, the others are published, and the next run tries again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from publisher.workers.timed_worker import TimedWorker
from tests.conftest import SiteKit, titles

FAULTY = "tests.support.faulty_parsers"


def replace_parsers(monkeypatch: pytest.MonkeyPatch, own: dict[str, str]) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setattr("tests.support.parsers.shared_parser", lambda: None)
    real = TimedWorker.iterate
    own = {f"publisher.articles.parsers.registry:{name}": f"{FAULTY}:{function}" for name, function in own.items()}
    monkeypatch.setattr(
        TimedWorker, "iterate", lambda self, function, *rest: real(self, own.get(function, function), *rest)
    )


def reasons(report: Any) -> dict[str, str]:
    return {problem.where: problem.reason for problem in report.rejected}


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file count as changed within the tick of the clock, which would have it read again anyway."""
    import time

    now = time.time_ns() + 10_000_000_000
    monkeypatch.setattr("publisher.pipeline.ingest.time.time_ns", lambda: now)


def test_a_file_is_parsed_again_after_its_parser_was_killed(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause was outside the file, so the unchanged file is parsed again."""
    for name in ("a.md", "b-killed.md", "c.md"):
        kit.article(name, name)
    settle(monkeypatch)
    replace_parsers(monkeypatch, {"parse_each_file": "parse_each_file_killed_once"})
    report = kit.publish()
    assert list(reasons(report)) == ["b-killed.md"]
    assert "The next run parses it again." in reasons(report)["b-killed.md"]
    assert sorted(titles(kit)) == ["a.md", "c.md"]
    report = kit.publish()
    assert reasons(report) == {}
    assert sorted(titles(kit)) == ["a.md", "b-killed.md", "c.md"]


def test_a_record_is_parsed_again_after_its_parser_was_killed(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The following records are parsed in the same run."""
    lines = [f'{{"id": "{name}", "title": "{name}", "date": "2026-11-20"}}' for name in "ABC"]
    kit.write("many.jsonl", "\n".join(lines))
    settle(monkeypatch)
    replace_parsers(monkeypatch, {"iterate_records": "iterate_records_killed_once"})
    report = kit.publish()
    assert list(reasons(report)) == ["many.jsonl:2"]
    assert sorted(titles(kit)) == ["A", "C"]
    assert reasons(kit.publish()) == {}
    assert sorted(titles(kit)) == ["A", "B", "C"]


def test_a_file_is_parsed_again_after_a_disk_error(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of disks, permissions and descriptors go away without a change of the file."""
    kit.article("a-disk.md", "A")
    kit.article("b.md", "B")
    settle(monkeypatch)
    replace_parsers(monkeypatch, {"parse_each_file": "parse_each_file_with_failing_disk"})
    report = kit.publish()
    assert reasons(report) == {"a-disk.md": "cannot be read: Input/output error"}
    assert reasons(kit.publish()) == {}
    assert sorted(titles(kit)) == ["A", "B"]


def test_loops_of_links_and_special_files_are_rejected(kit: SiteKit) -> None:
    """The other files are published."""
    kit.article("a.md", "A")
    articles = kit.root / "articles"
    (articles / "one.md").symlink_to("two.md")
    (articles / "two.md").symlink_to("one.md")
    (articles / "long.md").symlink_to("x" * 300)
    os.mkfifo(articles / "pipe.md")
    report = kit.publish()
    assert set(reasons(report)) == {"one.md", "two.md", "long.md", "pipe.md"}
    assert titles(kit) == ["A"]


def test_files_of_a_folder_that_cannot_be_listed_stay_known(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their articles stay, and the files are not parsed again later."""
    kit.article("sub/a.md", "A")
    settle(monkeypatch)
    kit.publish()
    kit.article("b.md", "B")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/articles/sub"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        report = kit.publish()
    assert set(reasons(report)) == {"sub/"}
    assert "the folder cannot be listed" in reasons(report)["sub/"]
    assert sorted(titles(kit)) == ["A", "B"]
    report = kit.publish()
    assert (reasons(report), report.files_read) == ({}, 0)
    assert sorted(titles(kit)) == ["A", "B"]


def test_a_duplicate_key_among_many_is_found_in_linear_time(kit: SiteKit) -> None:
    """The limit on processor time does not reject the file."""
    keys = ",".join(f'"k{number}": 1' for number in range(90_000))
    kit.write("many.json", f'{{{keys}, "k89999": 2}}')
    assert "the key 'k89999' is there twice" in reasons(kit.publish())["many.json"]
