"""``publish discard``: the articles of a draft are left out, put back, or kept for the issue after the next slot."""

from __future__ import annotations

import pytest

from publisher.errors import SettingsError
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import discard, undo_discard

DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\n'
WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'


@pytest.fixture
def news(open_newsroom: OpenNewsroom) -> Newsroom:
    """An automatic daily newsletter and a weekly one, with a subscriber of each, and two articles of Friday."""
    news = open_newsroom(DAILY, WEEKLY)
    news.subscribe("ann", to=["daily"])
    news.subscribe("bert", to=["weekly"])
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 11:00")
    return news


def leave_out(news: Newsroom, *, until_next: bool = False) -> None:
    result = discard(news.kit.site, "daily", news.clock.now(), until_next=until_next)
    assert result.articles == 2


def test_discarded_articles_are_in_no_issue_of_that_newsletter(news: Newsroom) -> None:
    """The draft ends, a new article makes another one, and the weekly is not affected."""
    leave_out(news)
    assert (news.draft("daily"), news.has_folder("daily", "next")) == ("", False)
    news.until("Sat 07:00", every=24)
    assert (news.issues("daily"), news.mailed()) == ([], [])
    news.write("trams", "Trams run at night")
    news.until("Sun 07:00", every=24)
    assert news.mailed() == ["Sun 06:00 ann: The Daily: Trams run at night"]
    assert news.draft("weekly") == "No. 1 of Mon 07:00: Trams run at night, Harbour fees rise, The bridge opens"


def test_undo_puts_them_back_until_the_next_opening(news: Newsroom) -> None:
    """Once on Friday evening; after the opening on Saturday there is nothing to undo."""
    leave_out(news)
    news.until("Fri 18:00", every=24)
    undo_discard(news.kit.site, "daily", news.clock.now())
    assert news.draft("daily") == "No. 1 of Sat 06:00: Harbour fees rise, The bridge opens"
    leave_out(news)
    news.write("trams", "Trams run at night")
    news.until("Sat 06:00", every=24)
    assert news.mailed() == ["Sat 06:00 ann: The Daily: Trams run at night"]
    with pytest.raises(SettingsError, match="nothing of daily was discarded since its last issue"):
        undo_discard(news.kit.site, "daily", news.clock.now())
    news.until("Sun 07:00", every=24)
    assert news.mailed() == []


def test_until_next_keeps_them_for_the_issue_after_the_slot(news: Newsroom) -> None:
    """Saturday's issue does not have them, Sunday's does."""
    leave_out(news, until_next=True)
    assert news.draft("daily") == ""
    news.until("Fri 20:00", every=24)
    news.write("trams", "Trams run at night")
    news.until("Sat 07:00", every=24)
    assert news.mailed() == ["Sat 06:00 ann: The Daily: Trams run at night"]
    assert news.draft("daily") == "No. 2 of Sun 06:00: Harbour fees rise, The bridge opens"
    news.until("Sun 06:00", every=24)
    assert news.mailed() == ["Sun 06:00 ann: The Daily: Harbour fees rise, The bridge opens"]


def test_until_next_makes_an_issue_of_its_own_if_nothing_else_is_new(news: Newsroom) -> None:
    """The slot of Saturday passes without an issue."""
    leave_out(news, until_next=True)
    news.until("Sun 07:00", every=24)
    assert news.mailed() == ["Sun 06:00 ann: The Daily: Harbour fees rise, The bridge opens"]
    assert news.issues("daily") == ["No. 1 of Sun 06:00: sent"]


def test_articles_that_had_no_room_stay(open_newsroom: OpenNewsroom) -> None:
    """With room for one, the second article is in the draft once the first one is discarded."""
    news = open_newsroom(DAILY, "at_most = 1\n")
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 11:00")
    assert news.draft("daily") == "No. 1 of Sat 06:00: Harbour fees rise"
    discard(news.kit.site, "daily", news.clock.now())
    assert news.draft("daily") == "No. 1 of Sat 06:00: The bridge opens"
    news.until("Sat 06:00", every=24)
    assert news.mailed() == ["Sat 06:00 ann: The Daily: The bridge opens"]
