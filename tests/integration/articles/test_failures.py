"""An unexpected error affects one article, which is named; everything else is published."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from publisher.articles.failure_isolation import render_with_fallback, split_in_half
from publisher.articles.parsers import ParsedRecord, ParserOptions, RejectedRecord, parse_file
from publisher.clock import Clock
from publisher.errors import BrowserMissing
from publisher.failures import LOG_FILE, describe_failure, log_failure
from tests.conftest import NOW, SiteKit, issues, titles
from tests.support.use_cases import preview, run_due_slots


class ManualClock(Clock):
    """A fixed clock."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


SECRET = "a value that stands in the traceback only"


def failing_for(original: Callable[..., Any], title: str) -> Callable[..., Any]:
    """Return a renderer that fails for any arguments that hold an article of this title."""

    def render(*args: Any, **options: Any) -> Any:
        if title in repr((args, options)):
            raise KeyError(f"unexpected\n{title}")
        return original(*args, **options)

    return render


def break_for(monkeypatch: pytest.MonkeyPatch, target: str, title: str) -> None:
    module, _, name = target.rpartition(".")
    __import__(module)
    monkeypatch.setattr(sys.modules[module], name, failing_for(getattr(sys.modules[module], name), title))


def reasons(report: Any) -> dict[str, str]:
    return {problem.where: problem.reason for problem in report.rejected}


@pytest.mark.parametrize(
    ("target", "doing"),
    [
        ("publisher.feeds.formats.entry.render_entry", "'Bad': its feed entry was not made: KeyError"),
        ("publisher.feeds.checks.feed.check_entry", "'Bad': its feed entry was not made: KeyError"),
        ("publisher.digests.render.make_story", "'Bad' is left out of the draft of daily: KeyError"),
        ("publisher.feeds.sitemap.render_news_sitemap", "'Bad' was left out of the news sitemap: KeyError"),
    ],
)
def test_an_article_that_cannot_be_rendered_is_left_out(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch, target: str, doing: str
) -> None:
    """Feeds, digests and the sitemap have the other articles; the report has a reference."""
    kit.article("bad.md", "Bad", date="2026-11-22")
    kit.article("good.md", "Good", date="2026-11-22")
    with monkeypatch.context() as patch:
        break_for(patch, target, "Bad" if "check_entry" not in target else "Bad</title>")
        report = kit.publish()
    assert report.exit_status == 1
    assert reasons(report)["bad.md"].startswith(doing)
    is_entry = "entry" in target
    assert titles(kit) == (["Good"] if is_entry else ["Good", "Bad"])
    assert issues(kit) == [["Good"] if "digest" in target else ["Good", "Bad"]]
    sitemap = (kit.root / "feeds/news-sitemap.xml").read_text()
    assert "Good" in sitemap
    assert ("Bad" in sitemap) is ("sitemap" not in target)
    reference = re.search(r"reference ([0-9a-f]{8})", reasons(report)["bad.md"])
    assert reference is not None
    log = (kit.root / LOG_FILE).read_text()
    assert f"{reference[1]} bad.md" in log and "Traceback" in log


@pytest.mark.parametrize("name", ["bad.json", "bad.jsonl", "bad.md", "bad.txt"])
def test_a_parser_that_fails_on_one_file_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The file is named with the error's reference, and the other files are parsed."""
    text = {
        ".json": '{"title": "Bad", "date": "2026-11-22"}',
        ".jsonl": '{"id": 1, "title": "Bad", "date": "2026-11-22"}',
        ".md": "---\ntitle: Bad\ndate: 2026-11-22\n---\n",
        ".txt": "Bad\n\nNovember 22, 2026\n\nBad",
    }
    for file in ("a", name, "z"):
        suffix = Path(name).suffix
        content = text[suffix].replace("Bad", "Good" if file != name else "Bad")
        (tmp_path / (file if file == name else file + suffix)).write_text(content)
    for target in ("fields.build_record", "text_export.paragraphs_to_html", "text_export.one_line"):
        break_for(monkeypatch, f"publisher.articles.parsers.{target}", "Bad")
    for file in sorted(path.name for path in tmp_path.iterdir()):
        (parsed,) = parse_file(tmp_path, file, ParserOptions(zone=ZoneInfo("UTC")))
        if file != name:
            assert isinstance(parsed, ParsedRecord)
            continue
        assert isinstance(parsed, RejectedRecord)
        assert parsed.where.startswith(name)
        assert parsed.reason.startswith("the parser failed: KeyError")
        assert parsed.failure is not None and "Traceback" in parsed.failure.traceback


@pytest.mark.parametrize(
    ("target", "what", "where"),
    [
        ("publisher.digests.compose.compose_issue", "daily", "digests.daily"),
        ("publisher.feeds.formats.xml_frame.render_frame", "bad", "feeds/topic/bad.rss"),
        ("publisher.feeds.opml.render_opml", "bad", "feeds/index.opml"),
        ("publisher.feeds.headers_file.render_headers", "bad", "feeds/_headers"),
        ("publisher.feeds.directory.render_feed_directory", "bad", "feeds/index.html"),
    ],
)
def test_a_file_that_cannot_be_rendered_is_named_and_the_others_are_staged(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch, target: str, what: str, where: str
) -> None:
    """A digest, feed or list that fails stays unchanged, and is retried in the next run."""
    kit.article("bad.md", "Bad", topic="Bad")
    kit.article("good.md", "Good", topic="Good")
    with monkeypatch.context() as patch:
        break_for(patch, target, what)
        report = kit.publish()
    assert where in reasons(report)
    assert "KeyError" in reasons(report)[where]
    assert titles(kit, "topic/good") == ["Good"]
    assert sorted(titles(kit)) == ["Bad", "Good"]
    after = kit.publish()
    assert after.exit_status == 0
    assert after.changed
    assert issues(kit) == [["Good", "Bad"]]


def test_a_record_that_the_database_rejects_stops_no_other(any_kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other records of the batch are stored."""
    from publisher.pipeline import article_batch

    real = article_batch.requested_time
    monkeypatch.setattr(
        article_batch, "requested_time", lambda record, zone: 1 << 70 if "Bad" in record.title else real(record, zone)
    )
    for number in range(5):
        any_kit.article(f"good{number}.md", f"Good {number}")
    any_kit.article("bad.md", "Bad")
    lines = [f'{{"id": {n}, "title": "{"Bad" if n == 2 else "Line"} {n}", "date": "2026-11-20"}}' for n in range(5)]
    any_kit.write("many.jsonl", "\n".join(lines))
    report = any_kit.publish()
    assert report.exit_status == 1
    assert set(reasons(report)) == {"bad.md", "many.jsonl:3"}
    assert all(reason.startswith("the record cannot be stored: ") for reason in reasons(report).values())
    assert report.new == 9
    assert sorted(titles(any_kit)) == [*[f"Good {n}" for n in range(5)], *[f"Line {n}" for n in (0, 1, 3, 4)]]
    again = any_kit.publish()
    assert set(reasons(again)) == {"bad.md", "many.jsonl:3"}
    assert again.new == 0


def test_a_scheduled_run_continues_without_a_failing_article(any_kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves out and names the same article as ``publish now``."""
    any_kit.settings(
        any_kit.root.joinpath("publisher.toml")
        .read_text()
        .replace('title = "The Daily"', 'title = "The Daily"\ncadence = "0 7 * * *"')
    )
    any_kit.article("bad.md", "Bad")
    any_kit.article("good.md", "Good")
    with any_kit.open() as db:
        clock = ManualClock(NOW - timedelta(hours=1))
        break_for(monkeypatch, "publisher.digests.render.make_story", "Bad")
        run_due_slots(any_kit.site, db, clock, always=True)
        clock.moment = NOW + timedelta(minutes=1)
        report = run_due_slots(any_kit.site, db, clock, always=True)
    assert report is not None
    assert reasons(report)["bad.md"].startswith("'Bad' is left out of the draft of daily")
    assert issues(any_kit) == [["Good"]]


class NoBrowser:
    """A machine without a browser."""

    def run(self, work: object) -> None:
        raise BrowserMissing("none is installed")


def test_a_preview_continues_without_a_failing_article(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the other articles and names the failing one."""
    kit.article("bad.md", "Bad")
    kit.article("good.md", "Good")
    kit.write("empty.md", "")
    kit.publish(with_issues=False)
    break_for(monkeypatch, "publisher.digests.render.make_story", "Bad")
    shown = preview(kit.site, "daily", NOW, browser=NoBrowser())  # type: ignore[arg-type]
    assert shown.articles == 1
    assert [text.partition(":")[0] for text in shown.refused] == ["empty.md", "bad.md"]


def test_a_renderer_that_fails_for_every_article_raises() -> None:
    """The error of the renderer is raised if no article or every article fails."""

    def never(items: Any) -> None:
        raise ValueError("always")

    def together(items: Any) -> int:
        if len(items) > 1:
            raise ValueError("together")
        return len(items)

    with pytest.raises(ValueError, match="always"):
        render_with_fallback(never, [1, 2])
    with pytest.raises(ValueError, match="together"):
        render_with_fallback(together, [1, 2])


def test_records_are_split_in_halves_down_to_one() -> None:
    """The halves have the same records in the same order, by file."""
    assert split_in_half({"a": [1, 2], "b": [3]}) == [{"a": [1]}, {"a": [2], "b": [3]}]
    assert split_in_half({"a": [1]}) is None
    assert split_in_half({"a": []}) is None


def test_the_error_log_is_private_and_limited(tmp_path: Path) -> None:
    """Its mode is 0600, its size is limited, and an error of the log stops nothing."""
    with pytest.raises(ValueError, match=SECRET) as raised:
        raise ValueError(SECRET)
    failure = describe_failure(raised.value)
    assert describe_failure(raised.value).reference == failure.reference
    for _ in range(3):
        log_failure(tmp_path, "2026-11-23T07:00:00+00:00", "x.md", failure)
    log = tmp_path / LOG_FILE
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.read_text().count(failure.reference) == 3
    log.write_bytes(b"x" * 1_000_001)
    log_failure(tmp_path, "2026-11-23T07:00:00+00:00", "x.md", failure)
    assert log.stat().st_size < 10_000
    log_failure(tmp_path / "nowhere", "2026-11-23T07:00:00+00:00", "x.md", failure)
