"""Digests: each article is in one issue."""

from __future__ import annotations

from datetime import timedelta

from tests.conftest import NOW, SiteKit, issues


def test_a_new_digest_starts_with_the_newest_articles(any_kit: SiteKit) -> None:
    """Older articles are not pending."""
    kit = any_kit
    for day in range(10, 20):
        kit.article(f"{day}.md", title=str(day), date=f"2026-11-{day}", topic="Water" if day % 2 else "Trade")
    kit.open_issue()
    kit.add_settings('\n[digests.water]\ntitle = "Water"\ntopic = ["Water"]\nat_most = 2\n')
    kit.open_issue("water")
    assert issues(kit, "water") == [["19", "17"]]
    report = kit.publish(NOW + timedelta(days=1))
    assert (report.changed, [one.digest for one in report.issue_drafts]) == (False, [])
    kit.article("late.md", title="Late arrival", date="2026-11-13", topic="Water")
    kit.open_issue("water", NOW + timedelta(days=2))
    assert issues(kit, "water") == [["19", "17"], ["Late arrival"]]


def test_articles_that_do_not_fit_are_in_the_next_issue(kit: SiteKit) -> None:
    """None is lost."""
    kit.settings((kit.root / "publisher.toml").read_text() + "at_most = 2\n")
    kit.article("0.md", title="0")
    kit.open_issue()
    for number in range(1, 5):
        kit.article(f"{number}.md", title=str(number), date=f"2026-11-2{number - 1}T0{number}:00:00Z")
    kit.open_issue(now=NOW + timedelta(days=1))
    report = kit.publish(NOW + timedelta(days=2))
    # Two days have passed: what is no news any more leaves the sitemap, and nothing else happens.
    assert report.feeds_changed == ("feeds/news-sitemap.xml",)
    assert report.issue_drafts == () and report.waiting[0].articles == 2
    kit.article("5.md", title="5", date="2026-11-23T05:00:00Z")
    kit.open_issue(now=NOW + timedelta(days=3))
    assert issues(kit) == [["0"], ["4", "3"], ["5", "2"]]


def test_an_issue_waits_for_its_minimum_of_articles(kit: SiteKit) -> None:
    """The setting is at_least."""
    kit.settings((kit.root / "publisher.toml").read_text() + "at_least = 2\n")
    kit.article("1.md", title="1")
    assert "not due: 1 new, an issue needs at least 2" in kit.draft_summary().due
    kit.article("2.md", title="2")
    draft = kit.draft_summary(now=NOW + timedelta(hours=1))
    assert (draft.articles, draft.due) == (2, "is sent once you approve it: publish approve daily")


def test_an_edit_that_makes_an_article_match_adds_it_once(kit: SiteKit) -> None:
    """Later edits do not add it again."""
    kit.settings((kit.root / "publisher.toml").read_text() + 'topic = ["Water"]\n')
    kit.article("first.md", title="First", topic="Water")
    kit.article("old.md", title="Old", topic="Trade")
    kit.open_issue()
    kit.article("new.md", title="New", topic="Trade")
    kit.publish()
    kit.article("new.md", title="New", topic="Water")
    kit.article("old.md", title="Old", topic="Water")
    kit.open_issue(now=NOW + timedelta(hours=1))
    assert issues(kit) == [["First"], ["New"]]
    kit.article("new.md", title="New again", topic="Water")
    kit.publish(NOW + timedelta(hours=2))
    assert issues(kit) == [["First"], ["New"]]


def test_two_issues_in_one_minute_have_different_slots(kit: SiteKit) -> None:
    """Each issue has its own folder."""
    kit.article("1.md", title="1")
    first = kit.open_issue()
    kit.article("2.md", title="2")
    second = kit.open_issue()
    assert (first, second) == ("daily/2026-11-23T0700", "daily/2026-11-23T0701")


def test_a_repeated_hour_has_two_folders(kit: SiteKit) -> None:
    """At the end of daylight saving time."""
    kit.settings((kit.root / "publisher.toml").read_text().replace('zone = "UTC"', 'zone = "Europe/London"'))
    first = NOW.replace(month=10, day=25, hour=0, minute=30)
    kit.article("1.md", title="1", date="2026-10-20")
    kit.open_issue(now=first)
    kit.article("2.md", title="2", date="2026-10-20")
    kit.open_issue(now=first + timedelta(hours=1))
    assert sorted(path.name for path in (kit.root / "outbox/daily").iterdir()) == [
        "2026-10-25T0130",
        "2026-10-25T0130+0000",
    ]


def test_an_invalid_digest_is_skipped_and_the_others_are_made(kit: SiteKit) -> None:
    """The report names the skipped one."""
    kit.add_settings('\n[digests.broken]\ntitle = "B"\nsubject = "{{ nothing }}"\n')
    kit.article()
    report = kit.publish()
    assert report.exit_status == 1
    assert report.rejected[0].where == "digests.broken"
    assert [one.digest for one in report.issue_drafts] == ["daily"]
    kit.settings((kit.root / "publisher.toml").read_text().replace("nothing", "lead.title"))
    assert [one.digest for one in kit.publish().issue_drafts] == ["daily", "broken"]
