"""An archive that is added later is published, and not sent as news."""

from __future__ import annotations

from datetime import timedelta

import pytest

from publisher.cli.now import summary
from publisher.errors import SettingsError
from publisher.storage import job_queue
from publisher.websub.notifications_store import NOTIFICATION
from tests.conftest import NOW, MailKit, SiteKit, issues, titles
from tests.support.smtp import Server
from tests.support.use_cases import check_site, set_note

LATER = NOW + timedelta(hours=1)
DAY = timedelta(days=1)


def archive(kit: SiteKit, first: int = 2011, last: int = 2019) -> None:
    for year in range(first, last + 1):
        kit.article(f"{year}.md", title=f"Of {year}", date=f"{year}-05-01", tags="[Old]")


def daily(kit: SiteKit, text: str) -> None:
    """Add settings of the digest."""
    path = kit.root / "publisher.toml"
    kit.settings(path.read_text().replace('title = "The Daily"', f'title = "The Daily"\n{text}'))


def announced(kit: SiteKit) -> set[str]:
    with kit.open() as db, db.read() as connection:
        return {job.subject for job in job_queue.due(connection, NOTIFICATION, None)}


def test_an_archive_that_is_dropped_in_later_makes_no_issue(any_kit: SiteKit) -> None:
    """It is in feeds and archives with its dates, and the summary says how to send it."""
    kit = any_kit
    kit.article("now.md", title="Now")
    kit.open_issue()
    archive(kit)
    report = kit.publish(LATER)
    assert (report.new, report.old, report.exit_status) == (9, 9, 0) and issues(kit) == [["Now"]]
    assert titles(kit) == ["Now", *(f"Of {year}" for year in range(2019, 2010, -1))]
    text = "\n".join(summary(kit.site, report, kit.root))
    assert "9 old articles: in feeds and archives, in no issue" in text
    assert "'publish note DIGEST --add ARTICLE' sends one" in text
    assert report.as_dict()["records"]["old"] == 9
    assert b"Of 20" not in (kit.root / "feeds/news-sitemap.xml").read_bytes()
    kit.article("2015.md", title="Of 2015, edited", date="2015-05-01", tags="[Old]")
    kit.article("news.md", title="News", date="2026-11-23")
    report = kit.publish(LATER + DAY)
    kit.open_issue(now=LATER + DAY)
    assert report.old == 0 and issues(kit) == [["Now"], ["News"]]
    assert check_site(kit.site, [], LATER + DAY).findings == 0


def test_a_late_but_recent_article_is_news(kit: SiteKit) -> None:
    """A date without a time after the morning's issue, and Friday's piece filed on Tuesday."""
    kit.article("now.md", title="Now")
    kit.open_issue()
    kit.article("today.md", title="Today", date="2026-11-23")
    kit.article("late.md", title="Late", date="2026-11-10")
    kit.article("old.md", title="Old", date="2026-11-08")
    report = kit.publish(LATER)
    kit.open_issue(now=LATER)
    assert report.old == 1 and issues(kit) == [["Now"], ["Today", "Late"]]


def test_each_digest_decides_for_itself_what_is_news(any_kit: SiteKit) -> None:
    """One digest may take what is too old for another one."""
    kit = any_kit
    daily(kit, "news_days = 0")
    kit.add_settings('\n[digests.books]\ntitle = "Books"\nnews_days = 4000\ntag = ["Old"]\n')
    kit.article("now.md", title="Now", tags="[Old]")
    kit.open_issues()
    archive(kit, 2018, 2019)
    kit.article("x.md", title="Yesterday", date="2026-11-22")
    report = kit.publish(LATER)
    kit.open_issue("books", LATER)
    assert report.old == 3 and issues(kit) == [["Now"]]
    assert issues(kit, "books") == [["Now"], ["Of 2019", "Of 2018"]]


def test_a_first_issue_takes_the_newest_whatever_their_age(any_kit: SiteKit) -> None:
    """Articles without room in it are never sent, whether they arrived before the digest started or later."""
    kit = any_kit
    daily(kit, "at_most = 3\nat_least = 2")
    kit.article("2010.md", title="Of 2010", date="2010-05-01")
    assert "at least 2" in kit.draft_summary().due
    archive(kit)
    report = kit.publish(LATER)
    kit.open_issue(now=LATER)
    assert report.old == 0 and issues(kit) == [["Of 2019", "Of 2018", "Of 2017"]]
    kit.article("a.md", title="A")
    kit.article("b.md", title="B")
    kit.open_issue(now=LATER + DAY)
    assert issues(kit)[1:] == [["B", "A"]]
    kit.add_settings('\n[digests.second]\ntitle = "Second"\nat_most = 4\n')
    kit.open_issue("second", LATER + 2 * DAY)
    assert issues(kit, "second") == [["B", "A", "Of 2019", "Of 2018"]]


def test_news_that_a_first_issue_had_no_room_for_waits(kit: SiteKit) -> None:
    """Only old articles are dropped then."""
    daily(kit, "at_most = 2\nat_least = 2")
    kit.article("a.md", title="A", date="2026-11-20")
    kit.publish()
    for name in ("b", "c"):
        kit.article(f"{name}.md", title=name.upper(), date="2026-11-21")
    kit.open_issue(now=LATER)
    kit.article("d.md", title="D", date="2026-11-22")
    kit.open_issue(now=LATER + DAY)
    assert issues(kit) == [["C", "B"], ["D", "A"]]


def test_a_draft_is_as_old_as_when_it_was_first_read(any_kit: SiteKit) -> None:
    """An article that was written here, and published months later under its old date, is news."""
    kit = any_kit
    kit.article("now.md", title="Now")
    kit.article("_drafts/one.md", title="One", date="2026-11-20")
    kit.article("two.md", title="Two", date="2026-11-21", draft="true")
    kit.write("c.jsonl", '{"id": 3, "draft": true}\n')
    kit.article("_drafts/old.md", title="Old", date="2011-11-20")
    kit.open_issue()
    spring = NOW + 120 * DAY
    kit.article("_drafts/one.md", title="One", date="2026-11-20", tags="[Edited]")
    kit.publish(spring)
    (kit.root / "articles/_posts").mkdir()
    (kit.root / "articles/_drafts/one.md").rename(kit.root / "articles/_posts/2026-11-20-one.md")
    (kit.root / "articles/_drafts/old.md").rename(kit.root / "articles/old.md")
    kit.article("two.md", title="Two", date="2026-11-21")
    kit.write("c.jsonl", '{"id": 3, "title": "Three", "date": "2026-11-22"}\n')
    report = kit.publish(spring + DAY)
    assert (report.new, report.old) == (4, 1)
    kit.open_issue(now=spring + DAY)
    assert issues(kit) == [["Now"], ["Three", "Two", "One"]]


@pytest.mark.postgresql
def test_hubs_are_not_notified_of_old_articles(any_kit: SiteKit) -> None:
    """A waiting notification waits for the feed that has the old articles."""
    kit = any_kit
    kit.add_settings('\n[feeds]\nurl = "http://127.0.0.1:9/feeds"\n[announce]\nhubs = ["http://127.0.0.1:9/"]\n')
    archive(kit, 2010, 2010)
    kit.open_issue()
    assert "all.atom" in announced(kit) and "tag/old.atom" in announced(kit)
    with kit.open() as db, db.write() as connection:
        for job in job_queue.due(connection, NOTIFICATION, None):
            job_queue.finish(connection, job)
    archive(kit)
    kit.publish(LATER)
    assert announced(kit) == set() and b"Of 2011" in (kit.root / "feeds/all.atom").read_bytes()

    kit.article("news.md", title="News", date="2026-11-23")
    kit.publish(LATER + DAY)
    assert "all.atom" in announced(kit) and "tag/old.atom" not in announced(kit)
    archive(kit, 2001, 2002)
    kit.publish(LATER + 2 * DAY)
    assert "all.atom" in announced(kit) and "tag/old.atom" not in announced(kit)
    with kit.open() as db, db.read() as connection:
        import hashlib

        for job in job_queue.due(connection, NOTIFICATION, None):
            sha256 = hashlib.sha256((kit.root / "feeds" / job.subject).read_bytes()).hexdigest()
            assert job.details == {"sha256": sha256}
    kit.article("more.md", title="More", date="2026-11-25", tags="[Old]")
    archive(kit, 2003, 2003)
    kit.publish(LATER + 3 * DAY)
    assert "tag/old.atom" in announced(kit)


def test_hubs_are_notified_of_an_archive_before_any_issue(kit: SiteKit) -> None:
    """A site without newsletters, or a new one, notifies as ever."""
    kit.add_settings('\n[feeds]\nurl = "http://127.0.0.1:9/feeds"\n[announce]\nhubs = ["http://127.0.0.1:9/"]\n')
    archive(kit)
    kit.publish(with_issues=False)
    archive(kit, 2001, 2002)
    with kit.open() as db, db.write() as connection:
        for job in job_queue.due(connection, NOTIFICATION, None):
            job_queue.finish(connection, job)
    kit.publish(LATER, with_issues=False)
    assert "all.atom" in announced(kit)


@pytest.mark.postgresql
def test_an_old_article_is_sent_when_an_editor_adds_it(any_kit: SiteKit) -> None:
    """It has precedence over newer ones, makes an issue by itself, and is sent once."""
    kit = any_kit
    daily(kit, "at_most = 2")
    kit.article("now.md", title="Now")
    kit.open_issue()
    archive(kit)
    prepared = set_note(kit.site, "daily", LATER, add=["2011.md", "2012"])
    assert prepared.added == ("Of 2011", "Of 2012") and issues(kit) == [["Now"], ["Of 2012", "Of 2011"]]
    prepared = set_note(kit.site, "daily", LATER, clear=True)
    assert prepared.added == ()
    kit.publish(LATER)
    assert issues(kit) == [["Now"]]
    set_note(kit.site, "daily", LATER, add=["2011.md"])
    kit.article("a.md", title="A")
    kit.article("b.md", title="B")
    kit.open_issue(now=LATER + DAY)
    assert issues(kit)[1:] == [["B", "Of 2011"]]
    with pytest.raises(SettingsError, match="was in an issue of daily before"):
        set_note(kit.site, "daily", LATER + DAY, add=["2011.md"])
    set_note(kit.site, "daily", LATER + DAY, add=["2013.md"])
    kit.open_issue(now=LATER + 2 * DAY)
    assert issues(kit)[2:] == [["A", "Of 2013"]]


def test_an_article_is_added_to_a_first_issue(kit: SiteKit) -> None:
    """The digest starts with it, and with the newest articles."""
    daily(kit, "at_most = 2")
    archive(kit)
    kit.publish(with_issues=False)
    set_note(kit.site, "daily", LATER, add=["2011.md"])
    kit.open_issue(now=LATER)
    assert issues(kit) == [["Of 2019", "Of 2011"]]
    kit.publish(LATER + DAY)
    assert len(issues(kit)) == 1


def test_neither_drafts_nor_an_archive_reach_a_mailbox(any_mail_kit: MailKit) -> None:
    """Over SMTP, subscribers get only the news."""
    kit = any_mail_kit
    kit.add_subscribers(3)
    with Server() as server:
        kit.mail(server.port, send="auto")
        kit.article("now.md", title="Now", date="2026-11-22")
        kit.article("d.md", title="Marker draft", date="2026-11-22", published="false")
        kit.article("_drafts/e.md", title="Marker folder", date="2026-11-22")
        kit.publish()
        assert len(server.accepted) == 3
        kit.article("d.md", title="Marker draft", date="2026-11-22", status="who knows")
        kit.article("old.md", title="Marker old", date="2011-11-22")
        kit.publish(LATER)
        assert len(server.accepted) == 3
        kit.article("d.md", title="News", date="2026-11-22")
        kit.publish(LATER + timedelta(hours=1))
        assert len(server.accepted) == 6
        assert not [one for one in server.accepted if b"Marker" in one.data]
        assert all(b"Subject: The Daily: News" in one.data for one in server.accepted[3:])
