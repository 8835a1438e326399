"""A weekly newsletter with review and an automatic daily one share articles: each person gets each of them once."""

from __future__ import annotations

from tests.integration.issue_life.conftest import OpenNewsroom

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\n'


def test_each_newsletter_leaves_out_what_the_other_one_has_brought(open_any_newsroom: OpenNewsroom) -> None:
    """The audience of the weekly is settled at its slot, an hour after the daily has brought two of its articles."""
    news = open_any_newsroom(WEEKLY, DAILY)
    news.subscribe("both", to=["weekly", "daily"])
    news.subscribe("weekly-only")
    news.subscribe("daily-only", to=["daily"])
    news.write("bridge", "The bridge opens")

    news.until("Sat 06:00", every=24)
    assert news.mailed() == [
        "Sat 06:00 both: The Daily: The bridge opens",
        "Sat 06:00 daily-only: The Daily: The bridge opens",
    ]
    news.until("Sat 12:00", every=24)
    news.write("harbour", "Harbour fees rise")
    news.until("Sun 19:00", every=24)
    assert news.mailed() == [
        "Sun 06:00 both: The Daily: Harbour fees rise",
        "Sun 06:00 daily-only: The Daily: Harbour fees rise",
    ]
    news.write("trams", "Trams run at night")
    news.run()
    assert news.draft("weekly") == "No. 1 of Mon 07:00: Trams run at night, Harbour fees rise, The bridge opens"
    # At the approval, the articles that only the weekly would bring to this person are the trams.
    assert news.approve("weekly").opened is None

    news.until("Mon 06:30", every=24)
    assert news.mailed() == [
        "Mon 06:00 both: The Daily: Trams run at night",
        "Mon 06:00 daily-only: The Daily: Trams run at night",
    ]
    news.until("Mon 07:00")
    assert news.mailed() == [
        "Mon 07:00 weekly-only: The Weekly: Trams run at night, Harbour fees rise, The bridge opens",
    ]


def test_the_daily_leaves_out_what_the_weekly_has_brought(open_newsroom: OpenNewsroom) -> None:
    """An article of Monday at 06:30 is in the weekly of 07:00, and on Tuesday in the daily of the others."""
    news = open_newsroom(WEEKLY, DAILY)
    news.subscribe("both", to=["weekly", "daily"])
    news.subscribe("daily-only", to=["daily"])
    news.until("Mon 06:30", every=24)
    news.write("bridge", "The bridge opens")
    news.approve("weekly")
    news.until("Mon 07:00")
    assert news.mailed() == ["Mon 07:00 both: The Weekly: The bridge opens"]
    news.until("Mon 12:00", every=24)
    news.write("harbour", "Harbour fees rise")
    news.until("Tue 06:00", every=24)
    assert news.mailed() == [
        "Tue 06:00 both: The Daily: Harbour fees rise",
        "Tue 06:00 daily-only: The Daily: Harbour fees rise, The bridge opens",
    ]
    # The weekly has harbour in its draft, for people who follow nothing else.
    assert news.draft("weekly") == "No. 2 of Mon 07:00: Harbour fees rise"
