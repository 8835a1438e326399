"""Times that count from the approval of an issue, and times that count from the opening of its send."""

from __future__ import annotations

from publisher.delivery.public_issues import issue_page, newest_public_issue
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import context_of, correct, retract

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'


def notices(text: str) -> list[str]:
    """Return the corrections of earlier issues in an issue."""
    return [word for word in ("first note", "second note", "third note", "It was untrue") if word in text]


def newest_issue_text(news: Newsroom) -> str:
    """Return the text of the only mail since the last call."""
    (mail,) = [mail for mail in news.mails() if mail.name == "ann"]
    return mail.text


def test_corrections_are_collected_from_one_approval_to_the_next(open_newsroom: OpenNewsroom) -> None:
    """A correction between the approval of the second issue and its slot is in the third."""
    news = open_newsroom(WEEKLY)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 15:00", every=24)
    news.approve()
    news.until("Mon 12:00", every=24)
    assert notices(newest_issue_text(news)) == []

    correct(news.kit.site, news.clock.now(), "bridge.md", "A first note.")
    news.until("Thu 12:00", every=24)
    retract(news.kit.site, news.clock.now(), "harbour.md", "It was untrue.")
    news.write("trams", "Trams run at night")
    news.until("Fri 15:00", every=24)
    news.approve()
    news.until("Sat 12:00", every=24)
    correct(news.kit.site, news.clock.now(), "bridge.md", "A second note.")
    news.until("Mon 12:00", every=24)
    assert news.held() == []
    assert notices(newest_issue_text(news)) == ["first note", "It was untrue"]

    news.write("storm", "A storm comes")
    news.until("Tue 12:00", every=24)
    correct(news.kit.site, news.clock.now(), "trams.md", "A third note.")
    news.run()
    news.approve()
    news.until("Mon 12:00", every=24)
    assert notices(newest_issue_text(news)) == ["second note", "third note"]


def test_a_correction_before_the_approval_is_in_the_article_and_not_in_the_next_issue(
    open_newsroom: OpenNewsroom,
) -> None:
    """The article of the first issue shows it; the second issue has nothing to correct."""
    news = open_newsroom(WEEKLY)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Fri 14:00", every=24)
    correct(news.kit.site, news.clock.now(), "bridge.md", "A first note.")
    news.until("Fri 15:00")
    news.approve()
    news.until("Mon 12:00", every=24)
    assert notices(newest_issue_text(news)) == ["first note"]
    news.write("trams", "Trams run at night")
    news.run()
    news.approve()
    news.until("Mon 12:00", every=24)
    assert notices(newest_issue_text(news)) == []


def test_page_and_welcome_issue_begin_with_the_opening(open_newsroom: OpenNewsroom) -> None:
    """Approved on Friday, public from Monday, and a welcome issue once it is sent to all."""
    news = open_newsroom(WEEKLY, 'deliver_at = "09:00 local"\n')
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Fri 15:00", every=24)
    news.approve()

    def shown() -> tuple[bool, bool]:
        page = issue_page(context_of(news.kit.site, news.db, news.clock.now()), "weekly", "2026-11-23T0700")
        with news.db.read() as connection:
            return page is not None, newest_public_issue(connection, news.kit.site, "weekly") is not None

    news.until("Mon 06:00", every=24)
    assert shown() == (False, False)
    news.until("Mon 07:00")
    assert shown() == (True, False)
    news.until("Mon 09:00")
    assert shown() == (True, True)


def test_retries_count_from_the_opening_and_keep_the_date_of_the_first_attempt(open_newsroom: OpenNewsroom) -> None:
    """Opened 20 hours after its slot with two days of retries: the attempt after 47 hours is made, and no later one."""
    news = open_newsroom(WEEKLY, '[delivery]\ntransport = "maildir"\nconnections = 1\nretry_days = 2\n')
    news.subscribe("ann", "bert")
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.approve()
    news.off_until("Tue 03:00")
    news.deferred.update({"ann": 47, "bert": 47})
    news.run()
    news.until("Thu 01:00", every=24)
    assert news.mailed() == []
    del news.deferred["ann"]
    news.until("Thu 02:00")
    (mail,) = news.mails()
    assert (news.line(mail), mail.date) == ("Thu 02:00 ann: The Weekly: The bridge opens", "Tue 03:00")
    news.deferred.clear()
    news.until("Fri 12:00", every=24)
    assert news.mailed() == []
