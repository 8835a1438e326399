"""Approved on Friday, a retraction on Saturday, a correction on Sunday, the slot on Monday, subscribers around the world."""

from __future__ import annotations

import pytest

from publisher.errors import IssueHeld
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import correct, force_issue, reinstate, reopen, retract

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
LOCAL = 'deliver_at = "07:00 local"\n'
BOTH = "Harbour fees rise, The bridge opens"


def approved_on_friday(news: Newsroom) -> Newsroom:
    """Approve an issue of two articles on Friday at 15:00."""
    news.subscribe("auckland", zone="Pacific/Auckland")
    news.subscribe("london", zone="Europe/London")
    news.subscribe("honolulu", zone="Pacific/Honolulu")
    news.write("bridge", "The bridge opens", text="It has four lanes.")
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 15:00", every=24)
    news.approve()
    return news


def retracted_on_saturday(news: Newsroom) -> None:
    """Withdraw one of the articles on Saturday at noon; the editors are told within the hour."""
    news.until("Sat 12:00", every=24)
    retract(news.kit.site, news.clock.now(), "harbour.md", "The fees stay as they are.")
    news.until("Sat 13:00")
    assert news.mailed() == ["Sat 13:00 editors: [Held] The Weekly: Harbour fees rise"]


def at(news: Newsroom, when: str) -> Newsroom:
    """Go on until a time; no mail is sent before."""
    news.until(when, every=24)
    assert news.mailed() == []
    return news


def to_all(when: str, headlines: str) -> list[str]:
    return [f"{when} {name}: The Weekly: {headlines}" for name in ("auckland", "honolulu", "london")]


def test_an_issue_that_nothing_holds_arrives_at_the_slot_everywhere(open_newsroom: OpenNewsroom) -> None:
    """Without ``deliver_at``, Monday at 07:00 in London is Monday evening in Auckland and Sunday evening in Honolulu."""
    news = approved_on_friday(open_newsroom(WEEKLY))
    at(news, "Mon 06:00")
    news.until("Mon 07:00")
    mails = news.mails()
    assert [news.line(mail) for mail in mails] == to_all("Mon 07:00", BOTH)
    assert {mail.date for mail in mails} == {"Mon 07:00"}


def test_local_delivery_times_follow_each_zone(open_newsroom: OpenNewsroom) -> None:
    """The first 07:00 at or after the slot: London at once, Honolulu 10 and Auckland 11 hours later."""
    news = approved_on_friday(open_newsroom(WEEKLY, LOCAL))
    news.until("Tue 19:00", every=12)
    mails = news.mails()
    assert [(news.line(mail), mail.date) for mail in mails] == [
        (f"Mon 07:00 london: The Weekly: {BOTH}", "Mon 07:00"),
        (f"Mon 19:00 auckland: The Weekly: {BOTH}", "Mon 19:00"),
        (f"Mon 19:00 honolulu: The Weekly: {BOTH}", "Mon 19:00"),
    ]


def test_a_retraction_that_is_undone_on_sunday_releases_the_issue_for_its_slot(open_newsroom: OpenNewsroom) -> None:
    """Nothing has to be approved again."""
    news = approved_on_friday(open_newsroom(WEEKLY))
    retracted_on_saturday(news)
    at(news, "Sun 12:00")
    assert "articles of it were withdrawn" in news.held()[0]
    reinstate(news.kit.site, news.clock.now(), "harbour.md")
    news.run()
    assert news.held() == []
    at(news, "Mon 06:00")
    news.until("Mon 07:00")
    assert news.mailed() == to_all("Mon 07:00", BOTH)


def test_an_issue_that_is_forced_opens_at_its_slot(open_newsroom: OpenNewsroom) -> None:
    """It has the approved text of the article that was withdrawn."""
    news = approved_on_friday(open_newsroom(WEEKLY))
    retracted_on_saturday(news)
    at(news, "Sun 12:00")
    force_issue(news.kit.site, "weekly", "The retraction is announced in the next issue.")
    at(news, "Mon 06:00")
    news.until("Mon 07:00")
    assert news.mailed() == to_all("Mon 07:00", BOTH)


def test_a_correction_on_sunday_holds_the_issue_until_it_is_approved_again(open_newsroom: OpenNewsroom) -> None:
    """The slot passes; on Monday at 10:30 the corrected text opens, and arrives at the times of the slot."""
    news = approved_on_friday(open_newsroom(WEEKLY, LOCAL))
    retracted_on_saturday(news)
    at(news, "Sun 12:00")
    news.edit("bridge", "four lanes", "five lanes")
    correct(news.kit.site, news.clock.now(), "bridge.md", "It has five lanes, not four.")
    # The editors know that it is held.
    at(news, "Mon 08:00")
    assert "articles of it were withdrawn" in news.held()[0]

    reinstate(news.kit.site, news.clock.now(), "harbour.md")
    news.until("Mon 09:00")
    assert news.mailed() == ["Mon 09:00 editors: [Held] The Weekly: Harbour fees rise"]
    assert "articles of it were corrected" in news.held()[0] and "publish reopen weekly" in news.held()[0]
    with pytest.raises(IssueHeld, match="were corrected"):
        news.send()

    at(news, "Mon 10:30")
    reopen(news.kit.site, "weekly", news.clock.now())
    assert (news.issues(), news.draft()) == ([], f"No. 1 of Mon 07:00: {BOTH}")
    approval = news.approve()
    assert approval.opened is not None and approval.opened.subscribers == 3
    news.until("Mon 18:00")
    mails = news.mails()
    assert [(news.line(mail), mail.date) for mail in mails] == [
        (f"Mon 11:00 london: The Weekly: {BOTH}", "Mon 11:00"),
        (f"Mon 17:00 honolulu: The Weekly: {BOTH}", "Mon 17:00"),
        (f"Mon 18:00 auckland: The Weekly: {BOTH}", "Mon 18:00"),
    ]
    assert all("five lanes" in mail.text and "four lanes" not in mail.text.split("Correction")[0] for mail in mails)


@pytest.mark.parametrize(
    ("undone", "arrives"),
    [
        # Late by less than late_hours: the times of the slot, and 07:00 in London is over.
        ("Mon 13:00", {"london": "Mon 13:00", "honolulu": "Mon 19:00", "auckland": "Mon 19:00"}),
        # Later: the first 07:00 after the opening. In Auckland, Monday at 20:00 is Tuesday at 09:00.
        ("Mon 20:00", {"london": "Tue 07:00", "honolulu": "Tue 19:00", "auckland": "Tue 19:00"}),
    ],
)
def test_a_late_release_counts_local_times_from_the_slot_or_the_opening(
    open_newsroom: OpenNewsroom, undone: str, arrives: dict[str, str]
) -> None:
    """No subscriber gets mail at night because a machine that runs at 07:00 and 19:00 was late by more than ``late_hours``."""
    news = approved_on_friday(open_newsroom(WEEKLY, LOCAL))
    retracted_on_saturday(news)
    at(news, undone)
    reinstate(news.kit.site, news.clock.now(), "harbour.md")
    news.run()
    news.until("Wed 07:00", every=12)
    assert {mail.name: f"{mail.at:%a %H:%M}" for mail in news.mails()} == arrives


def test_an_issue_that_is_released_after_catch_up_hours_waits_for_publish_send(open_newsroom: OpenNewsroom) -> None:
    """The editors are told of each reason; the local times count from the opening."""
    news = approved_on_friday(open_newsroom(WEEKLY, LOCAL))
    retracted_on_saturday(news)
    at(news, "Tue 08:00")
    reinstate(news.kit.site, news.clock.now(), "harbour.md")
    news.until("Tue 09:00")
    assert news.mailed() == ["Tue 09:00 editors: [Held] The Weekly: Harbour fees rise"]
    assert "publish send weekly/2026-11-23T0700" in news.held()[0]
    news.send()
    news.until("Wed 07:00", every=12)
    assert {mail.name: f"{mail.at:%a %H:%M}" for mail in news.mails()} == {
        "honolulu": "Tue 19:00",
        "auckland": "Tue 19:00",
        "london": "Wed 07:00",
    }
