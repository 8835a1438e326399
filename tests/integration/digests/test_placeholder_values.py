"""Drafts and issues with placeholder values: what is mailed once the settings are corrected."""

from __future__ import annotations

from datetime import timedelta

import pytest

from publisher.digests import store as issues
from publisher.errors import SendingBlocked
from tests.conftest import NOW, MailKit
from tests.conftest import issues as staged_issues
from tests.support.clocks import ManualClock
from tests.support.sample_site import delivered, furnish_with_sample, replace_placeholders
from tests.support.smtp import Server
from tests.support.use_cases import approve, deliver, reopen, set_note, tick


def test_a_draft_follows_the_settings_and_keeps_its_note_and_lead(any_mail_kit: MailKit) -> None:
    """Placeholder values leave the draft with the settings."""
    kit = any_mail_kit
    kit.add_subscribers(2, domain="posteo.de")
    kit.article("one.md", "One", date="2026-11-20")
    kit.article("two.md", "Two", date="2026-11-21")
    set_note(kit.site, "daily", NOW, text="Good *morning*.", lead="one.md")
    kit.publish()
    before = (kit.root / "outbox/daily/next/index.html").read_text()
    assert staged_issues(kit) == [["One", "Two"]] and "review.example" in before
    replace_placeholders(kit)
    (draft,) = kit.publish(NOW + timedelta(days=2)).issue_drafts
    assert (draft.is_changed, draft.number, draft.articles) == (True, 1, 2)
    html = (kit.root / "outbox/daily/next/index.html").read_text()
    assert "Good <em" in html and "review.example" not in html and "The Review, London" in html
    assert not kit.publish(NOW + timedelta(days=2)).changed


def test_an_approved_issue_with_old_placeholder_values_is_held_until_it_is_approved_again(mail_kit: MailKit) -> None:
    """Its text is fixed; reopening it renders it with the new settings."""
    kit = mail_kit
    kit.add_subscribers(2, domain="posteo.de")
    kit.article("one.md", "One")
    kit.approve_issue()
    replace_placeholders(kit)
    report = kit.publish(NOW + timedelta(hours=1))
    assert report.opened == ()
    reopen(kit.site, "daily", NOW + timedelta(hours=1))
    approve(kit.site, "daily", NOW + timedelta(hours=1))
    assert delivered(kit) == 2


def test_an_edited_sample_article_can_be_mailed(any_mail_kit: MailKit) -> None:
    """The automatic issue waits for it, and contains the edited article."""
    kit = any_mail_kit
    furnish_with_sample(kit)
    with Server() as server:
        kit.mail(server.port)
        tick(kit.site, clock=ManualClock(NOW))
        assert server.accepted == []
        kit.article("welcome.md", "Mine")
        assert tick(kit.site, clock=ManualClock(NOW)).exit_status == 0
        assert b"Mine" in server.accepted[0].data
        assert len(server.accepted) == 1


def test_a_draft_with_the_sample_article_cannot_be_approved(mail_kit: MailKit) -> None:
    """The error names it; without it the other articles are mailed."""
    from tests.support.use_cases import retract

    kit = mail_kit
    furnish_with_sample(kit)
    kit.article("one.md", "One", date="2026-11-22")
    with pytest.raises(Exception, match="sample article"):
        approve(kit.site, "daily", NOW)
    retract(kit.site, NOW, "welcome.md", "a sample")
    approve(kit.site, "daily", NOW + timedelta(minutes=1))
    assert staged_issues(kit) == [["One"]]
    assert delivered(kit) == 1


def test_an_issue_that_was_sent_does_not_change(mail_kit: MailKit) -> None:
    """New settings apply to the next draft."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    before = kit.issue_file("index.html").read_bytes()
    replace_placeholders(kit)
    assert kit.publish().issue_drafts == ()
    assert kit.issue_file("index.html").read_bytes() == before


def test_a_dry_run_stores_no_draft(mail_kit: MailKit) -> None:
    """It only reports what would be done."""
    kit = mail_kit
    kit.article("one.md", "One")
    kit.publish(with_issues=False)
    before = kit.staged()
    assert [one.number for one in kit.publish(dry_run=True).issue_drafts] == [1]
    assert kit.staged() == before
    with kit.open() as db, db.read() as connection:
        assert issues.list_issues(connection) == []


def test_placeholder_values_block_an_approval(mail_kit: MailKit) -> None:
    """Real people would get them."""
    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.article("one.md", "One")
    with Server() as server:
        kit.mail(server.port)
        with pytest.raises(SendingBlocked, match="placeholder values"):
            approve(kit.site, "daily", NOW)
