"""Holds: what keeps an approved issue from being sent, and how it is released."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from publisher.context import Context
from publisher.delivery.automatic import open_due_issues
from publisher.delivery.issue_life.approval import hold_reason, stop_reason
from publisher.errors import IssueHeld
from publisher.settings import RereadSettings
from publisher.storage.tables.digests import issue
from tests.conftest import MailKit
from tests.support.copies import Copies
from tests.support.scheduled_site import FRIDAY, MONDAY, SATURDAY, SUNDAY, ScheduledSite, text_of
from tests.support.smtp import Server
from tests.support.use_cases import correct, deliver, force_issue, list_issues, reinstate, reopen, retract


def approve_on_friday(kit: MailKit) -> None:
    """Approve an issue of two articles for Monday."""
    with Server() as server:
        made = ScheduledSite(kit, server)
        made.subscribe("ann", "bert")
        kit.article("one.md", "One")
        kit.article("two.md", "Two")
        made.approve()


@pytest.fixture
def site(copies: Copies, tmp_path: Path) -> Iterator[ScheduledSite]:
    """An issue of two articles that was approved on Friday and is sent on Monday, for two subscribers."""
    with copies.copy("default", approve_on_friday, tmp_path / "site") as kit, Server() as server:
        yield ScheduledSite.again(kit, server)


def reason_of(site: ScheduledSite) -> str:
    """Return why the newest issue is held; empty if it is not."""
    (*_, row) = site.issues()
    with site.kit.open() as db, db.read() as connection:
        return hold_reason(connection, site.kit.site, row, site.clock.now())


def test_a_correction_in_the_second_of_the_approval_holds_an_issue(site: ScheduledSite) -> None:
    """It is not in the approved text."""
    correct(site.kit.site, FRIDAY, "one.md", "It was four, not five.")
    assert "articles of it were corrected" in reason_of(site)


def test_a_correction_before_the_approval_holds_nothing(site: ScheduledSite) -> None:
    """The approved text has it, also if both are of one second."""
    reopen(site.kit.site, "weekly", FRIDAY)
    correct(site.kit.site, FRIDAY, "one.md", "It was four, not five.")
    site.approve()
    assert reason_of(site) == ""


def test_nothing_holds_an_approved_issue(site: ScheduledSite) -> None:
    """Edits and new articles are no reason."""
    site.kit.article("one.md", "One, again")
    site.kit.article("three.md", "Three")
    site.tick(SATURDAY)
    assert reason_of(site) == ""


def test_a_retraction_holds_an_issue_and_tells_the_editors_once(site: ScheduledSite) -> None:
    """Its slot is done; once the article is reinstated, the issue opens."""
    retract(site.kit.site, SATURDAY, "one.md", "untrue")
    for at in (SATURDAY, SUNDAY, MONDAY, MONDAY + timedelta(minutes=5)):
        report = site.tick(at)
        assert ["articles of it were withdrawn" in held.reason for held in report.held] == [True]
    assert site.recipients == []
    (mail,) = site.editor_mails()
    assert mail["Subject"] == "[Held] The Weekly: Two"
    assert "weekly/2026-11-23T0700 is approved, and is not sent: articles of it were withdrawn" in text_of(mail)
    reinstate(site.kit.site, MONDAY + timedelta(hours=1), "one.md")
    site.tick(MONDAY + timedelta(hours=1))
    assert site.recipients == ["ann", "bert"]
    assert len(site.editor_mails()) == 1


def test_a_second_retraction_is_told_again(site: ScheduledSite) -> None:
    """The editors believe that the first one is settled."""
    for hours in (0, 2):
        retract(site.kit.site, SATURDAY + timedelta(hours=hours), "one.md", "untrue")
        site.tick(SATURDAY + timedelta(hours=hours))
        assert len(site.editor_mails()) == 1 + hours // 2
        reinstate(site.kit.site, SATURDAY + timedelta(hours=hours + 1), "one.md")
        site.tick(SATURDAY + timedelta(hours=hours + 1))
        assert reason_of(site) == ""


def test_an_article_that_becomes_a_draft_holds_an_issue(site: ScheduledSite) -> None:
    """It is not published any more."""
    site.kit.article("one.md", "One", draft="true")
    assert [held.issue for held in site.tick(MONDAY).held] == ["weekly/2026-11-23T0700"]
    assert "became drafts" in reason_of(site)
    assert site.recipients == []


def test_an_article_that_is_postponed_holds_an_issue(site: ScheduledSite) -> None:
    """Mail would show it before its publication; once it is published, the issue opens."""
    site.kit.article("one.md", "One", date="2026-11-23T09:00:00Z")
    site.tick(MONDAY)
    assert reason_of(site).startswith("articles of it are not published yet")
    assert site.recipients == []
    site.tick(MONDAY + timedelta(hours=3))
    assert site.recipients == ["ann", "bert"]


def test_a_correction_holds_an_issue_until_it_is_approved_again(site: ScheduledSite) -> None:
    """The corrected text is mailed, and not announced as a correction of an earlier issue."""
    site.kit.article("one.md", "One", body="The right number is 7.")
    correct(site.kit.site, SATURDAY, "one.md", "The number was wrong.")
    site.tick(MONDAY)
    assert "articles of it were corrected after it was approved" in reason_of(site)
    assert "publish reopen weekly" in reason_of(site)
    assert site.recipients == []
    reopen(site.kit.site, "weekly", MONDAY + timedelta(hours=1))
    site.approve(at=MONDAY + timedelta(hours=2))
    site.tick()
    assert site.recipients == ["ann", "bert"]
    assert "The right number is 7." in text_of(site.messages("ann")[0])


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("mail.sender", 'sender = "The Test Review', 'sender = "Another Review'),
        ("mail.reply_to", "[mail]\n", '[mail]\nreply_to = "ed@review.example"\n'),
        ("mail.bounces", "[mail]\n", '[mail]\nbounces = "bounces+{copy}@review.example"\n'),
        ("mail.unsubscribe", "https://review.example/leave", "https://review.example/goodbye"),
        ("mail.unsubscribe", 'unsubscribe = "https://review.example/leave"\n', ""),
        ("mail.one_click", "[mail]\n", "[mail]\none_click = true\n"),
        ("mail.preferences", "[mail]\n", '[mail]\npreferences = "https://review.example/preferences"\n'),
        ("mail.web_view", "[mail]\n", '[mail]\nweb_view = "https://review.example/{digest}/{issue}/"\n'),
        ("base_url", 'base_url = "https://review.example"', 'base_url = "https://www.review.example"'),
        ("mail.postal_address", "[mail]\n", '[mail]\npostal_address = "The Review, London"\n'),
    ],
)
def test_a_changed_mail_setting_holds_an_issue(site: ScheduledSite, name: str, old: str, new: str) -> None:
    """The setting is named; approving the issue again releases it."""
    site.replace_setting(old, new)
    (held,) = site.tick(MONDAY).held
    assert held.reason.startswith(f"settings have changed since it was approved: {name}. ")
    assert "publish reopen weekly" in held.reason
    assert site.recipients == []
    reopen(site.kit.site, "weekly", MONDAY + timedelta(hours=1))
    site.approve(at=MONDAY + timedelta(hours=2))
    site.tick()
    assert site.recipients == ["ann", "bert"]


def test_a_restored_mail_setting_releases_an_issue(site: ScheduledSite) -> None:
    """It opens without another approval."""
    site.replace_setting("https://review.example/leave", "https://review.example/goodbye")
    site.tick(MONDAY)
    site.replace_setting("https://review.example/goodbye", "https://review.example/leave")
    site.tick(MONDAY + timedelta(hours=1))
    assert site.recipients == ["ann", "bert"]


def test_a_changed_mail_setting_holds_an_issue_that_is_being_sent(site: ScheduledSite) -> None:
    """What was not sent yet would have a dead link."""
    site.tick(MONDAY - timedelta(minutes=1))
    with site.kit.open() as db:
        open_due_issues(Context(site=site.kit.site, db=db, now=MONDAY))
    site.clock.at = MONDAY
    site.replace_setting("https://review.example/leave", "https://review.example/goodbye")
    with pytest.raises(IssueHeld, match=r"settings have changed since it was approved: mail.unsubscribe. Restore them"):
        deliver(site.kit.site, "weekly", clock=site.clock.now)
    assert site.recipients == []


@pytest.fixture
def opened(site: ScheduledSite) -> ScheduledSite:
    """The send of the issue is open, and no message was sent yet."""
    site.tick(MONDAY - timedelta(minutes=1))
    with site.kit.open() as db:
        open_due_issues(Context(site=site.kit.site, db=db, now=MONDAY))
    site.clock.at = MONDAY
    return site


def subjects(site: ScheduledSite) -> list[str]:
    """Return the subjects of the mails to the editor, in order."""
    return [str(mail["Subject"]) for mail in site.editor_mails()]


def test_editors_are_told_once_of_a_retraction_that_stops_a_send(opened: ScheduledSite) -> None:
    """And again if another article is withdrawn; the rest is sent once both are reinstated."""
    deliver(opened.kit.site, "weekly", limit=1, clock=opened.clock.now)
    retract(opened.kit.site, MONDAY, "one.md", "untrue")
    for minutes in (1, 6):
        opened.tick(MONDAY + timedelta(minutes=minutes))
    assert subjects(opened) == ["[Stopped] The Weekly: Two"]
    text = text_of(opened.editor_mails()[0])
    assert (
        "has stopped while it was sent; 1 of its messages are still to be sent: articles of it were withdrawn" in text
    )
    retract(opened.kit.site, MONDAY, "two.md", "untrue, too")
    for minutes in (11, 16):
        opened.tick(MONDAY + timedelta(minutes=minutes))
    assert len(subjects(opened)) == 2
    for name in ("one.md", "two.md"):
        reinstate(opened.kit.site, MONDAY + timedelta(minutes=17), name)
    opened.tick(MONDAY + timedelta(minutes=30))
    assert opened.recipients == ["ann", "bert"]
    assert len(subjects(opened)) == 2


def test_a_retraction_after_the_last_message_is_not_told(opened: ScheduledSite) -> None:
    """There is nothing to stop."""
    deliver(opened.kit.site, "weekly", clock=opened.clock.now)
    retract(opened.kit.site, MONDAY, "one.md", "untrue")
    opened.tick(MONDAY + timedelta(minutes=5))
    assert (subjects(opened), opened.recipients) == ([], ["ann", "bert"])


def test_an_issue_of_a_newsletter_without_mail_stops_while_it_is_sent(opened: ScheduledSite) -> None:
    """``send = "none"`` means that no mail is sent; the editors know of it, and of how it goes on."""
    deliver(opened.kit.site, "weekly", limit=1, clock=opened.clock.now)
    opened.replace_setting('title = "The Weekly"\n', 'title = "The Weekly"\nsend = "none"\n')
    for minutes in (1, 6):
        (sent,) = opened.tick(MONDAY + timedelta(minutes=minutes)).sends
        assert 'digests.weekly.send is "none" now' in sent.stop_reason
    assert subjects(opened) == ["[Stopped] The Weekly: Two"]
    assert len(opened.recipients) == 1
    with pytest.raises(IssueHeld, match='send is "none" now: its mail is not sent'):
        deliver(opened.kit.site, "weekly", clock=opened.clock.now)
    opened.replace_setting('send = "none"\n', 'send = "review"\n')
    opened.tick(MONDAY + timedelta(minutes=30))
    assert opened.recipients == ["ann", "bert"]


def test_an_issue_without_a_mail_server_says_so(opened: ScheduledSite) -> None:
    """It waits for one."""
    path = opened.kit.root / "publisher.toml"
    path.write_text(path.read_text("utf-8").replace("[smtp]", "[unused]"), "utf-8")
    text = path.read_text("utf-8")
    path.write_text(text[: text.index("[unused]")], "utf-8")
    opened.tick(MONDAY + timedelta(minutes=5))
    (shown,) = list_issues(opened.kit.site, "weekly", now=opened.clock.now())
    assert shown.status == "held: publisher.toml has no mail server ([smtp])"
    assert opened.recipients == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('title = "The Weekly"\n', 'title = "The Weekly"\nsend = "none"\n', 'digests.weekly.send is "none" now'),
        (
            "https://review.example/leave",
            "https://review.example/goodbye",
            "settings have changed since it was approved",
        ),
    ],
)
def test_changed_settings_stop_a_run_that_has_begun(opened: ScheduledSite, old: str, new: str, reason: str) -> None:
    """The settings are read again while messages are sent; a file with errors changes nothing."""
    path = opened.kit.root / "publisher.toml"
    began = opened.kit.site
    settings = RereadSettings(began)
    text = path.read_text("utf-8")
    path.write_text(text + "[", "utf-8")
    assert settings.current() is began
    path.write_text(text.replace(old, new) + "\n", "utf-8")
    with opened.kit.open() as db, db.read() as connection:
        (row,) = opened.issues()
        assert stop_reason(connection, settings.current(), row.id, MONDAY).startswith(reason)


def test_editors_are_told_of_a_newsletter_that_is_taken_out(site: ScheduledSite) -> None:
    """Its approved issue is not sent."""
    path = site.kit.root / "publisher.toml"
    text = path.read_text("utf-8")
    start, end = text.index("[digests.weekly]"), text.index("[smtp]")
    path.write_text(text[:start] + '[digests.other]\ntitle = "Other"\ncadence = "0 7 1 1 *"\n\n' + text[end:], "utf-8")
    for at in (SUNDAY, MONDAY):
        site.tick(at)
    assert subjects(site) == ["[Held] The Weekly: Two"]
    assert "digests.weekly is no longer in publisher.toml" in text_of(site.editor_mails()[0])


def test_a_newsletter_that_is_taken_out_holds_its_issue(site: ScheduledSite) -> None:
    """Both return with it; nothing is consumed meanwhile."""
    path = site.kit.root / "publisher.toml"
    before = path.read_text("utf-8")
    site.kit.article("three.md", "Three")
    site.tick(SATURDAY)
    assert site.draft() is not None
    start, end = before.index("[digests.weekly]"), before.index("[smtp]")
    path.write_text(before[:start] + before[end:], "utf-8")
    site.tick(SUNDAY)
    assert reason_of(site).startswith("digests.weekly is no longer in publisher.toml")
    assert site.draft() is None
    path.write_text(before, "utf-8")
    site.tick(MONDAY)
    assert site.recipients == ["ann", "bert"]
    draft = site.draft()
    assert draft is not None and draft.subject == "The Weekly: Three"


def test_a_reason_releases_what_held_the_issue_when_it_was_given(site: ScheduledSite) -> None:
    """A later retraction holds it again."""
    retract(site.kit.site, SATURDAY, "one.md", "untrue")
    site.tick(SUNDAY)
    assert reason_of(site)
    force_issue(site.kit.site, "weekly", "the retraction is announced in it")
    assert reason_of(site) == ""
    retract(site.kit.site, SUNDAY, "two.md", "untrue, too")
    site.tick(MONDAY)
    assert "withdrawn" in reason_of(site)
    assert site.recipients == []


def test_a_reason_covers_no_later_withdrawal_of_the_same_article(site: ScheduledSite) -> None:
    """Subscribers would get an article that was published again, and then withdrawn for another reason."""
    retract(site.kit.site, SATURDAY, "one.md", "untrue")
    force_issue(site.kit.site, "weekly", "the retraction is announced in it")
    reinstate(site.kit.site, SATURDAY + timedelta(hours=1), "one.md")
    assert reason_of(site) == ""
    retract(site.kit.site, SUNDAY, "one.md", "libel")
    assert "withdrawn" in reason_of(site)
    force_issue(site.kit.site, "weekly", "so is this one")
    site.tick(MONDAY)
    assert site.recipients == ["ann", "bert"]


def test_a_reason_of_a_former_version_covers_its_articles(site: ScheduledSite) -> None:
    """An issue that was released before an upgrade would not be sent after it."""
    retract(site.kit.site, SATURDAY, "one.md", "untrue")
    force_issue(site.kit.site, "weekly", "the retraction is announced in it")
    (row,) = site.issues()
    with site.kit.open() as db, db.write() as connection:
        former = json.dumps(list(row.accepted_articles))
        connection.execute(update(issue).values(forced_articles=former))
    assert former.startswith("[") and reason_of(site) == ""


def test_an_issue_opens_within_the_hours_of_catching_up(site: ScheduledSite) -> None:
    """Later only ``publish send`` opens it."""
    late = MONDAY + timedelta(hours=site.kit.site.digests["weekly"].catch_up_hours, minutes=1)
    (held,) = site.tick(late).held
    assert "publish send weekly/2026-11-23T0700" in held.reason
    assert site.recipients == []
    deliver(site.kit.site, "weekly", clock=site.clock.now)
    assert site.recipients == ["ann", "bert"]


def test_publish_send_never_opens_before_the_slot(site: ScheduledSite) -> None:
    """The approval was for the slot."""
    site.clock.at = FRIDAY
    with pytest.raises(Exception, match="2026-11-23 07:00"):
        deliver(site.kit.site, "weekly", clock=site.clock.now)
    assert site.recipients == []
