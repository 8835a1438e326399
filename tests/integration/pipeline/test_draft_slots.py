"""Which slot a draft has when no further slot of a cadence comes, and what that means for its articles."""

from __future__ import annotations

from datetime import timedelta

from publisher.pipeline.approve import approve
from tests.conftest import NOW, MailKit, SiteKit, issues
from tests.support.issues import open_draft


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
