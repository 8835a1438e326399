"""``publish cancel``: what was not handed over returns to the people who went without it, in every newsletter."""

from __future__ import annotations

import pytest

from publisher.errors import SettingsError
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import SentMail
from tests.support.use_cases import cancel

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 12 * * *"\n'


def test_articles_return_to_each_newsletter_whose_subscribers_went_without_them(
    open_newsroom: OpenNewsroom,
) -> None:
    """Cancelled on Monday at 13:00: London has its copy since 07:00, and Honolulu was to get one at 17:00."""
    news = open_newsroom(WEEKLY, 'deliver_at = "07:00 local"\n', DAILY)
    news.subscribe("london", zone="Europe/London")
    news.subscribe("honolulu", zone="Pacific/Honolulu")
    news.subscribe("both", to=["weekly", "daily"], zone="Pacific/Honolulu")
    news.subscribe("daily-only", to=["daily"])
    news.until("Sun 15:00", every=24)
    news.write("bridge", "The bridge opens")
    news.until("Sun 16:00")
    news.approve()
    news.until("Mon 12:00", every=24)
    # The daily leaves the bridge out for the person to whom the weekly is bringing it.
    assert news.mailed() == [
        "Mon 07:00 london: The Weekly: The bridge opens",
        "Mon 12:00 daily-only: The Daily: The bridge opens",
    ]
    news.until("Mon 13:00")
    assert cancel(news.kit.site, "weekly", news.clock.now())[1] == 2
    with pytest.raises(SettingsError, match="there is nothing to cancel"):
        cancel(news.kit.site, "weekly/2026-11-23T0700", news.clock.now())
    assert news.issues() == ["No. 1 of Mon 07:00: cancelled"]

    # It makes no draft and no issue by itself, in neither newsletter.
    news.until("Tue 13:00", every=24)
    assert (news.draft("weekly"), news.draft("daily"), news.mailed()) == ("", "", [])
    news.write("harbour", "Harbour fees rise")
    news.until("Tue 14:00")
    both = "Harbour fees rise, The bridge opens"
    assert news.draft("weekly") == f"No. 2 of Mon 07:00: {both}"
    assert news.draft("daily") == f"No. 2 of Wed 12:00: {both}"
    news.until("Wed 12:00", every=24)
    assert news.mailed() == [
        f"Wed 12:00 both: The Daily: {both}",
        "Wed 12:00 daily-only: The Daily: Harbour fees rise",
    ]
    news.approve()
    news.until("Mon 17:00", every=24)
    assert news.mailed() == [
        "Mon 07:00 london: The Weekly: Harbour fees rise",
        f"Mon 17:00 honolulu: The Weekly: {both}",
    ]


def test_cancelling_in_the_middle_of_a_send_stops_it(open_any_newsroom: OpenNewsroom) -> None:
    """After the second of six messages, the other four people get the article with the next issue, and no person twice."""
    names = [f"person{number}" for number in range(6)]
    news = open_any_newsroom(WEEKLY)
    news.subscribe(*names)
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.approve()
    cancelled: list[int] = []

    def stop(mail: SentMail) -> None:
        if len([one for one in news.server.accepted if one.name in names]) == 2:
            cancelled.append(cancel(news.kit.site, "weekly", news.clock.now())[1])

    news.off_until("Mon 07:00")
    with news.during_send(stop):
        news.run()
    got = {mail.name for mail in news.mails()}
    assert (len(got), cancelled) == (2, [4])
    news.until("Tue 12:00", every=24)
    assert news.mailed() == []
    news.write("harbour", "Harbour fees rise")
    news.run()
    news.approve()
    news.off_until("Mon 07:00")
    news.run()
    assert news.mailed() == [
        f"Mon 07:00 {name}: The Weekly: Harbour fees rise{'' if name in got else ', The bridge opens'}"
        for name in names
    ]


def test_people_who_unsubscribe_after_the_cancellation_get_nothing_of_it(open_newsroom: OpenNewsroom) -> None:
    """Nor does a later subscriber get what returned only to others, unless it is in the next issue."""
    news = open_newsroom(WEEKLY, 'deliver_at = "12:00 local"\n')
    news.subscribe("ann", "bert")
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.approve()
    news.until("Mon 08:00", every=24)
    cancel(news.kit.site, "weekly", news.clock.now())
    news.unsubscribe("bert")
    news.subscribe("cleo")
    news.write("harbour", "Harbour fees rise")
    news.until("Sun 12:00", every=24)
    news.approve()
    news.until("Mon 12:00", every=24)
    both = "Harbour fees rise, The bridge opens"
    assert news.mailed() == [f"Mon 12:00 ann: The Weekly: {both}", f"Mon 12:00 cleo: The Weekly: {both}"]
