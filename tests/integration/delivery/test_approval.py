"""Approval: the plan, the version that a person has seen, refusals, and what is fixed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from publisher.digests import store as issues
from publisher.digests.variants_store import load_variants
from publisher.errors import IssueHeld, SendingBlocked, SettingsError
from publisher.pipeline.approve import ApprovalTime
from tests.conftest import MailKit
from tests.support.copies import Copies
from tests.support.issues import force_draft
from tests.support.scheduled_site import FRIDAY, MONDAY, SATURDAY, SUNDAY, ScheduledSite, text_of
from tests.support.smtp import Server
from tests.support.use_cases import deliver, pause, plan_approval, publish, reopen, resume


def write_two_articles(kit: MailKit) -> None:
    """Set up a weekly newsletter with two articles and two subscribers."""
    with Server() as server:
        ScheduledSite(kit, server).subscribe("ann", "bert")
    kit.article("one.md", "One")
    kit.article("two.md", "Two")


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[ScheduledSite]:
    """A weekly newsletter with two articles and two subscribers, on the Friday before its slot."""
    with copies.copy(request.param, write_two_articles, tmp_path / "site") as kit, Server() as server:
        yield ScheduledSite.again(kit, server)


@pytest.fixture
def lone_site(mail_kit: MailKit) -> Iterator[ScheduledSite]:
    """A weekly newsletter with an article and no subscribers, with SQLite."""
    with Server() as server:
        made = ScheduledSite(mail_kit, server)
        made.kit.article("one.md", "One")
        yield made


def stored_content(site: ScheduledSite) -> tuple[object, ...]:
    """Return headers, texts and files of the only issue."""
    (row,) = site.issues()
    with site.kit.open() as db, db.read() as connection:
        return row.subject, load_variants(connection, row.id), issues.issue_files(connection, row.id)


def test_a_plan_reads_articles_and_approves_nothing(site: ScheduledSite) -> None:
    """It has the subject, the articles in order, the number of people, and when the issue leaves."""
    plan = plan_approval(site.kit.site, "weekly", site.clock.now())
    assert (plan.draft.subject, plan.articles, plan.people) == ("The Weekly: Two", ("Two", "One"), 2)
    assert plan.sent == "Mon 2026-11-23 07:00"
    assert (plan.stops, plan.refused) == ((), ())
    assert site.issues() == []
    assert plan_approval(site.kit.site, "weekly", site.clock.now(), time=ApprovalTime.NOW).sent == "at once"


def test_a_plan_names_skipped_records(site: ScheduledSite) -> None:
    """An editor who misses an article learns why it is not in the draft."""
    site.kit.write("broken.md", "---\ntitle: [\n---\nText.\n")
    (reason,) = plan_approval(site.kit.site, "weekly", site.clock.now()).refused
    assert reason.startswith("broken.md")


def test_an_approved_issue_opens_at_its_slot(site: ScheduledSite) -> None:
    """No mail is sent before its slot; at its slot each subscriber gets it once."""
    # A program may pass the value of the enumeration.
    approval = site.approve(time="slot")  # type: ignore[arg-type]
    assert (approval.row.path, approval.row.slot, approval.opened) == ("weekly/2026-11-23T0700", MONDAY, None)
    assert site.draft() is None
    assert site.tick(MONDAY - timedelta(minutes=1)).opened == ()
    (opened,) = site.tick(MONDAY).opened
    assert (opened.path, opened.subscribers) == ("outbox/weekly/2026-11-23T0700", 2)
    site.tick(MONDAY + timedelta(minutes=5))
    assert site.recipients == ["ann", "bert"]


def test_approval_after_the_slot_opens_at_once(site: ScheduledSite) -> None:
    """The draft waits for its slot that has passed."""
    assert site.tick(MONDAY).opened == ()
    approval = site.approve(at=MONDAY + timedelta(hours=3))
    assert approval.opened is not None and approval.row.slot == MONDAY
    site.tick()
    assert site.recipients == ["ann", "bert"]


@pytest.mark.parametrize("time", [ApprovalTime.SLOT, ApprovalTime.NOW])
def test_approval_after_a_slot_that_was_not_run_yet_takes_it(site: ScheduledSite, time: ApprovalTime) -> None:
    """The issue opens at once; the run of the slot finds it, and the next slot stays free."""
    after = MONDAY + timedelta(minutes=2)
    approval = site.approve(at=after, time=time)
    assert approval.opened is not None and approval.row.slot == MONDAY
    site.tick(after + timedelta(minutes=3))
    assert site.recipients == ["ann", "bert"]
    site.kit.article("three.md", "Three", date="2026-11-24")
    assert site.approve(at=MONDAY + timedelta(days=1)).row.slot == MONDAY + timedelta(days=7)


def test_an_article_of_a_later_date_is_not_in_an_issue_of_a_slot_that_was_not_run_yet(lone_site: ScheduledSite) -> None:
    """It is approved for the next slot, also if the passed one has no other article."""
    site = lone_site
    site.subscribe("ann")
    site.kit.article("one.md", "One", date="2026-11-25")
    approval = site.approve(at=MONDAY + timedelta(minutes=2))
    assert (approval.opened, approval.row.slot) == (None, MONDAY + timedelta(days=7))


def test_approval_out_of_turn_leaves_the_slot_free(site: ScheduledSite) -> None:
    """The next articles leave at the slot."""
    approval = site.approve(time=ApprovalTime.OUT_OF_TURN)
    assert approval.opened is not None and approval.row.slot == FRIDAY
    site.kit.article("three.md", "Three")
    assert site.approve(at=SATURDAY).row.slot == MONDAY
    site.tick(MONDAY)
    assert [message["Subject"] for message in site.messages("ann")] == ["The Weekly: Two", "The Weekly: Three"]


def test_approval_now_takes_the_slot(site: ScheduledSite) -> None:
    """The slot has its issue: the next articles leave a week later."""
    assert site.approve(time=ApprovalTime.NOW).row.slot == MONDAY
    site.kit.article("three.md", "Three")
    assert site.approve(at=SATURDAY).row.slot == MONDAY + timedelta(days=7)
    site.tick(MONDAY)
    assert [message["Subject"] for message in site.messages("ann")] == ["The Weekly: Two"]


def test_an_edit_after_the_approval_changes_nothing_that_is_mailed(site: ScheduledSite) -> None:
    """Text, headers and bytes are fixed, and the mailed text is the approved one."""
    site.approve()
    before = stored_content(site)
    site.kit.article("one.md", "One, again", body="Another text.")
    site.kit.article("three.md", "Three")
    (root := site.kit.root / "templates" / "issue").mkdir(parents=True)
    (root / "subject.txt.j2").write_text("Another subject")
    publish(site.kit.site, SATURDAY)
    site.tick(SUNDAY)
    assert stored_content(site) == before
    site.tick(MONDAY)
    assert stored_content(site) == before
    message = site.messages("ann")[0]
    assert message["Subject"] == "The Weekly: Two"
    assert "again" not in text_of(message) and "Three" not in text_of(message)


def test_a_version_that_was_seen_is_approved(site: ScheduledSite) -> None:
    """The hash, or its first characters, name the version."""
    seen = plan_approval(site.kit.site, "weekly", site.clock.now()).draft.hash
    later = plan_approval(site.kit.site, "weekly", SATURDAY).draft.hash
    assert seen == later
    site.approve(expect=seen[:8], at=SATURDAY)
    assert [row.approved for row in site.issues()] == [seen]


@pytest.mark.parametrize("expect", ["", "0", "0123456789abcdef"])
def test_an_unknown_version_is_refused(lone_site: ScheduledSite, expect: str) -> None:
    """Also an empty one, as of a shell variable that is not set."""
    lone_site.subscribe("ann")
    with pytest.raises(SettingsError, match="that version is not known any more; look at the draft again"):
        lone_site.approve(expect=expect)
    assert lone_site.issues() == []


def test_a_changed_draft_is_refused_with_its_changes(site: ScheduledSite) -> None:
    """Articles that were added, left out and edited, the order, the subject and settings are named."""
    kit = site.kit
    kit.article("three.md", "Three", date="2026-11-19")
    seen = plan_approval(kit.site, "weekly", site.clock.now()).draft.hash
    kit.article("one.md", "One", body="Another text.")
    kit.article("four.md", "Four")
    kit.article("three.md", "Three", date="2026-11-19", draft="true")
    site.replace_setting('sender = "The Test Review', 'sender = "Another Review')
    with pytest.raises(SettingsError) as refusal:
        site.approve(expect=seen, at=SATURDAY)
    first, *changes = str(refusal.value).split("\n  ")
    assert first.startswith(f"the draft of weekly is not {seen} any more. It is ")
    assert changes == [
        "subject: 'The Weekly: Two' is 'The Weekly: Four' now",
        "settings: mail.sender",
        "added: Four",
        "left out: Three",
        "edited: One",
    ]
    assert site.issues() == []


def test_a_changed_template_is_a_change_too(lone_site: ScheduledSite) -> None:
    """The version is of the text that is mailed."""
    lone_site.subscribe("ann")
    seen = plan_approval(lone_site.kit.site, "weekly", FRIDAY).draft.hash
    lone_site.kit.add_settings('\n[theme]\naccent = "#aa0000"\n')
    with pytest.raises(SettingsError, match="the theme or a template has changed"):
        lone_site.approve(expect=seen)


def test_nobody_to_mail_is_refused_where_the_send_would_open(lone_site: ScheduledSite) -> None:
    """Before its slot, somebody may still subscribe; at its slot, the issue waits for somebody."""
    site = lone_site
    with pytest.raises(SettingsError, match="weekly has no subscribers: no one would get its articles"):
        site.approve(time=ApprovalTime.NOW)
    (stop,) = plan_approval(site.kit.site, "weekly", FRIDAY, time=ApprovalTime.NOW).stops
    assert stop.startswith("weekly has no subscribers")
    assert plan_approval(site.kit.site, "weekly", FRIDAY).stops == ()
    site.approve()
    assert [held.reason for held in site.tick(MONDAY).held] == [
        "weekly has no subscribers yet; it opens once it has one"
    ]
    with pytest.raises(IssueHeld, match="weekly/2026-11-23T0700 is held: weekly has no subscribers yet"):
        deliver(site.kit.site, "weekly", clock=site.clock.now)
    site.subscribe("ann")
    site.tick(MONDAY + timedelta(hours=1))
    assert site.recipients == ["ann"]


def test_an_issue_that_no_subscriber_wants_is_refused(lone_site: ScheduledSite) -> None:
    """Its articles would be brought to nobody; they stay for somebody who subscribes later."""
    site = lone_site
    site.subscribe("ann", follows={"topics": ["Water"]})
    with pytest.raises(SettingsError, match="no subscriber would get weekly now"):
        site.approve(time=ApprovalTime.NOW)
    site.subscribe("bert")
    site.approve(time=ApprovalTime.NOW)
    site.tick()
    assert site.recipients == ["bert"]


def test_without_a_draft_there_is_nothing_to_approve(lone_site: ScheduledSite) -> None:
    """The errors name an unknown newsletter, and one without new articles."""
    (lone_site.kit.root / "articles" / "one.md").unlink()
    with pytest.raises(SettingsError, match="weekly has no draft: nothing new"):
        lone_site.approve()
    with pytest.raises(SettingsError, match=r"there is no digest 'monthly'\. publisher.toml has: weekly"):
        lone_site.approve("monthly")


def test_below_the_minimum_a_person_may_approve(mail_kit: MailKit) -> None:
    """At its slot the editors are told nothing and nothing opens."""
    with Server() as server:
        site = ScheduledSite(mail_kit, server, weekly="at_least = 3\n")
        site.subscribe("ann")
        site.kit.article("one.md", "One")
        site.tick(MONDAY)
        assert (site.editor_mails(), site.recipients) == ([], [])
        site.approve()
        site.tick(MONDAY + timedelta(days=7))
        assert site.recipients == ["ann"]


def test_placeholder_values_stop_the_approval_of_mail_to_real_people(lone_site: ScheduledSite) -> None:
    """Test recipients may get them."""
    site = lone_site
    site.subscribe("ann")
    path = site.kit.root / "more.csv"
    path.write_text("address,digests\nann@posteo.de,weekly\n")
    from tests.support.use_cases import import_list

    import_list(site.kit.site, path, FRIDAY)
    with pytest.raises(SendingBlocked, match="1 recipient would get placeholder values"):
        site.approve()
    assert site.issues() == []


def test_errors_stop_the_approval_until_they_are_forced(site: ScheduledSite) -> None:
    """The reason covers the errors that were shown; with another one, it lapses."""
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.")
    (stop,) = plan_approval(site.kit.site, "weekly", FRIDAY).stops
    assert "publish check weekly" in stop
    with pytest.raises(SettingsError, match="weekly cannot be approved: "):
        site.approve()
    force_draft(site.kit.site, "weekly", "it is about typesetting")
    assert plan_approval(site.kit.site, "weekly", FRIDAY).stops == ()
    site.kit.article("two.md", "Two", body="Dear {{ first_name }}, see below.")
    with pytest.raises(SettingsError, match=r"weekly cannot be approved: .* and 1 more"):
        site.approve(at=SATURDAY)
    site.kit.article("two.md", "Two")
    assert site.approve(at=SATURDAY).row.forced == "it is about typesetting"
    site.tick(MONDAY)
    assert site.recipients == ["ann", "bert"]


def test_a_reopened_issue_is_a_draft_again_that_follows_its_articles(site: ScheduledSite) -> None:
    """Its number and slot are free again; the mailed text is the corrected one."""
    first = site.approve()
    site.kit.article("one.md", "One, corrected")
    assert reopen(site.kit.site, "weekly", SATURDAY).id == first.row.id
    assert site.issues() == []
    again = site.approve(at=SUNDAY)
    assert (again.row.number, again.row.slot) == (1, MONDAY)
    assert again.row.id != first.row.id
    site.tick(MONDAY)
    assert "One, corrected" in text_of(site.messages("ann")[0])
    with pytest.raises(SettingsError, match="no approved issue of weekly waits for its slot"):
        reopen(site.kit.site, "weekly", MONDAY)
    with pytest.raises(SettingsError, match="cannot be reopened: its send has opened"):
        reopen(site.kit.site, "weekly/2026-11-23T0700", MONDAY)


@pytest.mark.postgresql
def test_an_issue_that_is_reopened_after_its_slot_waits_for_a_person(site: ScheduledSite) -> None:
    """It was held at its slot; once it is approved again, it leaves at once with its slot."""
    row = site.approve().row
    pause(site.kit.site, row.path)
    assert site.tick(MONDAY).opened == ()
    reopen(site.kit.site, "weekly", MONDAY + timedelta(hours=1))
    site.tick(MONDAY + timedelta(hours=2))
    assert site.recipients == []
    assert site.approve(at=MONDAY + timedelta(hours=3)).row.slot == MONDAY
    site.tick()
    assert site.recipients == ["ann", "bert"]


def test_a_paused_issue_does_not_open_at_its_slot(site: ScheduledSite) -> None:
    """Once it is resumed within ``catch_up_hours``, it does."""
    site.approve()
    assert pause(site.kit.site, "weekly").is_paused
    assert site.tick(MONDAY).opened == ()
    resume(site.kit.site, "weekly")
    site.tick(MONDAY + timedelta(hours=1))
    assert site.recipients == ["ann", "bert"]
