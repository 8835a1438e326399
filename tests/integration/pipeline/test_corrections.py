"""Published corrections, and withdrawals with a reason."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import unquote

import feedparser
import pytest
from lxml import etree

from publisher.errors import SettingsError
from tests.conftest import NOW, SiteKit, ids, issues, titles
from tests.support.use_cases import check_site, correct, reinstate, retract, set_note

LATER = NOW + timedelta(hours=1)
AT = {"at": "http://purl.org/atompub/tombstones/1.0", "atom": "http://www.w3.org/2005/Atom"}


def entry(kit: SiteKit, title: str = "One", feed: str = "all") -> feedparser.FeedParserDict:
    entries = feedparser.parse((kit.root / "feeds" / f"{feed}.atom").read_bytes()).entries
    return next(one for one in entries if one.title == title)


@pytest.mark.postgresql
def test_a_correction_is_shown_and_changes_updated(any_kit: SiteKit) -> None:
    """Readers of the wrong version would never see the correction."""
    kit = any_kit
    kit.article(tags="[T]")
    target = kit.open_issue()
    before = entry(kit)
    done = correct(kit.site, LATER, "one.md", "It was 14, not <17>.")
    after = entry(kit)
    assert (after.id, after.link, after.published) == (before.id, before.link, before.published)
    assert (before.updated, after.updated) == ("2026-11-20T00:00:00+00:00", "2026-11-23T08:00:00+00:00")
    assert after.content[0].value.endswith(
        '<p><strong>Correction, <time datetime="2026-11-23T08:00:00+00:00">23 November 2026</time>:</strong> '
        "It was 14, not &lt;17&gt;.</p>"
    )
    assert (done.title, done.id) == ("One", before.id)
    assert done.issues == (f"outbox/{target}",)
    assert entry(kit, feed="tag/t").updated == after.updated
    item = json.loads((kit.root / "feeds/all.json").read_text())["items"][0]
    assert item["_publisher"]["corrections"] == [{"date": "2026-11-23T08:00:00+00:00", "note": "It was 14, not <17>."}]
    assert check_site(kit.site, [], LATER).findings == 0


def test_a_correction_makes_no_issue_and_sends_nothing_again(kit: SiteKit) -> None:
    """Subscribers would get an article again because of a corrected number."""
    kit.article()
    kit.open_issue()
    kit.article("two.md", title="Two")
    correct(kit.site, LATER, "one.md", "Note.")
    assert issues(kit) == [["One"], ["Two"]] and not kit.newest_issue().is_waiting
    kit.open_issue(now=LATER)
    assert issues(kit) == [["One"], ["Two"]]


def test_the_edited_file_is_read_before_the_correction_is_added(kit: SiteKit) -> None:
    """Feeds would announce a correction beside the uncorrected text."""
    kit.article(body="17 cables.")
    kit.publish()
    kit.article(body="14 cables.")
    done = correct(kit.site, LATER, "one", "There are 14.")
    assert "14 cables." in entry(kit).content[0].value and done.report is not None and done.report.edited == 1


def test_an_edit_after_a_correction_keeps_the_correction_and_its_time(kit: SiteKit) -> None:
    """A corrected typo would remove the public correction, or show the article as new."""
    kit.article(body="Tpyo.")
    kit.publish()
    correct(kit.site, LATER, "one.md", "First.")
    with pytest.raises(SettingsError, match="in this second or later"):
        correct(kit.site, LATER, "one.md", "Second.")
    correct(kit.site, LATER + timedelta(seconds=1), "one.md", "Second.")
    kit.article(body="Typo.")
    kit.publish(LATER + timedelta(hours=1))
    after = entry(kit)
    assert after.updated == "2026-11-23T08:00:01+00:00"
    assert re.search(r"Typo\..*First\..*Second\.", after.content[0].value, re.DOTALL)


def test_two_corrections_within_a_second_have_different_times(kit: SiteKit) -> None:
    """Validators warn about entries with the same time."""
    kit.article("a.md", title="A")
    kit.article("b.md", title="B")
    kit.publish()
    correct(kit.site, LATER, "a.md", "Note.")
    correct(kit.site, LATER, "b.md", "Note.")
    assert [entry(kit, title).updated[14:19] for title in "AB"] == ["00:00", "59:59"]
    assert check_site(kit.site, [], LATER).findings == 0


def test_a_corrected_old_article_returns_to_its_feeds(kit: SiteKit) -> None:
    """Readers who got an article long ago would not learn that it was wrong."""
    kit.add_settings("\n[feeds]\nlimit = 2\n")
    for number in range(6):
        kit.article(f"{number}.md", title=str(number), date=f"2026-11-1{number}")
    kit.publish()
    assert titles(kit) == ["5", "4"]
    done = correct(kit.site, LATER, "0.md", "Note.")
    assert titles(kit) == ["0", "5"]
    assert done.report is not None
    assert sorted(path for path in done.report.feeds_changed if "archive" in path) == [
        f"feeds/archive/all/1.{form}" for form in ("atom", "json", "rss")
    ]


@pytest.mark.parametrize("name", ["one.md", "articles/one.md", "one", "/2026/11/one", "2026/11/one", "17"])
def test_an_article_is_found_by_any_of_its_names(kit: SiteKit, name: str) -> None:
    """An editor in a hurry could not correct an article whose file name they do not know."""
    kit.article(id='"17"')
    kit.article("two.md", title="Two")
    kit.publish()
    for number, one in enumerate((name, entry(kit).id, entry(kit).link)):
        assert correct(kit.site, LATER + timedelta(minutes=number), one, "Note.").title == "One"


def test_an_article_is_found_by_its_file_without_the_suffix(kit: SiteKit) -> None:
    """A short name would correct another article whose name begins with it."""
    kit.article("n3.md", title="One")
    kit.article("n33.md", title="Two")
    kit.publish()
    assert correct(kit.site, LATER, "n3", "Note.").title == "One"


def test_a_file_that_was_skipped_is_named_with_its_reason(kit: SiteKit) -> None:
    """Otherwise an editor looks for the file, which is there."""
    kit.write("broken.md", "---\ntitle: [x\n---\n")
    kit.publish()
    for name in ("broken.md", "./broken.md", "articles/broken.md", "broken"):
        with pytest.raises(SettingsError, match=r"^broken\.md was skipped: line 3: the front matter is not YAML"):
            correct(kit.site, LATER, name, "Note.")


def test_an_article_that_cannot_be_corrected_is_an_error(kit: SiteKit) -> None:
    """A correction would be published for the wrong article, or for none, without a word."""
    kit.article("a/one.md", title="Same", date="2026-11-20")
    kit.article("b/one.md", title="Same", date="2026-10-20")
    kit.article("later.md", title="Later", date="2026-12-24")
    kit.publish()
    for name, text, reason in (
        ("nothing", "x", "no article matches 'nothing'"),
        ("same", "x", "matches 2 articles"),
        ("later.md", "x", "is not published yet: edit its file"),
        ("a/one.md", " \x00 ", "--note is empty"),
    ):
        with pytest.raises(SettingsError, match=reason):
            correct(kit.site, LATER, name, text)
    retract(kit.site, LATER, "a/one.md", "Gone.")
    with pytest.raises(SettingsError, match="was withdrawn"):
        correct(kit.site, LATER, "a/one.md", "x")
    with pytest.raises(SettingsError, match="was withdrawn before"):
        retract(kit.site, LATER, "a/one.md", "x")
    with pytest.raises(SettingsError, match="was not withdrawn"):
        reinstate(kit.site, LATER, "b/one.md")


def test_a_withdrawn_article_is_removed_from_all_feeds_and_pages(any_kit: SiteKit) -> None:
    """A withdrawn text would stay public in a feed or an archive page."""
    kit = any_kit
    kit.add_settings("\n[feeds]\nlimit = 2\n")
    for number in range(5):
        kit.article(f"{number}.md", title=f"Headline{number}", date=f"2026-11-1{number}", tags=f"[T{number}, Both]")
    kit.article("n.md", title="HeadlineN", date="2026-11-22T10:00:00Z")
    kit.publish()
    gone = entry(kit, "HeadlineN").id
    for name in ("0.md", "n.md"):
        done = retract(kit.site, LATER, name, 'Made up: "<b>" & more.')
    for path, data in kit.staged().items():
        if path.startswith("feeds/") and not path.endswith((".gz", ".br")) and "/gone/" not in path:
            assert b"HeadlineN" not in data and b"Headline0" not in data, path
    assert done.gone == "feeds/gone/2026/11/headlinen.html"
    page = (kit.root / done.gone).read_text()
    assert "Made up: &#34;&lt;b&gt;&#34; &amp; more." in page and "HeadlineN" in page
    stones = etree.parse(kit.root / "feeds/tombstones.atom").getroot().findall("at:deleted-entry", AT)
    assert len(stones) == 2 and gone in {stone.get("ref") for stone in stones}
    assert stones[0].findtext("at:comment", namespaces=AT) == 'Made up: "<b>" & more.'
    assert stones[0].get("when") == "2026-11-23T08:00:00+00:00"
    assert "tombstones.atom" in (kit.root / "feeds/index.html").read_text()
    assert not (kit.root / "feeds/tag/t0.rss").exists()
    assert b"deleted-entry" not in (kit.root / "feeds/all.atom").read_bytes()
    assert check_site(kit.site, [], LATER).findings == 0


def test_a_withdrawn_article_stays_withdrawn_and_is_pending_for_no_digest(kit: SiteKit) -> None:
    """Subscribers would be mailed an article that was withdrawn."""
    kit.article("a.md", title="A")
    kit.open_issue()
    kit.article("b.md", title="B")
    retract(kit.site, LATER, "b.md", "Gone.")
    kit.article("b.md", title="B again", updated="2026-11-23T09:00:00Z")
    kit.publish(LATER + timedelta(days=1))
    (kit.root / "articles/b.md").unlink()
    kit.publish(LATER + timedelta(days=2))
    assert titles(kit) == ["A"] and issues(kit) == [["A"]]
    kit.add_settings('\n[digests.late]\ntitle = "Late"\n')
    kit.open_issue("late", LATER + timedelta(days=3))
    assert issues(kit, "late") == [["A"]]
    kit.article("c.md", title="B again", updated="2026-11-23T09:00:00Z")
    assert kit.publish(LATER + timedelta(days=4)).new == 0


@pytest.mark.postgresql
def test_a_withdrawal_can_be_undone(any_kit: SiteKit) -> None:
    """An article that was withdrawn by mistake would be lost, or return as a new one."""
    kit = any_kit
    kit.article(tags="[T]")
    kit.publish()
    before = ids(kit)
    retract(kit.site, LATER, "one.md", "Gone.")
    assert ids(kit) == []
    reinstate(kit.site, LATER + timedelta(hours=1), "one.md")
    after = entry(kit)
    assert (ids(kit), ids(kit, "tag/t")) == (before, before)
    assert after.updated == "2026-11-23T09:00:00+00:00"
    assert not (kit.root / "feeds/tombstones.atom").exists() and not (kit.root / "feeds/gone").exists()
    kit.article(body="Typo.", tags="[T]")
    kit.publish(LATER + timedelta(hours=2))
    assert entry(kit).updated == after.updated


def test_an_unsent_article_is_pending_again_after_undo(any_kit: SiteKit) -> None:
    """After undo, subscribers get the article once, also if it was withdrawn before it was sent."""
    kit = any_kit
    kit.article("one.md", "One", date="2026-11-20")
    kit.open_issue()
    kit.article("two.md", "Two", date="2026-11-22")
    kit.publish(LATER, with_issues=False)
    set_note(kit.site, "daily", LATER, add=["two.md"])
    for name in ("one.md", "two.md"):
        retract(kit.site, LATER, name, "Wrong.")
    assert set_note(kit.site, "daily", LATER).added == ()
    kit.publish(LATER)
    assert issues(kit) == [["One"]]
    for name in ("one.md", "two.md"):
        reinstate(kit.site, LATER + timedelta(hours=1), name)
    assert set_note(kit.site, "daily", LATER).added == ("Two",)
    kit.open_issue(now=LATER + timedelta(hours=2))
    assert issues(kit) == [["One"], ["Two"]]


def test_a_future_article_can_be_withdrawn(kit: SiteKit) -> None:
    """An article that was withdrawn before its time would appear at its time."""
    kit.article(date="2026-12-24")
    kit.publish()
    retract(kit.site, LATER, "one.md", "Never mind.")
    kit.publish(NOW + timedelta(days=60))
    assert ids(kit) == []
    reinstate(kit.site, LATER, "one.md")
    assert ids(kit) == []
    kit.publish(NOW + timedelta(days=60))
    assert len(ids(kit)) == 1


def test_an_article_is_found_by_its_percent_encoded_address(kit: SiteKit) -> None:
    """An editor could not correct an article by the address that the browser shows."""
    kit.article(title="رغيف")
    kit.publish()
    assert correct(kit.site, LATER, entry(kit, "رغيف").link, "Note.").title == "رغيف"


def test_the_news_sitemap_lists_the_last_two_days_of_this_host(kit: SiteKit) -> None:
    """Search engines reject a news sitemap with old articles or those of other hosts."""
    kit.article("old.md", title="Old", date="2026-11-20")
    kit.article("new.md", title="New", date="2026-11-22")
    kit.article("other.md", title="Other", date="2026-11-22", url="https://other.example/x")
    kit.publish()
    sitemap = (kit.root / "feeds/news-sitemap.xml").read_text()
    assert "New" in sitemap and "Old" not in sitemap and "other.example" not in sitemap
    report = kit.publish(NOW + timedelta(days=2))
    assert report.feeds_changed == ("feeds/news-sitemap.xml",)
    assert "<url>" not in (kit.root / "feeds/news-sitemap.xml").read_text()


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://review.example/a/b%20c/", "feeds/gone/a/b c/index.html"),
        ("https://review.example/رغيف", "feeds/gone/رغيف.html"),
        ("https://other.example/a", None),
        ("https://review.example/index", None),
        ("https://review.example/a/index", None),
        ("https://review.example/?p=7", None),
        ("https://review.example/a/../../../etc/passwd", None),
        ("https://review.example/%2e%2e/%2e%2e/x", None),
    ],
)
def test_the_page_of_a_withdrawn_article_is_below_its_path(kit: SiteKit, url: str, page: str | None) -> None:
    """A record with a crafted URL would write a file outside of the feeds folder."""
    kit.article(url=url)
    kit.publish()
    done = retract(kit.site, LATER, "one.md", "Gone.")
    assert done.gone == page
    pages = [path for path in kit.staged() if path.startswith("feeds/gone/") and path.endswith(".html")]
    assert pages == ([page] if page else [])
    assert all((kit.root / unquote(path)).resolve().is_relative_to(kit.root / "feeds") for path in pages)
