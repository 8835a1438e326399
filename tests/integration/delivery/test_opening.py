"""Opening a send: the audience, each subscriber's selection, and what other newsletters have brought."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher.delivery.issue_life import opening
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import store as issues
from publisher.digests.compose import ComposedIssue
from publisher.digests.variants_store import load_variants
from publisher.model.report import OpenedSummary
from tests.conftest import MailKit
from tests.support.copies import Copies
from tests.support.issues import force_draft
from tests.support.scheduled_site import FRIDAY, MONDAY, SATURDAY, SUNDAY, ScheduledSite, text_of
from tests.support.smtp import Server
from tests.support.use_cases import check_site, context_of, force_issue, reopen, retract, suppress_by_operator

NOTES = '[digests.notes]\ntitle = "Notes"\ncadence = "0 7 * * mon"\n'


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


def write_two_articles(kit: MailKit) -> None:
    """Set up a weekly newsletter with two articles, and a second one at the same slots."""
    with Server() as server:
        ScheduledSite(kit, server, more=NOTES)
    kit.article("one.md", "One", topic="Water")
    kit.article("two.md", "Two", topic="Trade")


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path, server: Server) -> Iterator[ScheduledSite]:
    """A weekly newsletter with two articles, and a second one at the same slots."""
    with copies.copy(request.param, write_two_articles, tmp_path / "site") as kit:
        yield ScheduledSite.again(kit, server)


@pytest.fixture
def lone_site(copies: Copies, tmp_path: Path, server: Server) -> Iterator[ScheduledSite]:
    """The same with SQLite only."""
    with copies.copy("default", write_two_articles, tmp_path / "site") as kit:
        yield ScheduledSite.again(kit, server)


def variants(site: ScheduledSite, digest: str = "weekly") -> int:
    """Return the number of variants of the newest issue, with the one for everybody."""
    with site.kit.open() as db, db.read() as connection:
        return len(load_variants(connection, site.issues(digest)[-1].id))


def test_who_subscribes_between_approval_and_slot_gets_the_issue(site: ScheduledSite) -> None:
    """The audience is settled when the send opens; nobody who left by then is mailed."""
    site.subscribe("stays", "leaves", "is-suppressed", "pauses")
    site.approve()
    site.clock.at = SATURDAY
    site.subscribe("joins")
    site.unsubscribe("leaves")
    suppress_by_operator(site.kit.site, "is-suppressed@mail.example.org", SATURDAY)
    assert site.tick(MONDAY).opened[0].subscribers == 3
    assert site.recipients == ["joins", "pauses", "stays"]
    site.subscribe("is-late")
    site.tick(MONDAY + timedelta(hours=1))
    assert "is-late" not in site.recipients


def test_a_selection_that_was_not_seen_at_approval_is_rendered_from_the_fixed_text(site: ScheduledSite) -> None:
    """Also if the article has changed since."""
    site.subscribe("everything")
    site.approve()
    assert variants(site) == 1
    site.kit.article("one.md", "One, again", body="Another text.", topic="Water")
    site.clock.at = SATURDAY
    site.subscribe("water", follows={"topics": ["Water"]})
    site.subscribe("neither", follows={"topics": ["Arts"]})
    site.tick(SATURDAY)
    site.tick(MONDAY)
    assert site.recipients == ["everything", "water"]
    assert variants(site) == 2
    text = text_of(site.messages("water")[0])
    assert "One" in text and "again" not in text and "Another text." not in text
    assert "Two" not in text.replace("No. 1", "")


def test_changed_interests_count_until_the_send_opens(site: ScheduledSite) -> None:
    """The selection is of the moment in which the send opens."""
    site.subscribe("ann", follows={"topics": ["Trade"]})
    site.approve()
    site.clock.at = SATURDAY
    site.subscribe("ann", follows={"topics": ["Water"]})
    site.tick(MONDAY)
    text = text_of(site.messages("ann")[0])
    assert "One" in text and "Two" not in text


def set_preheader(site: ScheduledSite, template: str) -> None:
    """Give the weekly newsletter a preheader."""
    site.replace_setting('title = "The Weekly"\n', f"title = \"The Weekly\"\npreheader = '{template}'\n")


#: A preheader with half a placeholder for a selection of one article, and one that cannot be rendered for it.
ERROR_IN_A_PART = "{% if stories %}All{% else %}@@unsubscribe{% endif %}"
FAILURE_IN_A_PART = "{{ stories[0].title }}"


@pytest.mark.parametrize(
    ("preheader", "reason"),
    [
        (ERROR_IN_A_PART, "what a part of the subscribers would get has 1 error, the first: "),
        (FAILURE_IN_A_PART, "what a part of the subscribers would get cannot be rendered: "),
    ],
)
def test_a_new_selection_with_errors_holds_the_issue(lone_site: ScheduledSite, preheader: str, reason: str) -> None:
    """Nobody is mailed, other newsletters open, and once the error is fixed, the issue does."""
    site = lone_site
    set_preheader(site, preheader)
    site.subscribe("everything")
    site.subscribe("notes", digests=("notes",))
    site.approve()
    site.approve("notes")
    site.clock.at = SATURDAY
    site.subscribe("water", follows={"topics": ["Water"]})
    report = site.tick(MONDAY)
    assert [(held.issue, reason in held.reason) for held in report.held] == [("weekly/2026-11-23T0700", True)]
    assert site.recipients == ["notes"]
    assert [row.opened_at for row in site.issues()] == [None]
    site.replace_setting(preheader, "Mended")
    site.tick(MONDAY + timedelta(hours=1))
    assert site.recipients == ["everything", "notes", "water"]


def test_a_forced_issue_is_held_for_errors_of_a_selection_that_was_not_shown(lone_site: ScheduledSite) -> None:
    """The permission is for the errors that a person saw; reopening and approving shows the others."""
    site = lone_site
    set_preheader(site, ERROR_IN_A_PART)
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.", topic="Water")
    site.subscribe("everything")
    site.tick()
    force_draft(site.kit.site, "weekly", "it is about typesetting")
    assert site.approve().row.forced == "it is about typesetting"
    site.clock.at = SATURDAY
    site.subscribe("water", follows={"topics": ["Water"]})
    for minutes in (0, 5):
        (held,) = [
            one for one in site.tick(MONDAY + timedelta(minutes=minutes)).held if one.issue.startswith("weekly/")
        ]
        assert "has 1 error that were not shown when it was forced, the first: " in held.reason
    assert site.recipients == []
    reopen(site.kit.site, "weekly", MONDAY + timedelta(hours=1))
    force_draft(site.kit.site, "weekly", "it is about typesetting")
    approval = site.approve(at=MONDAY + timedelta(hours=1))
    assert (approval.row.forced, approval.opened) == (None, None)
    assert "has 2 errors" in approval.trouble
    (check,) = check_site(
        site.kit.site, ["weekly"], site.clock.now(), with_browser=False, force="both are meant"
    ).issues
    assert sum(one.is_error for one in check.findings) == 2
    site.tick()
    assert site.recipients == ["everything", "water"]


def test_a_forced_issue_is_not_held_for_errors_that_were_shown(lone_site: ScheduledSite) -> None:
    """A new selection has the same error as the whole issue."""
    site = lone_site
    site.kit.article("one.md", "One", body="Lorem ipsum dolor sit amet.", topic="Water")
    site.subscribe("everything")
    site.tick()
    force_draft(site.kit.site, "weekly", "it is about typesetting")
    site.approve()
    site.clock.at = SATURDAY
    site.subscribe("water", follows={"topics": ["Water"]})
    site.tick(MONDAY)
    assert site.recipients == ["everything", "water"]


def test_the_permission_for_an_issue_lapses_if_a_check_finds_other_errors(lone_site: ScheduledSite) -> None:
    """It was given when the check found none; a withdrawn article was the reason for it."""
    site = lone_site
    set_preheader(site, ERROR_IN_A_PART)
    site.subscribe("everything")
    site.subscribe("water", follows={"topics": ["Water"]})
    assert "has 1 error" in site.approve().trouble
    force_issue(site.kit.site, "weekly", "the editor is on holiday", shown=())
    (check,) = check_site(site.kit.site, ["weekly"], site.clock.now(), with_browser=False).issues
    assert check.forced is None
    (held,) = site.tick(MONDAY).held
    assert "The permission to send it in spite of errors has lapsed: it was for other errors" in held.reason
    assert site.recipients == []


def test_an_automatic_issue_is_held_if_a_selection_has_errors(lone_site: ScheduledSite) -> None:
    """It is approved with its slot, and not opened; a person approves it again."""
    site = lone_site
    site.replace_setting('title = "The Weekly"\n', 'title = "The Weekly"\nsend = "auto"\n')
    set_preheader(site, ERROR_IN_A_PART)
    site.subscribe("everything")
    site.subscribe("water", follows={"topics": ["Water"]})
    report = site.tick(MONDAY)
    assert [held.issue for held in report.held][:1] == ["weekly/2026-11-23T0700"]
    assert site.recipients == []
    assert [row.opened_at for row in site.issues()] == [None]
    assert any("[Held]" in mail["Subject"] for mail in site.editor_mails())
    site.replace_setting(ERROR_IN_A_PART, "Mended")
    reopen(site.kit.site, "weekly", MONDAY + timedelta(hours=1))
    site.approve(at=MONDAY + timedelta(hours=2))
    site.tick()
    assert site.recipients == ["everything", "water"]


def test_a_subscriber_who_comes_while_a_send_opens_gets_it_too(
    site: ScheduledSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction starts again for each selection that it has no variant for, also for one that comes meanwhile."""
    site.subscribe("ann")
    site.approve()
    site.subscribe("trade", follows={"topics": ["Trade"]})
    real, calls = opening.compose_content, []

    def subscribe_meanwhile(*arguments: Any) -> ComposedIssue:
        if not calls:
            site.subscribe("water", follows={"topics": ["Water"]})
        calls.append("render")
        return real(*arguments)

    monkeypatch.setattr(opening, "compose_content", subscribe_meanwhile)
    site.tick(MONDAY)
    assert calls == ["render", "render"]
    assert site.recipients == ["ann", "trade", "water"]
    assert variants(site) == 3


@pytest.mark.postgresql
def test_an_issue_opens_once(site: ScheduledSite) -> None:
    """A second process that opens it gets nothing, and queues nothing."""
    site.subscribe("ann")
    row = site.approve().row
    with site.kit.open() as db:
        first = open_issue(context_of(site.kit.site, db, MONDAY), row)
        assert first is not None and first.subscribers == 1
        assert open_issue(context_of(site.kit.site, db, MONDAY), row) is None


def open_at_once(site: ScheduledSite) -> list[OpenedSummary | None]:
    """Open the sends of both newsletters at the same time, each in its thread."""
    rows = [site.approve("weekly").row, site.approve("notes").row]
    barrier = threading.Barrier(len(rows))

    def open_one(row: issues.IssueRow) -> OpenedSummary | None:
        with site.kit.open() as db:
            barrier.wait(30)
            return open_issue(context_of(site.kit.site, db, MONDAY), row)

    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(open_one, rows))


@pytest.mark.postgresql
def test_two_newsletters_that_open_at_once_bring_an_article_once(site: ScheduledSite) -> None:
    """To each subscriber of both; the other one brings the rest."""
    site.subscribe("both", digests=("weekly", "notes"))
    site.subscribe("weekly")
    site.subscribe("notes", digests=("notes",))
    opened = open_at_once(site)
    assert sorted(one.subscribers for one in opened if one is not None) == [1, 2]
    site.tick(MONDAY)
    assert site.recipients == ["both", "notes", "weekly"]


def test_newsletters_that_repeat_bring_an_article_twice(any_mail_kit: MailKit, server: Server) -> None:
    """``repeat`` asks for it."""
    site = ScheduledSite(any_mail_kit, server, more=NOTES + "repeat = true\n", weekly="repeat = true\n")
    site.kit.article("one.md", "One")
    site.subscribe("both", digests=("weekly", "notes"))
    assert [one.subscribers for one in open_at_once(site) if one is not None] == [1, 1]
    site.tick(MONDAY)
    assert site.recipients == ["both", "both"]


def test_what_another_newsletter_brought_since_the_approval_is_left_out(site: ScheduledSite) -> None:
    """A subscriber of both has the article by then; who follows only one goes without nothing."""
    site.subscribe("both", digests=("weekly", "notes"))
    site.subscribe("weekly")
    site.approve()
    site.kit.article("three.md", "Three")
    site.approve("notes", SATURDAY)
    reopen(site.kit.site, "weekly", SATURDAY)
    site.approve("weekly", SUNDAY)
    with site.kit.open() as db:
        open_issue(context_of(site.kit.site, db, MONDAY), site.issues("notes")[-1])
    site.tick(MONDAY)
    assert site.recipients == ["both", "weekly"]
    for name in ("both", "weekly"):
        (message,) = site.messages(name)
        assert [title for title in ("One", "Two", "Three") if title in text_of(message)] == ["One", "Two", "Three"]


@pytest.mark.postgresql
def test_an_issue_that_is_held_after_its_approval_does_not_open(site: ScheduledSite) -> None:
    """The hold is read before the send opens."""
    site.subscribe("ann")
    site.approve()
    retract(site.kit.site, SATURDAY, "one.md", "untrue")
    assert site.tick(MONDAY).opened == ()
    assert [row.opened_at for row in site.issues()] == [None]


def test_discarded_articles_stay_out_once_an_issue_opens(site: ScheduledSite) -> None:
    """Before that, the decision can be undone."""
    from publisher.errors import SettingsError
    from tests.support.use_cases import discard, undo_discard

    site.subscribe("ann")
    site.tick(FRIDAY)
    assert discard(site.kit.site, "weekly", FRIDAY).articles == 2
    assert site.draft() is None
    assert undo_discard(site.kit.site, "weekly", FRIDAY).articles == 2
    discard(site.kit.site, "weekly", FRIDAY)
    site.kit.article("three.md", "Three")
    site.approve(at=SATURDAY)
    site.tick(MONDAY)
    with pytest.raises(SettingsError, match="nothing of weekly was discarded since its last issue"):
        undo_discard(site.kit.site, "weekly", MONDAY)
    (message,) = site.messages("ann")
    assert [title for title in ("One", "Two", "Three") if title in text_of(message)] == ["Three"]
