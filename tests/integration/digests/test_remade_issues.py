"""Issues with placeholder values are made again once the settings are corrected."""

from __future__ import annotations

import json
from datetime import timedelta

from publisher.delivery import store as deliveries
from publisher.delivery.deliver import deliver
from publisher.digests import store as issues
from publisher.digests.notes_store import NextIssueNote, save_next_issue_note
from publisher.runner.tick import tick
from tests.conftest import NOW, MailKit
from tests.conftest import issues as staged_issues
from tests.support.clocks import ManualClock
from tests.support.sample_site import delivered, furnish_with_sample, replace_placeholders
from tests.support.smtp import Server


def made(kit: MailKit) -> list[tuple[str, int, int]]:
    """Return (name, number, deliveries) of each issue, oldest first."""
    with kit.open() as db, db.read() as connection:
        counts = deliveries.state_counts(connection)
        rows = sorted(issues.list_issues(connection), key=lambda row: row.slot)
        return [(row.name, row.number, sum(counts.get(row.id, {}).values())) for row in rows]


def test_an_issue_keeps_its_articles_note_lead_slot_and_number(any_mail_kit: MailKit) -> None:
    """Only the settings and the audience are new."""
    kit = any_mail_kit
    kit.add_subscribers(2, domain="posteo.de")
    kit.article("one.md", "One", date="2026-11-20")
    kit.article("two.md", "Two", date="2026-11-21")
    with kit.open() as db, db.write() as connection:
        issues.start_digest(connection, "daily", since_seq=0)
    kit.publish(with_issues=False)
    with kit.open() as db, db.write() as connection:
        save_next_issue_note(connection, "daily", NextIssueNote(note="Good *morning*.", lead_seq=1))
    kit.publish()
    kit.article("three.md", "Three", date="2026-11-22")
    kit.publish(NOW + timedelta(days=1))
    before = made(kit)
    assert staged_issues(kit) == [["One", "Two"], ["Three"]]
    kit.add_subscribers(3, domain="posteo.de")
    replace_placeholders(kit)
    report = kit.publish(NOW + timedelta(days=2))
    assert [one.number for one in report.issues] == [1, 2]
    assert made(kit) == [(name, number, 3) for name, number, _ in before]
    assert staged_issues(kit) == [["One", "Two"], ["Three"]]
    first = next((kit.root / "outbox" / "daily").glob("2026-11-23*"))
    about = json.loads((first / "issue.json").read_text())
    assert about["note"] == "Good *morning*."
    html = (first / "index.html").read_text()
    assert "Good <em" in html and "review.example" not in html and "The Review, London" in html
    assert kit.publish(NOW + timedelta(days=2)).issues == []
    assert delivered(kit) == 3


def test_an_issue_with_an_edited_sample_article_is_made_again(any_mail_kit: MailKit) -> None:
    """It contains the edited article, and is sent."""
    kit = any_mail_kit
    furnish_with_sample(kit)
    kit.publish()
    with Server() as server:
        kit.mail(server.port)
        assert tick(kit.site, clock=ManualClock(NOW)).exit_status == 2
        assert server.accepted == []
        kit.article("welcome.md", "Mine")
        assert tick(kit.site, clock=ManualClock(NOW)).exit_status == 0
        assert b"Mine" in server.accepted[0].data
        assert len(server.accepted) == 1


def test_an_issue_with_only_a_withdrawn_sample_stays_blocked(mail_kit: MailKit) -> None:
    """It has no other article."""
    from publisher.pipeline.correct import retract

    kit = mail_kit
    furnish_with_sample(kit)
    kit.publish()
    before = made(kit)
    retract(kit.site, NOW, "welcome.md", "a sample")
    assert kit.publish().issues == []
    assert made(kit) == before


def test_an_issue_is_made_again_without_a_withdrawn_sample(mail_kit: MailKit) -> None:
    """Its other articles are not lost."""
    from publisher.pipeline.correct import retract

    kit = mail_kit
    furnish_with_sample(kit)
    kit.draft("one")
    retract(kit.site, NOW, "welcome.md", "a sample")
    assert [one.articles for one in kit.publish().issues] == [1]
    assert staged_issues(kit) == [["One"]]
    assert delivered(kit) == 1


def test_an_issue_is_not_made_again_after_a_delivery_attempt(mail_kit: MailKit) -> None:
    """Sent bytes do not change."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    replace_placeholders(kit)
    assert kit.publish().issues == []


def test_a_dry_run_makes_no_issue_again(mail_kit: MailKit) -> None:
    """It only reports what would be done."""
    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.draft("one")
    replace_placeholders(kit)
    before = kit.staged()
    assert [one.number for one in kit.publish(dry_run=True).issues] == [1]
    assert kit.staged() == before
    assert [one.number for one in kit.publish().issues] == [1]


def test_a_paused_issue_stays_paused(mail_kit: MailKit) -> None:
    """An editor paused it."""
    from publisher.delivery.issue_life.approval import pause

    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.draft("one")
    pause(kit.site, "daily", is_paused=True)
    replace_placeholders(kit)
    kit.publish()
    with kit.open() as db, db.read() as connection:
        (row,) = issues.list_issues(connection)
    assert row.is_paused
