"""Two records of one article of which one is a draft."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.conftest import NOW, SiteKit, titles

LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize("identity", ["id: 7", "url: https://else.example/seven"])
def test_a_draft_that_was_never_published_blocks_other_files_of_its_article(any_kit: SiteKit, identity: str) -> None:
    """The draft wins in every run for as long as its file is there and says the same."""
    kit = any_kit
    text = f"---\n{identity}\ntitle: {{}}\ndate: 2026-11-20\n{{}}---\nText.\n"
    draft = kit.write("b.md", text.format("Two", "draft: true\n"))
    kit.write("a.md", text.format("One", ""))
    kit.publish()
    for title in ("Edited", "Edited again"):
        kit.write("a.md", text.format(title, ""))
        report = kit.publish(LATER)
        assert titles(kit) == [] and report.exit_status == 0
        assert [one.reason for one in report.warnings] == [
            "not published, because b.md calls the same article a draft. Remove one of the two"
        ]
    name, _, value = identity.partition(": ")
    kit.write("c.jsonl", json.dumps({name: value, "title": "Three", "date": "2026-11-20"}))
    kit.publish(LATER)
    assert titles(kit) == []
    (kit.root / "articles/c.jsonl").unlink()
    # The draft becomes one of another article.
    kit.write("b.md", text.format("Two", "draft: true\n").replace("7", "8").replace("seven", "eight"))
    kit.write("a.md", text.format("One", ""))
    kit.publish(LATER)
    assert titles(kit) == ["One"]
    draft.unlink()
    kit.write("d.md", text.format("Four", "").replace("7", "8").replace("seven", "eight"))
    kit.publish(LATER)
    assert sorted(titles(kit)) == ["Four", "One"]


def test_a_draft_in_an_earlier_batch_blocks_other_files_of_its_article(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of one article need not be stored in one transaction."""
    monkeypatch.setattr("publisher.pipeline.parsing.RECORDS_PER_BATCH", 1)
    text = "---\nid: 7\ntitle: One\ndate: 2026-11-20\n{}---\nText.\n"
    kit.write("a.md", text.format("draft: true\n"))
    kit.write("b.md", text.format(""))
    assert kit.publish().new == 0 and titles(kit) == []


def test_a_draft_in_another_file_blocks_an_article(any_kit: SiteKit) -> None:
    """Of two files of one article the draft wins, whichever is edited last; without the draft it is published."""
    kit = any_kit
    text = "---\nid: 7\ntitle: {}\ndate: 2026-11-20\n{}---\nText.\n"
    kit.write("a.md", text.format("One", ""))
    kit.publish()
    kit.write("a.md", text.format("One", "draft: true\n"))
    kit.write("b.md", text.format("Two", ""))
    kit.publish(LATER)
    assert titles(kit) == []
    kit.write("b.md", text.format("Three", ""))
    report = kit.publish(LATER)
    assert titles(kit) == [] and any("a.md calls the same article a draft" in one.reason for one in report.warnings)
    (kit.root / "articles/a.md").unlink()
    kit.write("b.md", text.format("Four", ""))
    kit.publish(LATER)
    assert titles(kit) == ["Four"]
