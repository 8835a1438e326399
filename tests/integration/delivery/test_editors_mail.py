"""Mail to editors: drafts at their slots, automatic issues with errors, held and late issues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.conftest import MailKit
from tests.support.deliveries import at
from tests.support.scheduled_site import EDITOR, FRIDAY, MONDAY, SATURDAY, SUNDAY, ScheduledSite, text_of
from tests.support.smtp import Drop, Script, Server
from tests.support.use_cases import plan_approval, reopen

NEXT_MONDAY = MONDAY + timedelta(days=7)
MakeSite = Callable[..., ScheduledSite]


@pytest.fixture
def make_site(mail_kit: MailKit) -> Iterator[MakeSite]:
    """Return a function that makes a weekly newsletter with one article and two subscribers."""
    with Server() as server:

        def make(weekly: str = "", more: str = "") -> ScheduledSite:
            site = ScheduledSite(mail_kit, server, weekly=weekly, more=more)
            site.subscribe("ann", "bert")
            site.kit.article("one.md", "One")
            return site

        yield make


def test_editors_are_told_at_the_slot(make_site: MakeSite) -> None:
    """Not before it, and once: the content, the number of people, the preflight, how to approve."""
    site = make_site()
    for moment in (FRIDAY, SATURDAY, MONDAY - timedelta(seconds=1)):
        site.tick(moment)
    assert site.editor_mails() == []
    for minutes in (0, 1, 60, 60 * 24):
        site.tick(MONDAY + timedelta(minutes=minutes))
    (mail,) = site.editor_mails()
    assert mail["Subject"] == "[Draft] The Weekly: One"
    text = text_of(mail)
    assert text.startswith("Draft of weekly No. 1 for 2 subscribers.\n")
    assert "The preflight found" in text
    draft = site.draft()
    assert draft is not None
    assert f"publish approve weekly --expect {draft.hash}" in text
    assert "One" in text.partition("=" * 72)[2]
    assert site.recipients == []


def test_the_mail_counts_silenced_findings(make_site: MakeSite) -> None:
    """An editor who approves from the mail would not know that the settings leave a finding out."""
    site = make_site(more='[checks]\nsilence = ["dummy-text@one"]\n')
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.")
    site.tick(MONDAY)
    text = text_of(site.editor_mails()[0])
    assert "\n1 finding silenced: dummy-text.\n" in text
    assert "error dummy-text" not in text and "cannot be approved" not in text


def test_the_version_in_the_mail_can_be_approved(make_site: MakeSite) -> None:
    """The hash names the text below it."""
    site = make_site()
    site.tick(MONDAY)
    text = text_of(site.editor_mails()[0])
    site.approve(expect=text.partition("--expect ")[2].split()[0], at=MONDAY + timedelta(hours=2))
    site.tick()
    assert site.recipients == ["ann", "bert"]


def test_an_approved_issue_is_not_told(make_site: MakeSite) -> None:
    """The editors know of it."""
    site = make_site()
    site.approve()
    site.tick(MONDAY)
    assert (site.editor_mails(), site.recipients) == ([], ["ann", "bert"])


def test_the_draft_in_the_mail_is_the_newest(make_site: MakeSite) -> None:
    """It followed its articles until its slot, and goes on following them."""
    site = make_site()
    site.tick(SATURDAY)
    site.kit.article("one.md", "One, corrected")
    site.tick(MONDAY)
    assert site.editor_mails()[0]["Subject"] == "[Draft] The Weekly: One, corrected"
    site.kit.article("two.md", "Two")
    site.tick(MONDAY + timedelta(hours=1))
    draft = site.draft()
    assert draft is not None and (len(draft.articles), draft.slot) == (2, MONDAY)
    assert len(site.editor_mails()) == 1


def test_a_second_slot_is_told_louder(make_site: MakeSite) -> None:
    """With the articles that ``at_most`` pushed out; no second issue piles up."""
    site = make_site("at_most = 2\n")
    site.approve()
    site.tick(MONDAY)
    last_monday = NEXT_MONDAY + timedelta(days=7)
    for number, slot in ((2, NEXT_MONDAY), (3, last_monday), (4, last_monday)):
        site.clock.at = slot - timedelta(days=1)
        site.kit.article(f"a{number}.md", f"Story {number}", date=f"{slot - timedelta(days=5 - number):%Y-%m-%d}")
        site.tick()
        for hours in (0, 1):
            site.tick(slot + timedelta(hours=hours))
    first, second = site.editor_mails()
    assert first["Subject"].startswith("[Draft] ")
    assert second["Subject"].startswith("[Draft, waiting] ")
    text = text_of(second)
    assert "STILL WAITING: its slot of Mon 2026-11-30 07:00 has passed too." in text
    assert "no room" not in text_of(first)
    assert first["Message-ID"] != second["Message-ID"]
    assert len(site.issues()) == 1
    draft = site.draft()
    assert draft is not None and (draft.number, draft.slot) == (2, last_monday)
    approval = site.approve()
    assert (approval.row.number, approval.row.slot) == (2, last_monday)


def test_a_second_slot_names_what_the_draft_has_no_room_for(make_site: MakeSite) -> None:
    """The next issue brings it."""
    site = make_site("at_most = 2\n")
    site.approve()
    site.tick(MONDAY)
    site.kit.article("a2.md", "Story 2", date="2026-11-24")
    site.tick(NEXT_MONDAY)
    for number in (3, 4, 5):
        site.kit.article(f"a{number}.md", f"Story {number}", date=f"2026-12-0{number - 2}")
    site.tick(NEXT_MONDAY + timedelta(days=7))
    first, second = site.editor_mails()
    assert "It is full" not in text_of(first)
    assert "It is full. 2 more wait for the issue after it:\n  Story 3\n  Story 2\n" in text_of(second)
    site.approve()
    site.tick()
    site.kit.article("a6.md", "Story 6", date="2026-12-08")
    site.approve(at=NEXT_MONDAY + timedelta(days=8))
    site.tick(NEXT_MONDAY + timedelta(days=14))
    titles = [[line for line in ("Story 2", "Story 3") if line in text_of(mail)] for mail in site.messages("ann")]
    assert titles[1] == []
    assert titles[2] == ["Story 3"]


def test_a_reopened_issue_is_told_at_its_next_slot(make_site: MakeSite) -> None:
    """It waits for a person again."""
    site = make_site()
    site.approve()
    reopen(site.kit.site, "weekly", SUNDAY)
    site.tick(SUNDAY)
    assert site.editor_mails() == []
    site.tick(MONDAY)
    assert [mail["Subject"] for mail in site.editor_mails()] == ["[Draft] The Weekly: One"]


def test_an_automatic_issue_with_errors_is_told_and_opens_when_they_are_mended(make_site: MakeSite) -> None:
    """Within ``catch_up_hours``; before that no mail is sent."""
    site = make_site('send = "auto"\n')
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.")
    for minutes in (0, 5):
        site.tick(MONDAY + timedelta(minutes=minutes))
    (mail,) = site.editor_mails()
    assert mail["Subject"].startswith("[Draft] ")
    assert "error dummy-text" in text_of(mail)
    assert "It cannot be approved before its errors are fixed." in text_of(mail)
    assert site.recipients == []
    site.kit.article("one.md", "One", body="Mended.")
    site.tick(MONDAY + timedelta(hours=1))
    assert site.recipients == ["ann", "bert"]
    assert "Mended." in text_of(site.messages("ann")[0])
    assert [row.slot for row in site.issues()] == [MONDAY]


def test_editors_are_told_again_if_the_errors_of_an_automatic_issue_change(make_site: MakeSite) -> None:
    """Once for the same ones, whatever else changes."""
    site = make_site('send = "auto"\n')
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.")
    site.tick(MONDAY)
    site.kit.article("one.md", "One, corrected", body="Lorem ipsum dolor sit amet.")
    site.tick(MONDAY + timedelta(minutes=5))
    assert len(site.editor_mails()) == 1
    site.kit.article("one.md", "One, corrected", body="Dear {{ first_name }}, see below.")
    for minutes in (10, 15):
        site.tick(MONDAY + timedelta(minutes=minutes))
    first, second = site.editor_mails()
    assert "Its errors have changed since the last mail." not in text_of(first)
    assert "Its errors have changed since the last mail." in text_of(second)
    assert second["Subject"].startswith("[Draft] ")


def test_editors_are_told_of_errors_of_an_automatic_newsletter_without_a_cadence(make_site: MakeSite) -> None:
    """Nothing opens until they are fixed; with too few articles nothing would open anyway."""
    site = make_site(more='[digests.notes]\ntitle = "Notes"\nsend = "auto"\nat_least = 2\n')
    site.subscribe("cleo", digests=("notes",))
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.")
    site.tick(SATURDAY)
    assert site.editor_mails() == []
    site.kit.article("two.md", "Two")
    for minutes in (5, 10):
        site.tick(SATURDAY + timedelta(minutes=minutes))
    assert [mail["Subject"] for mail in site.editor_mails()] == ["[Draft] Notes: Two"]
    assert site.recipients == []
    site.kit.article("one.md", "One")
    site.tick(SATURDAY + timedelta(minutes=15))
    assert site.recipients == ["cleo"]


def test_editors_are_told_once_if_a_send_does_not_open(make_site: MakeSite) -> None:
    """Each run tries again: here the newsletter has no subscribers at its slot."""
    site = make_site()
    site.approve()
    for name in ("ann", "bert"):
        site.unsubscribe(name)
    for minutes in (0, 5):
        site.tick(MONDAY + timedelta(minutes=minutes))
    assert [mail["Subject"] for mail in site.editor_mails()] == ["[Held] The Weekly: One"]
    assert "weekly has no subscribers yet" in text_of(site.editor_mails()[0])
    site.subscribe("cleo")
    site.tick(MONDAY + timedelta(minutes=10))
    assert site.recipients == ["cleo"]


def test_an_automatic_issue_that_is_mended_too_late_waits_for_its_next_slot(make_site: MakeSite) -> None:
    """The news of the morning is not mailed at any time of the week."""
    site = make_site('send = "auto"\n')
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.")
    site.tick(MONDAY)
    late = MONDAY + timedelta(hours=site.kit.site.digests["weekly"].catch_up_hours + 1)
    site.clock.at = late
    site.kit.article("one.md", "One", body="Mended.")
    site.tick(late)
    assert site.recipients == []
    site.tick(NEXT_MONDAY)
    assert site.recipients == ["ann", "bert"]
    assert [row.slot for row in site.issues()] == [NEXT_MONDAY]


def test_an_automatic_issue_without_errors_is_not_told(make_site: MakeSite) -> None:
    """It needs nobody."""
    site = make_site('send = "auto"\n')
    site.tick(MONDAY)
    assert (site.editor_mails(), site.recipients) == ([], ["ann", "bert"])


def test_a_draft_without_mail_is_not_told(make_site: MakeSite) -> None:
    """``send = "none"``: it is fixed at its slot, and shown on the web."""
    site = make_site('send = "none"\n')
    site.tick(MONDAY)
    assert (site.editor_mails(), site.recipients) == ([], [])
    assert [row.slot for row in site.issues()] == [MONDAY]


def test_a_draft_without_a_cadence_is_told_from_the_start(make_site: MakeSite) -> None:
    """Approval alone opens it."""
    site = make_site(more='[digests.notes]\ntitle = "Notes"\n')
    site.tick(SATURDAY)
    assert [mail["Subject"] for mail in site.editor_mails()] == ["[Draft] Notes: One"]
    site.tick(SUNDAY)
    assert len(site.editor_mails()) == 1


def test_an_issue_that_is_too_late_to_open_is_told_once(make_site: MakeSite) -> None:
    """With the command that opens it."""
    site = make_site()
    site.approve()
    late = MONDAY + timedelta(hours=site.kit.site.digests["weekly"].catch_up_hours, minutes=1)
    for minutes in (0, 5):
        site.tick(late + timedelta(minutes=minutes))
    (mail,) = site.editor_mails()
    assert mail["Subject"].startswith("[Held] ")
    assert "To send it: publish send weekly/2026-11-23T0700" in text_of(mail)


def test_a_mail_that_fails_is_tried_again(make_site: MakeSite) -> None:
    """The draft counts as told once the server has accepted the mail."""
    site = make_site()
    site.server.script = at("connect", "554 no", times=1)
    report = site.tick(MONDAY)
    assert [error.partition(":")[0] for error in report.draft_errors] == [
        "editors were not sent weekly/2026-11-23T0700"
    ]
    site.server.script = Script()
    site.tick(MONDAY + timedelta(minutes=5))
    site.tick(MONDAY + timedelta(minutes=10))
    assert len(site.editor_mails()) == 1


def editors_reached(site: ScheduledSite) -> list[str]:
    """Return the names of the editors, once for each message that the server accepted."""
    return [name.partition("@")[0] for name in site.server.recipients if name.endswith("@review.example")]


def with_three_editors(site: ScheduledSite) -> None:
    """Add two editors."""
    site.replace_setting(f'["{EDITOR}"]', f'["{EDITOR}", "al@review.example", "Bo <bo@review.example>"]')


@pytest.mark.parametrize("reply", ["451 later", "421 closing", Drop])
def test_only_the_editor_who_was_not_reached_gets_the_mail_again(
    make_site: MakeSite, reply: str | type[Exception]
) -> None:
    """Each run names that one until the mail is accepted; the others have it once."""
    site = make_site()
    with_three_editors(site)
    site.server.script = at("rcpt", reply, times=100, recipient="al@review.example")
    for minutes in (0, 5):
        report = site.tick(MONDAY + timedelta(minutes=minutes))
        assert any(error.startswith("al@review.example was not sent weekly/") for error in report.draft_errors)
        assert "al" not in editors_reached(site)
    before = editors_reached(site)
    assert len(before) == len(set(before))
    site.server.script = Script()
    assert site.tick(MONDAY + timedelta(minutes=10)).draft_errors == ()
    site.tick(MONDAY + timedelta(minutes=15))
    assert sorted(editors_reached(site)) == ["al", "bo", "ed"]


def test_an_editor_whose_address_is_refused_is_reported_and_not_tried_again(make_site: MakeSite) -> None:
    """The others get their mail once, and the next slot tries the address again."""
    site = make_site()
    with_three_editors(site)
    site.server.script = at("rcpt", "550 5.1.1 no such user", times=100, recipient="al@review.example")
    (error,) = site.tick(MONDAY).draft_errors
    assert error.startswith("al@review.example was not sent weekly/2026-11-23T0700: ") and "550 5.1.1" in error
    assert site.tick(MONDAY + timedelta(minutes=5)).draft_errors == ()
    assert sorted(editors_reached(site)) == ["bo", "ed"]
    site.server.script = Script()
    site.tick(NEXT_MONDAY)
    assert sorted(editors_reached(site)) == ["al", "bo", "bo", "ed", "ed"]


def test_a_mail_that_one_editor_still_has_to_get_is_not_mistaken_for_that_of_the_next_issue(
    make_site: MakeSite,
) -> None:
    """The issue is approved in the meantime; every editor gets the mail about the next one."""
    site = make_site()
    with_three_editors(site)
    site.server.script = at("rcpt", "451 later", times=100, recipient="al@review.example")
    site.tick(MONDAY)
    site.approve(at=MONDAY + timedelta(hours=1))
    site.server.script = Script()
    site.tick()
    assert sorted(editors_reached(site)) == ["bo", "ed"]
    site.kit.article("two.md", "Two", date="2026-11-24")
    site.tick(NEXT_MONDAY)
    assert sorted(editors_reached(site)) == ["al", "bo", "bo", "ed", "ed"]


def test_the_number_of_people_leaves_out_those_who_have_the_articles(make_site: MakeSite) -> None:
    """As the send would, if it opened now."""
    site = make_site(more='[digests.notes]\ntitle = "Notes"\n')
    site.subscribe("ann", digests=("weekly", "notes"))
    site.approve("notes")
    site.tick()
    assert site.recipients == ["ann"]
    assert plan_approval(site.kit.site, "weekly", FRIDAY).people == 1
    site.tick(MONDAY)
    assert text_of(site.editor_mails()[0]).startswith("Draft of weekly No. 1 for 1 subscribers.")
