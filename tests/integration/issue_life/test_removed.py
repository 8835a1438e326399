"""A newsletter that is taken out of the settings, and put back."""

from __future__ import annotations

from tests.integration.issue_life.conftest import OpenNewsroom

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\n'


def test_a_draft_ends_and_returns_with_its_articles(open_newsroom: OpenNewsroom) -> None:
    """Nothing is consumed: the issue after its return has what was new before."""
    news = open_newsroom(DAILY, WEEKLY)
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Fri 12:00")
    assert news.has_folder("daily", "next")
    news.set(DAILY, "")
    news.run()
    assert news.report.ended_drafts == ("daily",)
    assert (news.stored_draft("daily"), news.has_folder("daily", "next")) == (None, False)
    news.until("Sun 12:00", every=24)
    assert news.mailed() == []

    news.set(WEEKLY, DAILY + WEEKLY)
    news.run()
    assert news.draft("daily") == "No. 1 of Mon 06:00: The bridge opens"
    news.until("Mon 06:00", every=24)
    assert news.mailed() == ["Mon 06:00 ann: The Daily: The bridge opens"]


def test_an_approved_issue_is_held_while_its_newsletter_is_out(open_newsroom: OpenNewsroom) -> None:
    """Back before the slot it opens at the slot, and the draft of the next issue is there too."""
    news = open_newsroom(DAILY, WEEKLY)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Fri 12:00", every=24)
    news.approve()
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 13:00")
    news.set(WEEKLY, "")
    news.until("Sun 12:00", every=24)
    assert (news.stored_draft("weekly"), news.issues("weekly")) == (None, ["No. 1 of Mon 07:00: approved"])
    assert news.mailed() == ["Sat 06:00 editors: [Held] The Weekly: The bridge opens"]
    (held,) = news.held()
    assert held.startswith("weekly/2026-11-23T0700: digests.weekly is no longer in publisher.toml. Restore it")
    news.set(DAILY, DAILY + WEEKLY)
    news.until("Mon 07:00", every=24)
    assert news.mailed() == ["Mon 07:00 ann: The Weekly: The bridge opens"]
    assert news.draft() == "No. 2 of Mon 07:00: Harbour fees rise"


def test_an_issue_whose_slot_passes_while_its_newsletter_is_out_opens_within_catch_up_hours(
    open_newsroom: OpenNewsroom,
) -> None:
    """Back on Monday at noon it opens, and articles of the time in between are not its news."""
    news = open_newsroom(DAILY, WEEKLY)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Fri 12:00", every=24)
    news.approve()
    news.set(WEEKLY, "")
    news.until("Sat 12:00", every=24)
    news.write("harbour", "Harbour fees rise")
    news.until("Mon 12:00", every=24)
    assert not [line for line in news.mailed() if " ann: " in line]
    news.set(DAILY, DAILY + WEEKLY)
    news.until("Mon 13:00")
    assert news.mailed() == ["Mon 13:00 ann: The Weekly: The bridge opens"]
    assert news.draft("weekly") == ""
    news.write("trams", "Trams run at night")
    news.run()
    assert news.draft("weekly") == "No. 2 of Mon 07:00: Trams run at night"
