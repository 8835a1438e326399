"""Runs that fail or are killed, and input that cannot be used: the rest is published, and the next run recovers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import PublisherError, StageError
from tests.conftest import NOW, SiteKit, issues, titles


def test_an_article_without_a_valid_entry_stops_nothing(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """One article that cannot be rendered would keep all others from readers."""
    from publisher.feeds.formats import entry

    real = entry.render_entry

    def fussy(article: Any, site_info: Any) -> Any:
        if article.title == "Bad":
            raise ValueError("no")
        return real(article, site_info)

    kit.article("a.md", title="Good")
    kit.article("b.md", title="Bad")
    with monkeypatch.context() as patch:
        patch.setattr(entry, "render_entry", fussy)
        report = kit.publish()
        assert titles(kit) == ["Good"]
        again = kit.publish()
    assert report.exit_status == 1 and "was not made: ValueError: no (reference " in report.rejected[0].reason
    assert again.rejected == report.rejected
    assert kit.publish().exit_status == 0
    assert sorted(titles(kit)) == ["Bad", "Good"]


def test_a_rejected_edit_keeps_the_article(kit: SiteKit) -> None:
    """An editor's slip would take a published article away from every feed."""
    kit.article()
    kit.publish()
    kit.write("one.md", "---\ntitle: One\n---\n")
    report = kit.publish()
    assert report.exit_status == 1 and report.rejected[0].reason.startswith("no date")
    assert titles(kit) == ["One"]
    again = kit.publish()
    assert again.exit_status == 1 and again.rejected == report.rejected
    kit.article(title="Mended")
    assert kit.publish().exit_status == 0
    assert titles(kit) == ["Mended"]


def test_a_file_of_many_records_is_read_a_few_at_a_time(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large export would fill the memory, or an interrupted run would store some of its records twice."""
    from publisher.pipeline import article_batch, parsing

    monkeypatch.setattr(parsing, "RECORDS_PER_BATCH", 10)
    records = [{"id": n, "title": f"T{n}", "date": "2026-11-01", "tags": ["t"]} for n in range(40)]
    lines = [json.dumps(one) for one in records]
    lines[3], lines[37] = "{broken", '{"id": 37, "title": "No date"}'
    kit.write("many.jsonl", "\n".join(lines))
    told: list[tuple[str, int, int]] = []
    report = kit.publish(progress=lambda *arguments: told.append(arguments))
    assert (report.files_read, report.new) == (1, 38)
    assert ("reading records", 10, 0) in told and ("reading articles", 1, 1) in told
    assert [one.where for one in report.rejected] == ["many.jsonl:4", "many.jsonl:38"]
    assert len(titles(kit)) == 38
    assert kit.publish().rejected == report.rejected

    real, calls = article_batch.ArticleBatch.store, 0

    def failing(self: Any, results: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(self, results)

    kit.write("many.jsonl", "\n".join(json.dumps({**one, "title": "Edited"}) for one in records))
    with monkeypatch.context() as patch:
        patch.setattr(article_batch.ArticleBatch, "store", failing)
        with pytest.raises(KeyboardInterrupt):
            kit.publish()
    report = kit.publish()
    assert (report.new, report.edited, report.rejected) == (1, 19, ())
    assert set(titles(kit)) == {"Edited"} and len(titles(kit)) == 40


@pytest.mark.parametrize("folder", ["feeds", "outbox"])
def test_a_full_disk_loses_nothing(kit: SiteKit, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Articles that were read while files could not be written would never reach readers."""
    kit.article()
    (kit.root / folder).write_text("a file where a folder should be")
    with pytest.raises(StageError, match="a file in place of a folder"):
        kit.publish()
    (kit.root / folder).unlink()
    kit.open_issue(now=NOW + timedelta(hours=1))
    assert titles(kit) == ["One"] and issues(kit) == [["One"]]


STEPS = ["insert_articles", "save_staged_files", "save_draft", "put"]


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("step", STEPS)
def test_the_next_run_recovers_from_a_failure_at_any_step(
    make_kit: Callable[[str], SiteKit], monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    """A killed run would leave feeds or drafts incomplete for ever."""
    from publisher.articles import store as articles
    from publisher.digests import issue_drafts_store
    from publisher.feeds import store as feeds
    from publisher.staging.folder import StagedFolder

    kits = [make_kit("whole"), make_kit("broken")]
    for kit in kits:
        for number in range(6):
            kit.article(f"{number}.md", title=str(number), tags=f"[t{number % 2}]")
    kits[0].publish()
    owner: Any = {
        "insert_articles": articles,
        "save_staged_files": feeds,
        "save_draft": issue_drafts_store,
        "put": StagedFolder,
    }[step]
    real, calls = getattr(owner, step), 0

    def failing(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, failing)
        with contextlib.suppress(KeyboardInterrupt):
            kits[1].publish()
    kits[1].publish()
    assert kits[1].staged() == kits[0].staged()


def test_links_out_of_the_site_and_folders_in_it(kit: SiteKit, tmp_path: Path) -> None:
    """A link in the articles folder would publish a private file of the machine."""
    secret = tmp_path / "secret.md"
    secret.write_text("---\ntitle: Secret\ndate: 2026-01-01\n---\n")
    (kit.root / "articles/link.md").symlink_to(secret)
    kit.article("2026/11/deep.md", title="Deep")
    kit.write(".hidden.md", "x")
    kit.write("backup.md~", "x")
    kit.write("picture.jpg", b"\xff\xd8\xff")
    report = kit.publish()
    assert titles(kit) == ["Deep"]
    assert [one.where for one in report.rejected] == ["link.md"]


def test_a_file_name_that_is_not_utf_8_is_skipped(kit: SiteKit) -> None:
    """One file with an old encoding in its name would stop the publication of all others."""
    kit.article("good.md", title="Good")
    for name in (b"bad-\xff.md", b"bad-\xff-folder/deep.md"):
        kit.write(os.fsdecode(name), "---\ntitle: T\ndate: 2026-11-01\n---\n")
    report = kit.publish()
    assert [one.where for one in report.rejected] == ["bad-\\xff-folder/deep.md", "bad-\\xff.md"]
    assert all("not UTF-8; rename it" in one.reason for one in report.rejected)
    assert titles(kit) == ["Good"]


def test_no_articles_folder_is_a_settings_error(kit: SiteKit) -> None:
    """A mistyped folder in the settings would look like a site without news."""
    shutil.rmtree(kit.root / "articles")
    with pytest.raises(PublisherError, match=r"paths.articles") as error:
        kit.publish()
    assert error.value.exit_status == 2
