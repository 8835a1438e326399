"""Which number an issue has after one before it was reopened: no number twice, and the numbers that a subscriber sees increase."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from publisher.pipeline.approve import ApprovalTime
from tests.conftest import MailKit
from tests.support.copies import Copies
from tests.support.scheduled_site import FRIDAY, MONDAY, SATURDAY, SUNDAY, ScheduledSite
from tests.support.smtp import Server
from tests.support.use_cases import reopen, retract

WEEK = timedelta(days=7)


def write_an_article(kit: MailKit) -> None:
    """Set up a weekly newsletter with a subscriber and an article."""
    with Server() as server:
        ScheduledSite(kit, server).subscribe("ann")
    kit.article("one.md", "One", date="2026-11-19")


@pytest.fixture
def site(copies: Copies, tmp_path: Path) -> Iterator[ScheduledSite]:
    """A weekly newsletter with a subscriber, whose first issue was sent out of turn."""
    with copies.copy("default", write_an_article, tmp_path / "site") as kit, Server() as server:
        made = ScheduledSite.again(kit, server)
        made.approve(time=ApprovalTime.OUT_OF_TURN)
        made.tick()
        yield made


def approve_next(site: ScheduledSite, name: str, **options: ApprovalTime) -> str:
    """Approve an issue with one more article, and return its name."""
    site.kit.article(f"{name}.md", name.title(), date="2026-11-20")
    return site.approve(**options).row.path


def numbers(site: ScheduledSite) -> list[str]:
    """Return the subjects of the mails to the subscriber, each with the number of its issue, in order."""
    by_subject = {row.subject: row.number for row in site.issues()}
    return [f"{by_subject[str(mail['Subject'])]} {mail['Subject']}" for mail in site.messages("ann")]


def test_a_reopened_issue_has_its_number_again_before_a_later_one(site: ScheduledSite) -> None:
    """No. 3 is sent a week later, so that a subscriber sees one number after the other."""
    second = approve_next(site, "two")
    approve_next(site, "three")
    reopen(site.kit.site, second, SATURDAY)
    assert site.approve(at=SUNDAY).row.number == 2
    for at in (MONDAY, MONDAY + WEEK):
        site.tick(at)
    assert numbers(site) == ["1 The Weekly: One", "2 The Weekly: Two", "3 The Weekly: Three"]


def test_an_issue_after_both_has_the_next_number(site: ScheduledSite) -> None:
    """The number of the reopened one stays free: a lower number after a higher one is taken for an old issue."""
    second = approve_next(site, "two")
    third = approve_next(site, "three")
    site.clock.at = SATURDAY
    retract(site.kit.site, SATURDAY, "two.md", "untrue")
    reopen(site.kit.site, second, SATURDAY)
    site.tick(MONDAY + WEEK)
    assert [row.path for row in site.issues() if row.opened_at][1:] == [third]
    site.kit.article("four.md", "Four", date="2026-12-01")
    assert site.approve(at=MONDAY + WEEK + timedelta(hours=3)).row.number == 4
    site.tick(MONDAY + 2 * WEEK)
    assert numbers(site) == ["1 The Weekly: One", "3 The Weekly: Three", "4 The Weekly: Four"]


def test_a_reopened_issue_has_the_next_number_if_a_later_one_was_sent(site: ScheduledSite) -> None:
    """Subscribers have No. 3; the draft has the next number, and does not wait for a slot before that of No. 3."""
    second = approve_next(site, "two")
    approve_next(site, "three", time=ApprovalTime.OUT_OF_TURN)
    site.tick()
    reopen(site.kit.site, second, SATURDAY)
    assert site.approve(at=SUNDAY).row.number == 4
    site.tick(MONDAY)
    assert numbers(site) == ["1 The Weekly: One", "3 The Weekly: Three", "4 The Weekly: Two"]


def test_a_held_issue_that_is_reopened_after_a_later_one_was_sent_waits_for_the_next_slot(site: ScheduledSite) -> None:
    """Its own slot is before that of an issue that subscribers have."""
    second = approve_next(site, "two")
    site.kit.article("more.md", "More", date="2026-11-20")
    approve_next(site, "three")
    retract(site.kit.site, SUNDAY, "two.md", "untrue")
    for at in (MONDAY, MONDAY + WEEK):
        site.tick(at)
    site.kit.article("four.md", "Four", date="2026-11-30")
    reopen(site.kit.site, second, MONDAY + WEEK + timedelta(hours=1))
    row = site.approve(at=MONDAY + WEEK + timedelta(hours=2)).row
    assert (row.number, row.slot) == (4, MONDAY + 2 * WEEK)


def test_the_newest_issue_gives_its_number_back(site: ScheduledSite) -> None:
    """As long as it is the only one that is approved."""
    approve_next(site, "two")
    reopen(site.kit.site, "weekly", FRIDAY)
    assert site.approve(at=SATURDAY).row.number == 2
