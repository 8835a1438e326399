"""``at_most`` and ``at_least``: what has no room waits, and what is too little is not told."""

from __future__ import annotations

from publisher.pipeline.approve import ApprovalTime
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import cancel, reopen

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'


def write_each_hour(news: Newsroom, *titles: str) -> None:
    """Write articles, an hour between each two, and run an hour after the last one."""
    for hours, title in enumerate(reversed(titles)):
        news.write(title.lower().replace(" ", "-"), title, hours_ago=hours)
    news.until(f"{news.clock.at:%a} {news.clock.at.hour + 1}:00")


def carried_over(news: Newsroom) -> int:
    """Return the number of articles that are marked as carried over: alone they make no draft."""
    from sqlalchemy import func, select

    from publisher.storage.tables.digests import pending

    with news.db.read() as connection:
        query = select(func.count()).select_from(pending).where(pending.c.carried_over)
        return int(connection.execute(query).scalar_one())


def test_carrying_over_is_marked_at_approval_and_not_by_drafting(open_newsroom: OpenNewsroom) -> None:
    """Three articles and room for two: drafts change nothing; after the approval the third waits for company."""
    news = open_newsroom(WEEKLY, "at_most = 2\n")
    news.subscribe("ann")
    write_each_hour(news, "Story A", "Story B", "Story C")
    news.until("Sun 12:00", every=24)
    assert (news.draft(), carried_over(news)) == ("No. 1 of Mon 07:00: Story C, Story B", 0)
    news.approve()
    assert carried_over(news) == 1
    news.until("Mon 12:00", every=24)
    assert news.mailed() == ["Mon 07:00 ann: The Weekly: Story C, Story B"]
    # Alone it makes no issue, so the archive is not mailed in parts.
    news.until("Mon 07:00", every=24)
    assert (news.draft(), news.mailed()) == ("", [])
    news.until("Tue 12:00", every=24)
    news.write("new", "Story of Tuesday")
    news.run()
    assert news.draft() == "No. 2 of Mon 07:00: Story of Tuesday, Story A"


def test_a_reopened_issue_takes_back_what_it_had_no_room_for(open_newsroom: OpenNewsroom) -> None:
    """It is news again, and an issue of its own if the two others are withdrawn by discarding them."""
    news = open_newsroom(WEEKLY, "at_most = 2\n")
    news.subscribe("ann")
    write_each_hour(news, "Story A", "Story B", "Story C")
    news.approve()
    assert carried_over(news) == 1
    write_each_hour(news, "Story D")
    assert news.draft() == "No. 2 of Mon 07:00: Story D, Story A"
    reopen(news.kit.site, "weekly", news.clock.now())
    assert (news.draft(), carried_over(news)) == ("No. 1 of Mon 07:00: Story D, Story C", 0)
    news.approve()
    assert carried_over(news) == 2
    news.until("Mon 07:00", every=24)
    assert news.mailed() == ["Mon 07:00 ann: The Weekly: Story D, Story C"]
    write_each_hour(news, "Story E")
    assert news.draft() == "No. 2 of Mon 07:00: Story E, Story B"


def test_the_second_slot_is_told_louder_with_what_has_no_room(open_newsroom: OpenNewsroom) -> None:
    """One draft waits for two Mondays; after its approval nothing of it is told again."""
    news = open_newsroom(WEEKLY, "at_most = 2\n")
    news.subscribe("ann")
    write_each_hour(news, "Story A", "Story B", "Story C")
    news.until("Mon 12:00", every=24)
    (first,) = news.mails()
    assert news.line(first) == "Mon 07:00 editors: [Draft] The Weekly: Story C"
    assert "more wait" not in first.text and "STILL WAITING" not in first.text
    write_each_hour(news, "Story D")
    news.until("Mon 12:00", every=24)
    (second,) = news.mails()
    assert news.line(second) == "Mon 07:00 editors: [Draft, waiting] The Weekly: Story D"
    assert "STILL WAITING: its slot of Mon 2026-11-23 07:00 has passed too." in second.text
    assert "It is full. 2 more wait for the issue after it:\n  Story B\n  Story A\n" in second.text
    assert news.issues() == []
    news.approve()
    news.until("Mon 13:00")
    assert news.mailed() == ["Mon 13:00 ann: The Weekly: Story D, Story C"]


def test_below_the_minimum_nothing_is_told_or_opened_and_approval_may(open_newsroom: OpenNewsroom) -> None:
    """One article of two on both newsletters; a person may approve it."""
    daily = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\nat_least = 2\n'
    news = open_newsroom(WEEKLY, "at_least = 2\n", daily)
    news.subscribe("ann")
    news.subscribe("bert", to=["daily"])
    write_each_hour(news, "Story A")
    news.until("Mon 12:00", every=24)
    assert (news.mailed(), news.issues("weekly"), news.issues("daily")) == ([], [], [])
    assert news.draft("weekly") == "No. 1 of Mon 07:00: Story A"
    assert news.summary("weekly").due.startswith("not due: 1 new, an issue needs at least 2.")
    news.approve("weekly", time=ApprovalTime.NOW)
    news.until("Mon 13:00")
    assert news.mailed() == ["Mon 13:00 ann: The Weekly: Story A"]
    write_each_hour(news, "Story B")
    news.until("Tue 06:00", every=24)
    assert news.mailed() == ["Tue 06:00 bert: The Daily: Story B, Story A"]


def test_articles_of_a_cancelled_issue_do_not_count_for_the_minimum(open_newsroom: OpenNewsroom) -> None:
    """Two that return and a new one are one; with another new one they are an issue."""
    daily = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\nat_least = 2\n'
    news = open_newsroom(daily, 'deliver_at = "12:00 local"\n')
    news.subscribe("ann", to=["daily"])
    write_each_hour(news, "Story A", "Story B")
    news.until("Sat 07:00", every=24)
    cancel(news.kit.site, "daily", news.clock.now())
    write_each_hour(news, "Story C")
    news.until("Sun 13:00", every=24)
    assert (news.issues("daily"), news.mailed()) == (["No. 1 of Sat 06:00: cancelled"], [])
    write_each_hour(news, "Story D")
    news.until("Mon 12:00", every=24)
    assert news.mailed() == ["Mon 12:00 ann: The Daily: Story D, Story C, Story B, Story A"]
