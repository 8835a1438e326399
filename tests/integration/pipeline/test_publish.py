"""publish now: feeds and issues from records, incrementally, with failures at any step."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta

import feedparser
import pytest
from lxml import etree

from tests.conftest import NOW, SiteKit, ids, issues, titles

NS = {"atom": "http://www.w3.org/2005/Atom"}


def test_a_record_becomes_feeds_and_an_issue(any_kit: SiteKit) -> None:
    """A label without its feed, or an issue without its files, is missing for everyone who follows it."""
    kit = any_kit
    kit.article(topic="Water", region="Asia", brand="B", tags="[T]", author="Ann Lee")
    report = kit.publish(with_issues=False)
    assert (report.new, report.edited, report.exit_status) == (1, 0, 0)
    assert {path.removesuffix(".rss") for path in kit.staged() if path.endswith(".rss")} == {
        f"feeds/{name}" for name in ("all", "topic/water", "region/asia", "brand/b", "tag/t", "author/ann-lee")
    }
    kit.open_issue()
    assert len(kit.staged()) == (6 * 3 + 5) * 3 + 4
    assert sorted(path.name for path in kit.issue_file("message.eml").parent.iterdir()) == [
        "index.html",
        "issue.json",
        "message.eml",
        "message.txt",
    ]


def test_a_second_run_changes_nothing(any_kit: SiteKit) -> None:
    """Feed readers would fetch every feed again, and a run would cost the whole archive, after each cron minute."""
    kit = any_kit
    kit.article()
    kit.open_issue()
    before = {
        path: path.stat().st_mtime_ns
        for path in kit.root.rglob("*")
        if "publisher.db" not in path.name and path.name != ".publish.lock"
    }
    report = kit.publish(NOW + timedelta(hours=1))
    assert not report.changed
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert report.waiting[0].reason == "nothing new"


def test_an_edit_of_a_tag_moves_the_article_between_feeds(kit: SiteKit) -> None:
    """The feed of the old tag would keep the article, and the feed of the new one would miss it."""
    kit.article("a.md", tags="[Old, Both]")
    kit.article("b.md", tags="[Both]")
    kit.publish()
    kit.article("a.md", tags="[New, Both]")
    report = kit.publish()
    assert not (kit.root / "feeds/tag/old.rss").exists()
    assert "feeds/tag/old.rss" in report.feeds_removed
    assert titles(kit, "tag/new") == ["One"]
    assert len(titles(kit, "tag/both")) == 2
    assert "tag/old" not in (kit.root / "feeds/index.html").read_text()


def test_a_new_host_shows_in_every_feed(kit: SiteKit) -> None:
    """Feeds that are not staged again would lead readers to the host that is switched off."""
    kit.article(tags="[T]")
    kit.publish()
    before = ids(kit)
    kit.settings((kit.root / "publisher.toml").read_text().replace("review.example", "new.example"))
    report = kit.publish()
    assert ids(kit) == before
    assert len(report.feeds_changed) == 6 + 4
    assert not any(b"review.example" in data for path, data in kit.staged().items() if path.startswith("feeds/"))


def test_a_future_article_is_published_at_its_time(any_kit: SiteKit) -> None:
    """An article under embargo would be in feeds and mail before its time, or never."""
    kit = any_kit
    kit.article("a.md", title="Now")
    kit.article("b.md", title="Later", date="2026-11-24T09:00:00Z", tags="[T]")
    kit.open_issue()
    assert titles(kit) == ["Now"]
    assert not (kit.root / "feeds/tag").exists()
    report = kit.publish(NOW + timedelta(days=2))
    assert titles(kit) == ["Later", "Now"] and titles(kit, "tag/t") == ["Later"]
    kit.open_issue(now=NOW + timedelta(days=2))
    assert issues(kit) == [["Now"], ["Later"]]
    assert report.new == 0 and report.changed
    kit.publish(NOW)
    assert titles(kit) == ["Now"]


def test_a_feed_carries_the_newest_up_to_its_limit(kit: SiteKit) -> None:
    """Feeds would grow with the archive, and an edit of an old article would change feeds that do not carry it."""
    kit.add_settings(
        '\n[feeds]\nlimit = 2\nformats = ["rss", "atom"]\n[feeds.channels.whole]\ntitle = "W"\nlimit = "all"\n'
    )
    for day in range(10, 15):
        kit.article(f"{day}.md", title=str(day), date=f"2026-11-{day}")
    kit.publish()
    assert titles(kit) == ["14", "13"]
    assert len(titles(kit, "whole")) == 5
    assert not (kit.root / "feeds/all.json").exists()
    kit.article("10.md", title="ten", date="2026-11-10")
    report = kit.publish()
    assert {"feeds/whole.rss", "feeds/whole.atom"} <= set(report.feeds_changed)
    assert "feeds/all.rss" not in report.feeds_changed


def test_a_custom_feed_follows_its_settings(kit: SiteKit) -> None:
    """A feed would go on carrying articles of labels that its operator has removed."""
    text = (kit.root / "publisher.toml").read_text()
    for name in ("Water", "Trade"):
        kit.article(f"{name}.md", title=name, topic=name)
    kit.settings(text + '\n[feeds.channels.mine]\ntitle = "Mine"\ntopic = ["water"]\n')
    kit.publish()
    assert titles(kit, "mine") == ["Water"]
    kit.settings(text + '\n[feeds.channels.mine]\ntitle = "Mine"\ntopic = ["Trade", "Water"]\n')
    kit.publish()
    assert len(titles(kit, "mine")) == 2
    kit.settings(text)
    report = kit.publish()
    assert "feeds/mine.rss" in report.feeds_removed
    assert not (kit.root / "feeds/mine.rss").exists()


def test_feeds_of_removed_kinds_and_formats_are_deleted(kit: SiteKit) -> None:
    """Feed readers would poll a feed that is never updated again."""
    text = (kit.root / "publisher.toml").read_text()
    kit.article(tags="[T]", topic="Water")
    kit.publish()
    kit.settings(text + '\n[feeds]\nby = ["topic"]\nformats = ["json"]\n')
    kit.publish()
    assert sorted(path for path in kit.staged() if re.fullmatch(r"feeds/.*\.(json|rss|atom)", path)) == [
        "feeds/all.json",
        "feeds/topic/water.json",
    ]


def test_deleted_or_changed_staged_files_are_restored(kit: SiteKit) -> None:
    """A deleted or damaged file would stay broken for readers until its article changes."""
    kit.article(tags="[T]")
    target = kit.open_issue()
    before = kit.staged()
    (kit.root / "feeds/all.rss").unlink()
    (kit.root / "feeds/tag/t.atom").write_text("scribble")
    (kit.root / "feeds/index.html").unlink()
    shutil.rmtree(kit.root / "outbox")
    report = kit.publish()
    assert report.restaged == (f"outbox/{target}",) and report.changed
    assert kit.staged() == before
    assert not kit.publish().changed


def test_an_edited_site_template_takes_effect(kit: SiteKit) -> None:
    """A designer would see no effect of an edit, or a broken template would take the page away from readers."""
    kit.article()
    kit.publish()
    own = kit.root / "templates/feeds/index.html.j2"
    own.parent.mkdir(parents=True)
    own.write_text('{% extends "default/feeds/index.html.j2" %}{% block header %}OURS{% endblock %}')
    assert kit.publish().feeds_changed == ("feeds/index.html",)
    assert "OURS" in (kit.root / "feeds/index.html").read_text()
    own.write_text("{{ nothing }}")
    report = kit.publish()
    assert report.exit_status == 1 and "'nothing' is undefined" in report.rejected[0].reason
    assert "OURS" in (kit.root / "feeds/index.html").read_text()


def test_changed_parser_settings_read_all_files_again(kit: SiteKit) -> None:
    """An operator who adds known tags would see them in new articles only."""
    kit.write("a.txt", "T\n\nNovember 1, 2026 Tags: NATOWorld\n\nT\n\nText.")
    assert len(kit.publish().warnings) == 1
    kit.add_settings('\n[ingest]\ntags = ["NATO", "World"]\n')
    report = kit.publish()
    assert (report.files_read, report.edited, report.warnings) == (1, 1, ())
    assert titles(kit, "tag/world") == ["T"]


@pytest.mark.slow(reason="load: two thousand articles")
def test_many_files_are_read_by_workers(kit: SiteKit) -> None:
    """A large archive would lose articles between processes, or show no progress to its operator."""
    # Workers take over from the third batch of 500 on.
    lines = [json.dumps({"id": n, "title": f"T{n}", "date": "2026-11-01", "tags": [f"t{n % 3}"]}) for n in range(1010)]
    kit.write("many.jsonl", "\n".join(lines))
    for number in range(1010):
        kit.article(f"{number:04}.md", title=f"F{number}")
    kit.add_settings('\n[feeds]\nlimit = "all"\n')
    told: list[tuple[str, int, int]] = []
    report = kit.publish(progress=lambda *arguments: told.append(arguments))
    assert report.new == 2020 and (kit.root / "feeds" / "all.atom").read_bytes().count(b"<entry>") == 2020
    assert told[0][0] == "reading articles" and told[-1][0] == "staging feeds"
    assert not kit.publish().changed


def test_a_dry_run_reports_and_writes_nothing(any_kit: SiteKit) -> None:
    """An operator who only wants to look would publish."""
    kit = any_kit
    kit.article()
    kit.open_issue()
    before = kit.staged()
    kit.article("two.md", title="Two")
    report = kit.publish(NOW + timedelta(hours=1), dry_run=True)
    assert report.new == 1 and report.issue_drafts and "feeds/all.rss" in report.feeds_changed
    assert kit.staged() == before
    real = kit.publish(NOW + timedelta(hours=1))
    assert (real.new, real.feeds_changed) == (report.new, report.feeds_changed)


def test_a_dry_run_of_a_new_site_writes_nothing(kit: SiteKit) -> None:
    """A dry run would create a database, and with it the start of every newsletter."""
    kit.article()
    assert kit.publish(dry_run=True).new == 1
    assert sorted(path.name for path in kit.root.iterdir()) == ["articles", "publisher.toml"]


def test_every_staged_feed_is_parsed_without_errors(kit: SiteKit) -> None:
    """Feed readers would drop a whole feed because of a character in one title."""
    kit.article(
        "a.md",
        title="R&D <b> ]]> 😀",
        tags='["a&b", "<c>"]',
        dek="'x'",
        body="<p>unclosed <b>bold\n\n<script>x</script>",
    )
    kit.article("b.md", title="عنوان", language="ar", author="ليلى")
    kit.publish()
    for path, data in kit.staged().items():
        if path.endswith((".rss", ".atom")):
            assert feedparser.parse(data).bozo == 0, path
        elif path.startswith("feeds/") and path.endswith(".json"):
            assert json.loads(data)["items"]
        elif path.endswith(".opml"):
            etree.fromstring(data)
