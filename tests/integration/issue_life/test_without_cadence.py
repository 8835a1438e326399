"""Newsletters without a cadence: approval opens them, a new article does, or ``publish now DIGEST``."""

from __future__ import annotations

import pytest

from publisher.errors import SettingsError
from publisher.pipeline.approve import ApprovalTime
from tests.integration.issue_life.conftest import OpenNewsroom

NOTES = '[digests.notes]\ntitle = "Notes"\nsend = "{}"\n'


def test_a_reviewed_newsletter_is_told_from_the_start_and_opens_by_approval(open_newsroom: OpenNewsroom) -> None:
    """The editors get one mail; the issue has the articles that are out at its approval."""
    news = open_newsroom(NOTES.format("review"))
    news.subscribe("ann", to=["notes"])
    news.write("bridge", "The bridge opens")
    news.until("Fri 12:00")
    assert news.mailed() == ["Fri 10:00 editors: [Draft] Notes: The bridge opens"]
    news.write("harbour", "Harbour fees rise")
    news.write("later", "A story of tomorrow", out="Sat 12:00")
    news.until("Sun 07:00", every=24)
    news.kit.publish(news.clock.now())
    assert news.mailed() == []
    assert news.summary("notes").due == "is sent once you approve it: publish approve notes"

    assert news.approve("notes").opened is not None
    news.until("Sun 08:00")
    assert news.mailed() == ["Sun 08:00 ann: Notes: A story of tomorrow, Harbour fees rise, The bridge opens"]


@pytest.mark.parametrize("ticks", [True, False])
def test_an_automatic_newsletter_mails_each_new_article_at_once(open_newsroom: OpenNewsroom, ticks: bool) -> None:
    """Also with ``publish now``; an edit mails nothing."""
    news = open_newsroom(NOTES.format("auto"), ticks=ticks)
    news.subscribe("ann", to=["notes"])
    news.write("bridge", "The bridge opens")
    news.write("evening", "Story of the evening", out="Fri 20:00")
    news.until("Fri 10:00")
    assert news.mailed() == ["Fri 10:00 ann: Notes: The bridge opens"]
    news.edit("bridge", "Text.", "An edit.")
    news.until("Fri 19:00", every=6)
    assert news.mailed() == []
    news.until("Fri 20:00")
    assert news.mailed() == ["Fri 20:00 ann: Notes: Story of the evening"]
    assert [line.partition(": ")[2] for line in news.issues("notes")] == ["sent", "sent"]


@pytest.mark.parametrize("ticks", [True, False])
def test_an_automatic_newsletter_without_an_audience_waits_for_the_next_new_article(
    open_newsroom: OpenNewsroom, ticks: bool
) -> None:
    """A person who subscribes on Saturday is not mailed at that hour; on Sunday they get what was new, with the rest."""
    news = open_newsroom(NOTES.format("auto"), ticks=ticks)
    news.write("bridge", "The bridge opens")
    news.until("Fri 12:00", every=3)
    assert (news.issues("notes"), news.draft("notes")) == ([], "No. 1 of Fri 09:00: The bridge opens")
    news.until("Sat 12:00", every=24)
    news.subscribe("ann", to=["notes"])
    news.edit("bridge", "Text.", "An edit.")
    news.until("Sun 12:00", every=24)
    assert (news.issues("notes"), news.mailed()) == ([], [])

    news.write("harbour", "Harbour fees rise")
    news.until("Sun 13:00")
    assert news.mailed() == ["Sun 13:00 ann: Notes: Harbour fees rise, The bridge opens"]


def test_an_automatic_newsletter_that_waits_for_an_article_can_be_approved(open_newsroom: OpenNewsroom) -> None:
    """A person need not wait; what is new afterwards is mailed at once again."""
    news = open_newsroom(NOTES.format("auto"))
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    with pytest.raises(SettingsError, match="notes has no subscribers"):
        news.approve("notes")
    news.subscribe("ann", to=["notes"])
    news.approve("notes")
    news.until("Fri 11:00")
    news.write("harbour", "Harbour fees rise")
    news.until("Fri 12:00")
    assert news.mailed() == [
        "Fri 11:00 ann: Notes: The bridge opens",
        "Fri 12:00 ann: Notes: Harbour fees rise",
    ]


def test_a_newsletter_without_mail_is_published_by_publish_now_digest_only(open_newsroom: OpenNewsroom) -> None:
    """No run publishes it; the command does, as of its minute, and its articles are in no later issue."""
    news = open_newsroom(NOTES.format("none"))
    news.subscribe("ann", to=["notes"])
    news.write("bridge", "The bridge opens")
    news.until("Mon 12:00", every=24)
    assert (news.issues("notes"), news.mailed()) == ([], [])
    assert news.summary("notes").due == "is published on the web, without mail, by: publish now notes"
    news.clock.advance(minutes=17)
    assert news.approve("notes", time=ApprovalTime.OUT_OF_TURN).opened is not None
    assert news.issues("notes") == ["No. 1 of Mon 12:17: sent"]
    news.write("harbour", "Harbour fees rise")
    news.until("Mon 13:00")
    assert news.draft("notes") == "No. 2 of Mon 12:18: Harbour fees rise"
    assert news.mailed() == []
