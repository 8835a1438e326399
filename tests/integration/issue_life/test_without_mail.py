"""``send = "none"`` with a cadence: issues are for the web, and no mail is sent."""

from __future__ import annotations

from publisher.delivery.public_issues import public_issues
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import load_status

DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "none"\ncadence = "0 6 * * *"\n'
WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
SMTP = '[smtp]\nhost = "127.0.0.1"\nport = 25\nsecurity = "none"\n'


def pages(news: Newsroom) -> list[str]:
    """Return the names of the public issues, newest first."""
    with news.db.read() as connection:
        return [row.name for row in public_issues(connection, news.kit.site, "daily")]


def test_an_issue_is_staged_under_its_slot_and_published(open_newsroom: OpenNewsroom) -> None:
    """Before its slot it is a draft; afterwards its articles are in no later issue of it."""
    news = open_newsroom(DAILY)
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Sat 05:00", every=24)
    assert news.draft("daily") == "No. 1 of Sat 06:00: The bridge opens"
    assert (pages(news), news.has_folder("daily", "next")) == ([], True)
    news.until("Sat 06:00")
    assert news.issues("daily") == ["No. 1 of Sat 06:00: sent"]
    assert pages(news) == ["2026-11-21T0600"]
    assert (news.has_folder("daily", "2026-11-21T0600"), news.has_folder("daily", "next")) == (True, False)
    news.write("harbour", "Harbour fees rise")
    news.until("Sun 06:00", every=24)
    assert pages(news) == ["2026-11-22T0600", "2026-11-21T0600"]
    text = (news.kit.root / "outbox/daily/2026-11-22T0600/message.txt").read_text("utf-8")
    assert news.headlines(text) == ["Harbour fees rise"]
    assert news.mailed() == []


def test_other_newsletters_mail_what_it_has_published(open_newsroom: OpenNewsroom) -> None:
    """Its subscribers got no mail of it, so the weekly leaves nothing out for them."""
    news = open_newsroom(DAILY, WEEKLY)
    news.subscribe("ann", to=["daily", "weekly"])
    news.write("bridge", "The bridge opens")
    news.until("Sun 12:00", every=24)
    news.approve("weekly")
    news.until("Mon 07:00", every=24)
    assert news.mailed() == ["Mon 07:00 ann: The Weekly: The bridge opens"]


def test_errors_keep_it_a_draft_until_they_are_mended(open_newsroom: OpenNewsroom) -> None:
    """The editors are told, and it opens under its slot within ``catch_up_hours``."""
    news = open_newsroom(DAILY, preflight=True)
    news.write("bridge", "The bridge opens", text="Lorem ipsum dolor sit amet.")
    news.until("Sat 08:00", every=24)
    assert (news.issues("daily"), pages(news)) == ([], [])
    assert news.draft("daily") == "No. 1 of Sat 06:00: The bridge opens"
    assert news.summary("daily").due.startswith("blocked by errors since its slot Sat 2026-11-21 06:00")
    news.edit("bridge", "Lorem ipsum dolor sit amet.", "It has four lanes.")
    news.until("Sat 09:00")
    assert news.issues("daily") == ["No. 1 of Sat 06:00: sent"]
    assert pages(news) == ["2026-11-21T0600"]
    assert news.mailed() == ["Sat 06:00 editors: [Draft] The Daily: The bridge opens"]


def test_a_mail_server_changes_nothing_by_itself(open_newsroom: OpenNewsroom) -> None:
    """Issues go on to the web without mail, and the status says so; with ``send = "auto"`` later articles are mailed."""
    news = open_newsroom(DAILY, "[delivery]\nconnections = 1\n")
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Sat 07:00", every=24)
    news.kit.add_settings(SMTP)
    news.write("harbour", "Harbour fees rise")
    news.until("Sun 07:00", every=24)
    assert len(news.issues("daily")) == 2
    assert news.mailed() == []
    notices = load_status(news.kit.site, news.clock.now()).notices
    assert any('issues of daily are not mailed: send = "none"' in notice for notice in notices)

    news.set('send = "none"', 'send = "auto"')
    news.write("trams", "Trams run at night")
    news.until("Mon 06:00", every=24)
    assert news.mailed() == ["Mon 06:00 ann: The Daily: Trams run at night"]
