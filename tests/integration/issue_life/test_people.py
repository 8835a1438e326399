"""People who subscribe and unsubscribe between the states of an issue."""

from __future__ import annotations

from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.use_cases import erase_subscriber, suppress_by_operator

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\ndeliver_at = "09:00 local"\n'
LEAVERS = ("leaves-draft", "leaves-approved", "leaves-open", "leaves-retry", "suppressed", "erased", "returns")


def test_people_get_an_issue_if_they_subscribe_when_its_send_opens_and_when_it_is_handed_over(
    open_any_newsroom: OpenNewsroom,
) -> None:
    """Draft on Friday, approval on Saturday, slot on Monday at 07:00, local delivery at 09:00, retry at 11:00."""
    news = open_any_newsroom(WEEKLY)
    news.subscribe("first", "stays-retry", *LEAVERS)
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    assert news.draft() == "No. 1 of Mon 07:00: The bridge opens"

    # Between the draft and its approval.
    news.subscribe("joins-draft")
    news.unsubscribe("leaves-draft")
    news.until("Sat 12:00", every=24)
    assert news.approve().opened is None

    # Between the approval and the slot.
    news.subscribe("joins-approved")
    news.unsubscribe("leaves-approved", "returns")
    news.until("Sun 12:00", every=24)
    news.subscribe("returns", resubscribe="They asked by mail.")

    # Between the slot and the local delivery hour.
    news.until("Mon 08:00", every=24)
    assert (news.issues(), news.mailed()) == (["No. 1 of Mon 07:00: sending"], [])
    news.subscribe("joins-open")
    news.unsubscribe("leaves-open")
    suppress_by_operator(news.kit.site, "suppressed@mail.example.org", news.clock.now())

    # Between the first attempt and the retry.
    news.deferred.update({"leaves-retry": 2, "stays-retry": 2, "erased": 2})
    news.until("Mon 10:00")
    assert news.mailed() == [
        f"Mon 09:00 {name}: The Weekly: The bridge opens"
        for name in ("first", "joins-approved", "joins-draft", "returns")
    ]
    news.deferred.clear()
    news.unsubscribe("leaves-retry")
    erase_subscriber(news.kit.site, "erased@mail.example.org", news.clock.now())
    news.until("Mon 12:00")
    (retry,) = news.mails()
    assert news.line(retry) == "Mon 11:00 stays-retry: The Weekly: The bridge opens"
    # A retry keeps the date of the first attempt.
    assert retry.date == "Mon 09:00"
    assert news.issues() == ["No. 1 of Mon 07:00: sent"]

    # The next issue: the people who subscribe then, with what is new.
    news.write("harbour", "Harbour fees rise")
    news.until("Sun 12:00", every=24)
    news.approve()
    news.until("Mon 09:00", every=24)
    names = ("first", "joins-approved", "joins-draft", "joins-open", "returns", "stays-retry")
    assert news.mailed() == [f"Mon 09:00 {name}: The Weekly: Harbour fees rise" for name in names]


def test_interests_count_when_the_send_opens(open_newsroom: OpenNewsroom) -> None:
    """A person who narrows their interests on Sunday gets that selection, from the text that was approved on Friday."""
    news = open_newsroom('[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n')
    news.subscribe("all")
    news.subscribe("changes")
    news.write("bridge", "The bridge opens", topic="Roads")
    news.write("harbour", "Harbour fees rise", topic="Ports")
    news.until("Fri 15:00", every=24)
    news.approve()
    news.edit("bridge", "Text.", "An edit.")
    news.until("Sun 12:00", every=24)
    news.subscribe("changes", follows={"topics": ["Roads"]})
    news.until("Mon 07:00", every=24)
    first, second = news.mails()
    assert news.line(first) == "Mon 07:00 all: The Weekly: Harbour fees rise, The bridge opens"
    assert news.line(second) == "Mon 07:00 changes: The Weekly: The bridge opens"
    assert "An edit." not in first.text + second.text


def test_a_newsletter_without_cadence_mails_people_who_subscribe_at_its_approval(open_newsroom: OpenNewsroom) -> None:
    """Approval opens the send: a person who comes an hour later gets the next issue."""
    news = open_newsroom('[digests.notes]\ntitle = "Notes"\n')
    news.subscribe("before", to=["notes"])
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    assert news.mailed() == ["Fri 10:00 editors: [Draft] Notes: The bridge opens"]
    news.approve("notes")
    news.subscribe("after", to=["notes"])
    news.until("Fri 11:00")
    assert news.mailed() == ["Fri 11:00 before: Notes: The bridge opens"]


def test_an_automatic_newsletter_without_an_audience_waits_for_its_next_slot(open_newsroom: OpenNewsroom) -> None:
    """A person who subscribes two hours after the slot gets the article at the next one, and not at once."""
    news = open_newsroom('[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\n')
    news.write("bridge", "The bridge opens")
    news.until("Sat 08:00", every=24)
    assert (news.issues("daily"), news.draft("daily")) == ([], "No. 1 of Sun 06:00: The bridge opens")
    news.subscribe("ann", to=["daily"])
    news.until("Sat 12:00")
    assert news.mailed() == []
    news.until("Sun 06:00", every=24)
    assert news.mailed() == ["Sun 06:00 ann: The Daily: The bridge opens"]
