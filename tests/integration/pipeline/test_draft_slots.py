"""Which slot a draft has when no further slot of a cadence comes, and what that means for its articles."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import update_draft
from tests.conftest import NOW, MailKit, SiteKit, issues
from tests.support.issues import open_draft
from tests.support.use_cases import approve, context_of


def open_draft_of_its_articles(kit: SiteKit, now: datetime) -> IssueRow:
    """Publish, fix the draft of the daily with the slot that it has, and open its send."""
    kit.publish(now, may_open=False)
    site = kit.site
    with kit.open() as db, db.exclusive(site.root):
        update = update_draft(context_of(site, db, now), "daily")
        row = fix_draft(context_of(site, db, now), update)
        assert open_issue(context_of(site, db, now), row) is not None
    return row


def test_a_draft_after_the_end_of_its_schedule_has_the_same_bytes_at_any_time(any_kit: SiteKit) -> None:
    """It has the date of its newest article, not the minute of the run."""
    text = (any_kit.root / "publisher.toml").read_text()
    any_kit.settings(text.replace('"The Daily"', '"The Daily"\ncadence = "0 7 * * mon"\nends = 2026-11-01'))
    any_kit.article("one.md", "One", date="2026-11-20")
    any_kit.publish(NOW)
    before = any_kit.staged()
    report = any_kit.publish(NOW + timedelta(minutes=7))
    assert not report.changed and any_kit.staged() == before
    assert [draft.slot for draft in report.issue_drafts] == ["2026-11-20T00:00:00+00:00"]


def test_an_issue_whose_minute_lies_ahead_is_sent_at_once_without_articles_of_the_future(mail_kit: MailKit) -> None:
    """Without a cadence, approval opens the send, and the slot is only a name."""
    kit = mail_kit
    kit.add_settings('[delivery]\ntransport = "maildir"\n')
    kit.add_subscribers(1)
    kit.article("old.md", "Old", date="2026-11-22")
    kit.publish(NOW, may_open=False)
    open_draft(kit.site, "daily", NOW)
    kit.article("now.md", "Now", date=NOW.isoformat())
    kit.article("later.md", "Later", date=(NOW + timedelta(seconds=30)).isoformat())
    approval = approve(kit.site, "daily", NOW)
    assert (approval.row.slot, approval.opened is not None) == (NOW + timedelta(minutes=1), True)
    assert issues(kit) == [["Old"], ["Now"]]


def test_a_late_article_makes_no_issue_before_the_last_one(any_kit: SiteKit) -> None:
    """The archive is in the order of slots, and the first free minute after the last issue is the next one."""
    any_kit.article("new.md", "New", date="2026-11-22T12:00:00Z")
    first = open_draft_of_its_articles(any_kit, NOW)
    for number, day in enumerate(("2026-11-20", "2026-11-22", "2026-11-21"), 1):
        any_kit.article(f"late{number}.md", f"Late {number}", date=day)
        row = open_draft_of_its_articles(any_kit, NOW + timedelta(hours=number))
        assert (row.slot, row.number) == (first.slot + timedelta(minutes=number), number + 1)
    any_kit.article("newest.md", "Newest", date="2026-11-23T09:00:00Z")
    assert open_draft_of_its_articles(any_kit, NOW + timedelta(hours=9)).slot == NOW + timedelta(hours=2)


def test_a_new_time_zone_gives_no_issue_the_name_of_another(mail_kit: MailKit) -> None:
    """Two slots are 07:00 of one day, an hour apart; each issue has its own folder and text."""
    kit = mail_kit
    kit.settings(
        (kit.root / "publisher.toml").read_text().replace('"The Daily"', '"The Daily"\ncadence = "0 9 * * *"')
        + '\n[delivery]\ntransport = "maildir"\n'
    )
    kit.add_subscribers(1)
    kit.article("one.md", "One")
    first = approve(kit.site, "daily", NOW).row
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('zone = "UTC"', 'zone = "Europe/Berlin"'))
    kit.article("two.md", "Two")
    second = approve(kit.site, "daily", NOW).row
    assert (first.name, second.name) == ("2026-11-23T0900", "2026-11-23T0900+0100")
    assert second.slot < first.slot
    assert "One" in (kit.root / "outbox" / first.path / "message.txt").read_text()
    assert "Two" in (kit.root / "outbox" / second.path / "message.txt").read_text()
