"""Reopening an older of two approved issues: what it had no room for stays in the later one."""

from __future__ import annotations

from datetime import timedelta

from publisher.articles import store as articles
from publisher.digests import pending_store as pending
from tests.conftest import NOW, MailKit
from tests.support.use_cases import approve, reopen


def test_an_overflow_article_of_a_later_issue_is_not_pending_again_after_reopening(mail_kit: MailKit) -> None:
    """The first issue had no room for an article, the second one has it; reopening the first does not return it."""
    mail_kit.settings(
        (mail_kit.root / "publisher.toml").read_text().replace('"The Daily"', '"The Daily"\ncadence = "0 9 * * mon"')
        + 'at_most = 1\n[delivery]\ntransport = "maildir"\n'
    )
    mail_kit.add_subscribers(1)
    mail_kit.articles("one", date="2026-11-20")
    approve(mail_kit.site, "daily", NOW)
    mail_kit.articles("two", date="2026-11-21")
    mail_kit.articles("three", date="2026-11-22")
    second = approve(mail_kit.site, "daily", NOW + timedelta(minutes=1)).row
    mail_kit.articles("four", date="2026-11-19")
    third = approve(mail_kit.site, "daily", NOW + timedelta(minutes=2)).row
    assert second.slot < third.slot
    reopen(mail_kit.site, second.path, NOW + timedelta(minutes=3))
    with mail_kit.open() as db, db.read() as connection:
        rows = pending.pending_articles(connection, "daily", int(NOW.timestamp()), third.slot)
        known = articles.articles_by_seq(
            connection, [row.seq for row in rows], mail_kit.site.base_url, mail_kit.site.tz
        )
    # Two is in the third issue, Three was in the reopened one, and Four has never been in one.
    assert sorted(article.title for article in known.values()) == ["Four", "Three"]
