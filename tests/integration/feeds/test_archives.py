"""Archive pages: a feed and its pages are complete, and full pages do not change (RFC 5005 §4)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import feedparser
import pytest
from lxml import etree
from sqlalchemy import select

from publisher.feeds.checks.feed import previous_page_url
from publisher.staging.folder import StagedFolder
from publisher.storage.tables.articles import article as article_table
from tests.conftest import NOW, SiteKit, ids
from tests.support.use_cases import check_site

LIMIT = "\n[feeds]\nlimit = 5\n"


def crawl(kit: SiteKit, name: str = "all", form: str = "atom") -> list[list[str]]:
    """Follow the links from a feed through its pages, and return the IDs on each."""
    found = []
    path: Path | None = kit.root / "feeds" / f"{name}.{form}"
    while path is not None:
        data = path.read_bytes()
        if form == "json":
            found.append([one["id"] for one in json.loads(data)["items"]])
        else:
            found.append([one.id for one in feedparser.parse(data).entries])
        link = previous_page_url(data)
        path = kit.root / "feeds" / unquote(link.removeprefix("https://review.example/feeds/")) if link else None
    return found


def stored(kit: SiteKit) -> set[str]:
    with kit.open() as db, db.read() as connection:
        query = select(article_table.c.id).where(article_table.c.retracted_at.is_(None))
        return set(connection.execute(query).scalars())


def write(kit: SiteKit, *numbers: int) -> None:
    for number in numbers:
        # The later the number, the later the article.
        moment = NOW - timedelta(days=100) + timedelta(hours=number)
        kit.article(f"{number:03}.md", title=f"T{number}", date=f"{moment:%Y-%m-%dT%H:%M:%SZ}", tags="[T]")


def pages(kit: SiteKit) -> dict[str, bytes]:
    return {path: data for path, data in kit.staged().items() if path.startswith("feeds/archive/")}


@pytest.mark.parametrize("form", ["rss", "atom", "json"])
def test_a_feed_and_its_pages_have_every_article(any_kit: SiteKit, form: str) -> None:
    """Each article once, in order."""
    kit = any_kit
    kit.add_settings(LIMIT)
    write(kit, *range(23))
    kit.publish()
    found = crawl(kit, form=form)
    assert [len(page) for page in found] == [5, 5, 5, 5, 5]
    assert {one for page in found for one in page} == stored(kit)
    assert check_site(kit.site, [], NOW).findings == 0


def test_a_full_page_keeps_its_bytes_when_articles_are_added(kit: SiteKit) -> None:
    """Feed readers fetch each page once."""
    kit.add_settings(LIMIT)
    write(kit, *range(12))
    kit.publish()
    before = pages(kit)
    assert {path.rpartition("/")[2] for path in before if path.endswith(".atom")} == {"1.atom", "2.atom"}
    write(kit, *range(12, 22))
    # One that comes late, with an old date.
    kit.article("late.md", title="Late", date="2019-01-01")
    report = kit.publish(NOW + timedelta(days=1))
    after = pages(kit)
    assert {path: after[path] for path in before} == before
    assert len([path for path in after if path.endswith(".atom")]) == 4
    assert not any(path.startswith("feeds/archive/all/1.") for path in report.feeds_changed)
    found = crawl(kit)
    assert {one for page in found for one in page} == stored(kit)


def test_a_late_article_stays_in_the_feed_until_it_has_a_page(kit: SiteKit) -> None:
    """Its old date does not change earlier pages."""
    kit.add_settings(LIMIT)
    write(kit, *range(7))
    kit.publish()
    kit.article("late.md", title="Late", date="2019-01-01")
    kit.publish()
    titles = [one.title for one in feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries]
    assert titles == ["T6", "T5", "T4", "T3", "T2", "Late"]


def test_an_edit_of_an_old_article_changes_only_its_page(kit: SiteKit) -> None:
    """Other pages keep their bytes."""
    kit.add_settings(LIMIT)
    write(kit, *range(20))
    kit.publish()
    before = pages(kit)
    path = kit.root / "articles" / "002.md"
    path.write_text(path.read_text().replace("Text.", "Better text."))
    report = kit.publish()
    after = pages(kit)
    changed = {path for path in after if after[path] != before[path] and not path.endswith((".gz", ".br"))}
    assert changed == {f"feeds/archive/all/1.{form}" for form in ("rss", "atom", "json")}
    assert set(report.feeds_changed) == changed
    assert b"Better text." in after["feeds/archive/all/1.rss"]


def test_a_significant_edit_returns_an_old_article_to_the_feed(kit: SiteKit) -> None:
    """Its page has the new version too."""
    kit.add_settings(LIMIT)
    write(kit, *range(20))
    kit.publish()
    before = ids(kit)
    path = kit.root / "articles" / "002.md"
    path.write_text(path.read_text().replace("tags:", "updated: 2026-11-22T10:00:00Z\ntags:"))
    kit.publish()
    entries = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries
    assert [one.title for one in entries] == ["T2", "T19", "T18", "T17", "T16"]
    assert entries[0].id not in before
    old = feedparser.parse((kit.root / "feeds/archive/all/1.atom").read_bytes()).entries
    assert next(one for one in old if one.title == "T2").updated == entries[0].updated


def test_an_article_that_leaves_a_custom_feed_leaves_its_page(kit: SiteKit) -> None:
    """The page is staged again."""
    kit.add_settings('\n[feeds]\nlimit = 2\n[feeds.channels.mine]\ntitle = "Mine"\ntag = ["T"]\n')
    write(kit, *range(4))
    kit.publish()
    assert [len(page) for page in crawl(kit, "mine")] == [2, 2, 2]
    path = kit.root / "articles" / "001.md"
    path.write_text(path.read_text().replace("[T]", "[Other]"))
    kit.publish()
    # The feed takes up what moves into its window; the page keeps its number, one article shorter.
    assert [len(page) for page in crawl(kit, "mine")] == [2, 2, 1]
    assert len({one for page in crawl(kit, "mine") for one in page}) == 3


def test_changed_settings_of_a_custom_feed_update_its_pages(kit: SiteKit) -> None:
    """They contain the articles that match the new settings."""
    channel = '\n[feeds]\nlimit = 2\n[feeds.channels.mine]\ntitle = "Mine"\ntag = ["T"]\n'
    base = (kit.root / "publisher.toml").read_text()
    kit.settings(base + channel)
    write(kit, *range(4))
    kit.article("x.md", title="X", date="2026-11-01", tags="[X]")
    kit.publish()
    kit.settings(base + channel.replace('["T"]', '["X"]'))
    kit.publish()
    assert {one for page in crawl(kit, "mine") for one in page} == set(ids(kit, "tag/x"))
    assert check_site(kit.site, [], NOW).findings == 0


def test_a_custom_feed_that_is_configured_again_is_complete(kit: SiteKit) -> None:
    """It includes the articles of the time in between."""
    base = (kit.root / "publisher.toml").read_text()
    channel = '\n[feeds]\nlimit = 2\n[feeds.channels.mine]\ntitle = "Mine"\ntag = ["T"]\n'
    kit.settings(base + channel)
    write(kit, *range(4))
    kit.publish()
    kit.settings(base)
    write(kit, 4)
    kit.publish()
    assert not (kit.root / "feeds/mine.rss").exists() and not (kit.root / "feeds/archive/mine").exists()
    kit.settings(base + channel)
    kit.publish()
    assert {one for page in crawl(kit, "mine") for one in page} == stored(kit)
    assert check_site(kit.site, [], NOW).findings == 0


def test_archives_are_created_and_deleted_with_the_setting(kit: SiteKit) -> None:
    """feeds.archive lists the kinds of feeds with archives."""
    base = (kit.root / "publisher.toml").read_text()
    kit.settings(base + LIMIT + "archive = []\n")
    write(kit, *range(12))
    kit.publish()
    assert pages(kit) == {}
    kit.settings(base + LIMIT + 'archive = ["all", "tag"]\n')
    kit.publish()
    for name in ("all", "tag/t"):
        assert {one for page in crawl(kit, name) for one in page} == stored(kit)
    kit.settings(base + LIMIT + 'archive = ["tag"]\n')
    report = kit.publish()
    assert {path.split("/")[2] for path in pages(kit)} == {"tag"}
    assert "feeds/archive/all/1.rss" in report.feeds_removed
    kit.settings(base + LIMIT + 'archive = ["tag"]\nby = ["topic"]\n')
    kit.publish()
    assert pages(kit) == {}


def test_a_feed_without_a_limit_has_all_articles_and_no_pages(kit: SiteKit) -> None:
    """It needs no archive."""
    kit.add_settings('\n[feeds]\nlimit = "all"\n')
    write(kit, *range(12))
    kit.publish()
    assert pages(kit) == {} and len(ids(kit)) == 12


def test_archive_pages_are_marked_and_have_no_hub(kit: SiteKit) -> None:
    """RFC 5005 section 4."""
    kit.add_settings(LIMIT + '\n[announce]\nhubs = ["https://hub.example/"]\ntimeout = 1\n')
    write(kit, *range(11))
    kit.publish()
    atom = {"atom": "http://www.w3.org/2005/Atom", "fh": "http://purl.org/syndication/history/1.0"}
    for form, where in (("atom", "."), ("rss", "channel")):
        page = etree.parse(kit.root / f"feeds/archive/all/2.{form}").getroot().find(where)
        feed = etree.parse(kit.root / f"feeds/all.{form}").getroot().find(where)
        assert page is not None and feed is not None
        links = {link.get("rel"): link.get("href") for link in page.findall("atom:link", atom)}
        assert page.find("fh:archive", atom) is not None
        assert links["current"] == f"https://review.example/feeds/all.{form}"
        assert links["self"] == f"https://review.example/feeds/archive/all/2.{form}"
        assert links["prev-archive"] == f"https://review.example/feeds/archive/all/1.{form}"
        assert "hub" not in links and "next-archive" not in links
        links = {link.get("rel"): link.get("href") for link in feed.findall("atom:link", atom)}
        assert feed.find("fh:archive", atom) is None
        assert (links["hub"], links["prev-archive"]) == (
            "https://hub.example/",
            f"https://review.example/feeds/archive/all/2.{form}",
        )
    assert json.loads((kit.root / "feeds/all.json").read_text())["hubs"] == [
        {"type": "WebSub", "url": "https://hub.example/"}
    ]


def test_a_missing_or_modified_page_is_staged_again(kit: SiteKit) -> None:
    """With the same bytes."""
    kit.add_settings(LIMIT)
    write(kit, *range(11))
    kit.publish()
    before = kit.staged()
    (kit.root / "feeds/archive/all/1.rss").unlink()
    (kit.root / "feeds/archive/all/2.atom").write_text("x")
    (kit.root / "feeds/archive/all/2.json.gz").unlink()
    (kit.root / "feeds/all.rss.br").unlink()
    report = kit.publish()
    assert kit.staged() == before
    assert sorted(report.feeds_changed) == ["feeds/archive/all/1.rss", "feeds/archive/all/2.atom"]
    assert not kit.publish().changed


def test_a_postponed_article_leaves_its_page_until_its_time(kit: SiteKit) -> None:
    """The archive is complete again then."""
    kit.add_settings(LIMIT)
    write(kit, *range(12))
    kit.publish()
    before = crawl(kit)
    path = kit.root / "articles" / "002.md"
    text = path.read_text()
    path.write_text(text.replace("date: 2026-08", "date: 2026-12"))
    kit.publish()
    assert sum(map(len, crawl(kit))) == sum(map(len, before)) - 1
    assert check_site(kit.site, [], NOW).findings == 0
    kit.publish(NOW + timedelta(days=30))
    assert {one for page in crawl(kit) for one in page} == stored(kit)


def test_a_run_that_was_stopped_among_pages_is_continued(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run stages the other pages."""
    kit.add_settings(LIMIT)
    write(kit, *range(30))
    real, pages = StagedFolder.put, set[str]()

    def stop(self: StagedFolder, path: str, chunks: Any) -> Any:
        if path.startswith("archive/"):
            pages.add(path.rpartition(".")[0])
        if len(pages) == 3:
            raise KeyboardInterrupt
        return real(self, path, chunks)

    with monkeypatch.context() as patch:
        patch.setattr(StagedFolder, "put", stop)
        with pytest.raises(KeyboardInterrupt):
            kit.publish()
    kit.publish()
    assert {one for page in crawl(kit) for one in page} == stored(kit)
    assert check_site(kit.site, [], NOW).findings == 0
