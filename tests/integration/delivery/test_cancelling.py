"""Cancelling an issue: what was not handed over is not sent, and its articles return to those without them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from publisher.errors import SettingsError
from publisher.pipeline.approve import ApprovalTime
from tests.conftest import MailKit
from tests.support.copies import Copies
from tests.support.deliveries import states
from tests.support.scheduled_site import FRIDAY, MONDAY, SATURDAY, ScheduledSite, text_of
from tests.support.smtp import Server
from tests.support.use_cases import cancel, deliver, reopen

NOTES = '[digests.notes]\ntitle = "Notes"\n'
TITLES = ("One", "Two", "Three", "Four")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


def write_two_articles(kit: MailKit) -> None:
    """Set up a weekly newsletter with two articles and four subscribers, and another newsletter."""
    with Server() as server:
        ScheduledSite(kit, server, more=NOTES).subscribe("ann", "bert", "carl", "dora")
    kit.article("one.md", "One")
    kit.article("two.md", "Two")


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path, server: Server) -> Iterator[ScheduledSite]:
    """A weekly newsletter with two articles and four subscribers, and another newsletter."""
    with copies.copy(request.param, write_two_articles, tmp_path / "site") as kit:
        yield ScheduledSite.again(kit, server)


def send_some(site: ScheduledSite, digest: str = "weekly", *, limit: int) -> None:
    """Open the send of a newsletter now, and send a part of it."""
    approval = site.approve(digest, time=ApprovalTime.NOW)
    assert approval.opened is not None
    deliver(site.kit.site, digest, limit=limit, clock=site.clock.now)


def titles(site: ScheduledSite, name: str) -> list[list[str]]:
    """Return the articles in each message to a subscriber."""
    return [[title for title in TITLES if title in text_of(message)] for message in site.messages(name)]


def test_what_was_not_handed_over_is_not_sent(site: ScheduledSite) -> None:
    """The others keep what they have; a second cancellation has nothing to do."""
    send_some(site, limit=2)
    row, cancelled = cancel(site.kit.site, "weekly", FRIDAY)
    assert cancelled == 2
    assert states(site.kit) == {"accepted": 2, "cancelled": 2}
    site.tick(MONDAY)
    assert len(site.recipients) == 2
    with pytest.raises(SettingsError, match="no message of it is left to be sent: there is nothing to cancel"):
        cancel(site.kit.site, row.path, MONDAY)


def test_returned_articles_make_no_draft_by_themselves(site: ScheduledSite) -> None:
    """They come with the next new article, and only to those who went without them."""
    send_some(site, limit=2)
    got = set(site.recipients)
    cancel(site.kit.site, "weekly", FRIDAY)
    for at in (SATURDAY, MONDAY):
        site.tick(at)
        assert site.draft() is None
    site.kit.article("three.md", "Three", date="2026-11-24")
    site.approve(at=MONDAY + timedelta(days=2), time=ApprovalTime.NOW)
    site.tick()
    for name in ("ann", "bert", "carl", "dora"):
        expected = [["One", "Two"], ["Three"]] if name in got else [["One", "Two", "Three"]]
        assert titles(site, name) == expected


def test_returned_articles_do_not_count_for_the_minimum(mail_kit: MailKit, server: Server) -> None:
    """One new article and two returned ones are one."""
    site = ScheduledSite(mail_kit, server, weekly="at_least = 2\n")
    site.subscribe("ann", "bert")
    site.kit.article("one.md", "One")
    site.kit.article("two.md", "Two")
    send_some(site, limit=1)
    cancel(site.kit.site, "weekly", FRIDAY)
    site.kit.article("three.md", "Three", date="2026-11-28")
    site.tick(MONDAY + timedelta(days=7))
    draft = site.draft()
    assert draft is not None and len(draft.articles) == 3
    assert site.editor_mails() == []
    site.kit.article("four.md", "Four", date="2026-12-05")
    site.tick(MONDAY + timedelta(days=14))
    (mail,) = site.editor_mails()
    assert [title for title in TITLES if title in text_of(mail)] == list(TITLES)


def test_a_cancelled_issue_keeps_its_number_name_and_id(site: ScheduledSite) -> None:
    """Nothing is used again."""
    send_some(site, limit=1)
    first = cancel(site.kit.site, "weekly", FRIDAY)[0]
    site.kit.article("three.md", "Three")
    second = site.approve(at=SATURDAY).row
    assert (first.number, second.number) == (1, 2)
    assert second.name != first.name and second.id > first.id
    with pytest.raises(SettingsError, match="was cancelled on 2026-11-20"):
        deliver(site.kit.site, first.path, clock=site.clock.now)


def test_the_id_of_a_reopened_issue_is_not_used_again(site: ScheduledSite) -> None:
    """A link of a test message must never mean another issue."""
    numbers = []
    for _ in range(3):
        numbers.append(site.approve().row.id)
        reopen(site.kit.site, "weekly", FRIDAY)
    assert len(set(numbers)) == 3 and numbers == sorted(numbers)


def test_articles_return_to_a_newsletter_that_left_them_out(site: ScheduledSite) -> None:
    """Its issue had them for others, while the cancelled one was to bring them to its own subscribers."""
    site.subscribe("ann", digests=("weekly", "notes"))
    site.subscribe("eve", digests=("notes",))
    # Nothing of the weekly is handed over yet.
    approval = site.approve(time=ApprovalTime.NOW)
    assert approval.opened is not None
    site.approve("notes")
    deliver(site.kit.site, "notes", clock=site.clock.now)
    assert site.recipients == ["eve"]
    cancel(site.kit.site, "weekly", FRIDAY)
    site.tick(SATURDAY)
    assert site.draft("notes") is None
    site.kit.article("three.md", "Three")
    site.approve("notes", SATURDAY)
    site.tick()
    assert titles(site, "ann") == [["One", "Two", "Three"]]
    assert titles(site, "eve") == [["One", "Two"], ["Three"]]
    # The weekly brings the rest of its subscribers what they went without, and Ann nothing that she has.
    site.kit.article("four.md", "Four", date="2026-11-21")
    site.approve(at=SATURDAY + timedelta(hours=1), time=ApprovalTime.NOW)
    site.tick()
    assert titles(site, "bert") == [["One", "Two", "Three", "Four"]]
    assert titles(site, "ann") == [["One", "Two", "Three"], ["Four"]]


@pytest.mark.parametrize("is_repeating", [False, True])
def test_articles_do_not_return_to_a_newsletter_whose_subscribers_have_them(
    mail_kit: MailKit, server: Server, is_repeating: bool
) -> None:
    """Nobody of it went without them: it does not show them a second time."""
    site = ScheduledSite(mail_kit, server, more=NOTES + ("repeat = true\n" if is_repeating else ""))
    site.subscribe("ann")
    site.subscribe("eve", digests=("weekly", "notes") if is_repeating else ("notes",))
    site.kit.article("one.md", "One")
    site.approve(time=ApprovalTime.NOW)
    site.approve("notes")
    deliver(site.kit.site, "notes", clock=site.clock.now)
    cancel(site.kit.site, "weekly", FRIDAY)
    site.kit.article("three.md", "Three")
    site.tick(SATURDAY)
    draft = site.draft("notes")
    assert draft is not None and len(draft.articles) == 1
    weekly = site.draft()
    assert weekly is not None and len(weekly.articles) == 2


def test_people_who_left_are_not_mailed_what_returned(site: ScheduledSite) -> None:
    """Nor are people who have it from the cancelled issue."""
    send_some(site, limit=1)
    (got,) = site.recipients
    cancel(site.kit.site, "weekly", FRIDAY)
    left = next(name for name in ("ann", "bert", "carl", "dora") if name != got)
    site.unsubscribe(left)
    site.kit.article("three.md", "Three")
    site.approve(at=SATURDAY, time=ApprovalTime.NOW)
    site.tick()
    assert titles(site, left) == []
    assert titles(site, got) == [["One", "Two"], ["Three"]]


def test_an_issue_that_is_not_open_is_reopened_and_not_cancelled(site: ScheduledSite) -> None:
    """Nobody has got anything of it."""
    site.approve()
    with pytest.raises(SettingsError, match="has not opened: 'publish reopen weekly' undoes it"):
        cancel(site.kit.site, "weekly", FRIDAY)
    assert [row.is_waiting for row in site.issues()] == [True]


def test_cancelling_before_the_first_message_returns_everything(site: ScheduledSite) -> None:
    """Everybody gets the articles with the next new one."""
    send_some(site, limit=0)
    assert cancel(site.kit.site, "weekly", FRIDAY)[1] == 4
    site.kit.article("three.md", "Three")
    site.approve(at=SATURDAY, time=ApprovalTime.NOW)
    site.tick()
    assert {name: titles(site, name) for name in ("ann", "bert", "carl", "dora")} == {
        key: [["One", "Two", "Three"]] for key in ("ann", "bert", "carl", "dora")
    }
