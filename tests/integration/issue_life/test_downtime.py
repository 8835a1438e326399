"""The machine is off for 26 hours, and three slots pass: Saturday at 06:00 and 18:00, and Sunday at 06:00."""

from __future__ import annotations

import pytest

from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom

DIGEST = '[digests.daily]\ntitle = "The Daily"\ncadence = "0 6,18 * * *"\nsend = "{send}"\ncatch_up = "{catch_up}"\n'
ALL_THREE = "Story of the evening, Story of noon, Story of dawn"
APPROVED = (
    '[digests.daily]\ntitle = "The Daily"\ncadence = "0 6 * * *"\ncatch_up = "{catch_up}"\ncatch_up_hours = {hours}\n'
)


def through_downtime(news: Newsroom) -> Newsroom:
    """Write three articles, of which two are published while the machine is off, and go on until it is on again."""
    news.subscribe("ann", to=["daily"])
    news.until("Sat 05:00", every=24)
    news.write("dawn", "Story of dawn")
    news.write("noon", "Story of noon", out="Sat 12:00")
    news.write("evening", "Story of the evening", out="Sat 20:00")
    news.run()
    assert news.mailed() == []
    news.off_until("Sun 07:00")
    news.run()
    return news


@pytest.mark.parametrize(
    ("catch_up", "issues", "mails"),
    [
        # Each missed slot within catch_up_hours (24), oldest first, with the articles that were out by then.
        (
            "all",
            ["No. 1 of Sat 18:00: sent", "No. 2 of Sun 06:00: sent"],
            ["The Daily: Story of noon, Story of dawn", "The Daily: Story of the evening"],
        ),
        ("latest", ["No. 1 of Sun 06:00: sent"], [f"The Daily: {ALL_THREE}"]),
        ("none", [], []),
    ],
)
def test_an_automatic_newsletter_catches_up_as_its_setting_says(
    open_newsroom: OpenNewsroom, catch_up: str, issues: list[str], mails: list[str]
) -> None:
    """What is not caught up is in the issue of the next slot: no article is lost, and none arrives twice."""
    news = through_downtime(open_newsroom(DIGEST.format(send="auto", catch_up=catch_up)))
    assert news.issues("daily") == issues
    assert [line.removeprefix("Sun 07:00 ann: ") for line in news.mailed()] == mails
    news.until("Sun 18:00", every=12)
    rest = [f"Sun 18:00 ann: The Daily: {ALL_THREE}"] if catch_up == "none" else []
    assert news.mailed() == rest


@pytest.mark.parametrize("catch_up", ["all", "latest", "none"])
def test_a_reviewed_newsletter_tells_its_editors_once(open_newsroom: OpenNewsroom, catch_up: str) -> None:
    """One draft waits, of the newest missed slot: ``all`` means ``latest``, with a warning."""
    news = through_downtime(open_newsroom(DIGEST.format(send="review", catch_up=catch_up)))
    told = ["Sun 07:00 editors: [Draft] The Daily: Story of the evening"]
    assert news.mailed() == ([] if catch_up == "none" else told)
    assert news.draft("daily") == f"No. 1 of Sun {'18' if catch_up == 'none' else '06'}:00: {ALL_THREE}"
    warned = [problem.where for problem in news.report.warnings]
    assert warned == (["digests.daily.catch_up"] if catch_up == "all" else [])
    assert news.issues("daily") == []
    assert (news.approve("daily").opened is None) is (catch_up == "none")
    news.until("Sun 18:00", every=12)
    assert news.mailed() == [f"Sun 18:00 ann: The Daily: {ALL_THREE}"]


@pytest.mark.parametrize(
    ("catch_up", "issues"),
    [
        ("all", ["No. 1 of Sat 18:00: sent", "No. 2 of Sun 06:00: sent"]),
        ("latest", ["No. 1 of Sun 06:00: sent"]),
        ("none", []),
    ],
)
def test_a_newsletter_without_mail_stages_what_it_catches_up(
    open_newsroom: OpenNewsroom, catch_up: str, issues: list[str]
) -> None:
    """The same issues as an automatic one, under their slots, and no mail."""
    news = through_downtime(open_newsroom(DIGEST.format(send="none", catch_up=catch_up)))
    assert news.issues("daily") == issues
    assert news.has_folder("daily", "2026-11-21T1800") is (catch_up == "all")
    assert news.has_folder("daily", "2026-11-22T0600") is (catch_up != "none")
    news.until("Sun 18:00", every=12)
    assert news.mailed() == []
    assert len(news.issues("daily")) == max(len(issues), 1)


def test_every_slot_within_catch_up_hours_is_cut_from_what_was_out_by_then(open_newsroom: OpenNewsroom) -> None:
    """With 26 hours to catch up, the oldest of the three slots has an issue too."""
    news = through_downtime(open_newsroom(DIGEST.format(send="auto", catch_up="all"), "catch_up_hours = 26\n"))
    assert news.mailed() == [
        "Sun 07:00 ann: The Daily: Story of dawn",
        "Sun 07:00 ann: The Daily: Story of noon",
        "Sun 07:00 ann: The Daily: Story of the evening",
    ]
    assert news.issues("daily") == [
        "No. 1 of Sat 06:00: sent",
        "No. 2 of Sat 18:00: sent",
        "No. 3 of Sun 06:00: sent",
    ]


@pytest.mark.parametrize("catch_up", ["all", "latest", "none"])
def test_an_approved_issue_opens_within_catch_up_hours_whatever_catch_up_says(
    open_newsroom: OpenNewsroom, catch_up: str
) -> None:
    """Its slot was 25 hours ago, and 26 are allowed."""
    news = open_newsroom(APPROVED.format(catch_up=catch_up, hours=26))
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Sat 05:00", every=24)
    news.approve("daily")
    news.off_until("Sun 07:00")
    news.run()
    assert news.mailed() == ["Sun 07:00 ann: The Daily: The bridge opens"]


@pytest.mark.parametrize("catch_up", ["all", "latest", "none"])
def test_an_approved_issue_that_is_later_waits_for_publish_send(open_newsroom: OpenNewsroom, catch_up: str) -> None:
    """Its slot was 25 hours ago, and 24 are allowed: the editors are told once."""
    news = open_newsroom(APPROVED.format(catch_up=catch_up, hours=24))
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Sat 05:00", every=24)
    news.approve("daily")
    news.off_until("Sun 07:00")
    news.run()
    news.until("Sun 12:00", every=24)
    assert news.mailed() == ["Sun 07:00 editors: [Held] The Daily: The bridge opens"]
    assert "publish send daily/2026-11-21T0600" in news.held()[0]
    news.send("daily")
    assert news.mailed() == ["Sun 12:00 ann: The Daily: The bridge opens"]
