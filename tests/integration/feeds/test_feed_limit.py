"""The limit of feeds for labels."""

from __future__ import annotations

import pytest

from tests.conftest import SiteKit, titles


def test_labels_with_few_articles_get_no_feed_beyond_the_limit(any_kit: SiteKit) -> None:
    """Existing feeds stay; new ones are reported, and staged when the limit is raised."""
    any_kit.add_settings("\n[feeds]\nmax_feeds = 3\n")
    any_kit.article("a.md", "A", tags="[common, rare1, rare2, rare3]", topic="Water")
    any_kit.article("b.md", "B", tags="[common]", topic="Water")
    report = any_kit.publish()
    assert report.exit_status == 1
    (problem,) = report.rejected
    assert problem.where == "feeds"
    assert problem.reason.startswith("2 new feeds of labels with few articles are not staged: 'rare2', 'rare3'.")
    assert "feeds.max_feeds" in problem.reason
    there = {path.stem for path in (any_kit.root / "feeds" / "tag").glob("*.rss")}
    assert there == {"common", "rare1"}
    assert sorted(titles(any_kit)) == ["A", "B"]
    again = any_kit.publish()
    assert [one.reason for one in again.rejected] == [problem.reason]
    assert not again.feeds_changed
    any_kit.article("c.md", "C", tags="[common]")
    assert sorted(titles(any_kit, "tag/common")) == ["A", "B"]
    any_kit.publish()
    assert sorted(titles(any_kit, "tag/common")) == ["A", "B", "C"]
    text = (any_kit.root / "publisher.toml").read_text()
    (any_kit.root / "publisher.toml").write_text(text.replace("max_feeds = 3", "max_feeds = 30"))
    raised = any_kit.publish()
    assert raised.exit_status == 0
    assert {path.stem for path in (any_kit.root / "feeds" / "tag").glob("*.rss")} == {
        "common",
        "rare1",
        "rare2",
        "rare3",
    }


@pytest.mark.postgresql
def test_kinds_without_feeds_do_not_count(any_kit: SiteKit) -> None:
    """A site without feeds of tags may have any number of tags."""
    any_kit.add_settings('\n[feeds]\nmax_feeds = 1\nby = ["topic"]\n')
    any_kit.article("a.md", "A", tags="[x, y, z]", topic="Water")
    assert any_kit.publish().exit_status == 0
    assert titles(any_kit, "topic/water") == ["A"]
