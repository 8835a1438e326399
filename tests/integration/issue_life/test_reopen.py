"""``publish reopen``: an approved issue is a draft again, before its slot and after it."""

from __future__ import annotations

import pytest

from publisher.errors import SettingsError
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import reinstate, reopen, retract, set_note

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\n'


def undo_approval(news: Newsroom, digest: str = "weekly") -> None:
    reopen(news.kit.site, digest, news.clock.now())


def slot_day(news: Newsroom) -> int:
    """Return the day of the month of the slot of the weekly's draft."""
    draft = news.stored_draft()
    assert draft is not None
    return draft.slot.day


def test_before_the_slot_it_merges_with_the_draft_and_waits_for_a_person(open_newsroom: OpenNewsroom) -> None:
    """Number and folder are free again; at the slot the editors are told, and no subscriber is mailed before an approval."""
    news = open_newsroom(WEEKLY)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    set_note(news.kit.site, "weekly", news.clock.now(), text="Dear subscribers.")
    news.until("Fri 15:00", every=24)
    news.approve()
    first = news.issue()
    news.write("harbour", "Harbour fees rise")
    news.until("Sat 12:00", every=24)
    assert news.draft() == "No. 2 of Mon 07:00: Harbour fees rise"
    assert news.has_folder("weekly", "2026-11-23T0700")

    undo_approval(news)
    assert news.draft() == "No. 1 of Mon 07:00: Harbour fees rise, The bridge opens"
    assert (news.issues(), news.has_folder("weekly", "2026-11-23T0700")) == ([], False)
    news.until("Mon 08:00", every=24)
    assert news.mailed() == ["Mon 07:00 editors: [Draft] The Weekly: Harbour fees rise"]

    assert news.approve().opened is not None
    assert (news.issue().number, news.issue().id > first.id) == (1, True)
    news.until("Mon 09:00")
    (mail,) = news.mails()
    assert news.line(mail) == "Mon 09:00 ann: The Weekly: Harbour fees rise, The bridge opens"
    assert "Dear subscribers." in mail.text


def test_after_the_slot_a_held_issue_waits_for_a_person_until_the_next_slot(open_newsroom: OpenNewsroom) -> None:
    """A week later the editors are told again, louder, and the draft has moved to that slot with what is new."""
    news = open_newsroom(WEEKLY)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.write("trams", "Trams run at night")
    news.until("Fri 15:00", every=24)
    news.approve()
    retract(news.kit.site, news.clock.now(), "trams.md", "They do not.")
    news.until("Mon 08:00", every=24)
    assert news.mailed() == ["Sat 07:00 editors: [Held] The Weekly: Trams run at night"]
    undo_approval(news)
    assert news.draft() == "No. 1 of Mon 07:00: The bridge opens"
    news.until("Mon 10:00")
    assert (slot_day(news), news.issues()) == (23, [])
    assert news.mailed() == ["Mon 09:00 editors: [Draft] The Weekly: The bridge opens"]
    reinstate(news.kit.site, news.clock.now(), "trams.md")
    news.write("harbour", "Harbour fees rise")
    news.until("Mon 08:00", every=24)
    assert (slot_day(news), news.issues()) == (30, [])
    assert news.draft() == "No. 1 of Mon 07:00: Harbour fees rise, Trams run at night, The bridge opens"
    assert news.mailed() == ["Mon 07:00 editors: [Draft, waiting] The Weekly: Harbour fees rise"]


def test_a_reopened_issue_of_an_automatic_newsletter_opens_at_its_next_slot(open_newsroom: OpenNewsroom) -> None:
    """Approved on Friday, held at its slot on Saturday, reopened: nothing is sent by itself before Sunday at 06:00."""
    news = open_newsroom(DAILY)
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 15:00", every=24)
    news.approve("daily")
    retract(news.kit.site, news.clock.now(), "harbour.md", "The fees stay.")
    news.until("Sat 08:00", every=24)
    assert "articles of it were withdrawn" in news.held()[0]
    undo_approval(news, "daily")
    assert news.draft("daily") == "No. 1 of Sat 06:00: The bridge opens"
    news.mailed()
    news.until("Sun 05:00", every=12)
    assert not [line for line in news.mailed() if " ann: " in line]
    news.until("Sun 06:00")
    assert news.mailed() == ["Sun 06:00 ann: The Daily: The bridge opens"]
    assert news.issues("daily") == ["No. 1 of Sun 06:00: sent"]


def test_it_is_refused_once_the_send_has_opened(open_newsroom: OpenNewsroom) -> None:
    """The error names the command for what was not handed over; a draft of a later issue is left as it is."""
    news = open_newsroom(WEEKLY, 'deliver_at = "12:00 local"\n')
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Fri 15:00", every=24)
    news.approve()
    news.until("Mon 07:00", every=24)
    news.write("harbour", "Harbour fees rise")
    news.until("Mon 08:00")
    with pytest.raises(SettingsError, match="no approved issue of weekly waits for its slot"):
        undo_approval(news)
    with pytest.raises(SettingsError, match=r"its send has opened. 'publish cancel weekly/2026-11-23T0700' stops"):
        undo_approval(news, "weekly/2026-11-23T0700")
    assert news.draft() == "No. 2 of Mon 07:00: Harbour fees rise"
    news.until("Mon 12:00", every=24)
    assert news.mailed() == ["Mon 12:00 ann: The Weekly: The bridge opens"]
