"""Reopening an approved issue of an automatic newsletter without a cadence."""

from __future__ import annotations

from datetime import timedelta

from tests.conftest import NOW, MailKit
from tests.support.use_cases import approve, reopen


def test_a_reopened_issue_of_an_automatic_newsletter_waits_for_a_person(mail_kit: MailKit) -> None:
    """Subscribers would get what an editor has just taken back, at the next run."""
    settings = (mail_kit.root / "publisher.toml").read_text().replace('"The Daily"', '"The Daily"\nsend = "auto"')
    mail_kit.settings(settings)
    mail_kit.add_subscribers(1)
    now = NOW + timedelta(minutes=10, seconds=30)
    for name in ("one", "two"):
        mail_kit.articles(name, date="2026-11-23T07:10:00")
        approve(mail_kit.site, "daily", now)
    # Its free minute, 07:11, is still to come.
    assert reopen(mail_kit.site, "daily", now).slot > now
    mail_kit.add_settings('\n[delivery]\ntransport = "maildir"\n')
    result = mail_kit.publish(now)
    assert [issue.number for issue in result.opened] == [1]
    assert [draft.number for draft in result.issue_drafts] == [2]
