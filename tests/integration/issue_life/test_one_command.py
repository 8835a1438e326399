"""A site where cron calls only ``publish tick``, one where people run only ``publish now``, and ticks that race."""

from __future__ import annotations

import threading

import pytest

from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.use_cases import plan_approval, reinstate, retract, tick

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
DAILY = '[digests.daily]\ntitle = "The Daily"\nsend = "auto"\ncadence = "0 6 * * *"\n'
FLASH = '[digests.flash]\ntitle = "Flash"\nsend = "auto"\ntag = ["Flash"]\n'
OVERDUE = "its slot {} has passed, and nothing runs it: start 'publish run', or run 'publish tick' from cron"


def test_ticks_alone_publish_tell_and_mail(open_newsroom: OpenNewsroom) -> None:
    """Feeds, drafts, mail to the editors and issues without a single ``publish now``."""
    news = open_newsroom(WEEKLY, DAILY, feeds=True)
    news.subscribe("ann")
    news.subscribe("bert", to=["daily"])
    news.until("Sun 21:00", every=24)
    news.write("bridge", "The bridge opens")
    news.until("Sun 22:00")
    assert b"The bridge opens" in news.kit.staged()["feeds/all.rss"]
    assert news.draft("weekly") == "No. 1 of Mon 07:00: The bridge opens"
    assert news.draft("daily") == "No. 1 of Mon 06:00: The bridge opens"
    news.until("Mon 08:00", every=24)
    assert news.mailed() == [
        "Mon 06:00 bert: The Daily: The bridge opens",
        "Mon 07:00 editors: [Draft] The Weekly: The bridge opens",
    ]
    news.approve()
    news.until("Mon 09:00")
    assert news.mailed() == ["Mon 09:00 ann: The Weekly: The bridge opens"]


def test_publish_now_alone_mails_nothing_of_a_newsletter_with_a_cadence(open_newsroom: OpenNewsroom) -> None:
    """Slots pass without mail and each run says so, but a newsletter without a cadence is mailed."""
    news = open_newsroom(WEEKLY, DAILY, FLASH, ticks=False)
    news.subscribe("ann", to=["weekly", "daily", "flash"])
    news.write("bridge", "The bridge opens")
    news.until("Sat 05:00", every=24)
    assert [news.summary(slug).overdue for slug in ("weekly", "daily")] == ["", ""]
    news.until("Sat 06:00")
    assert news.summary("daily").overdue == OVERDUE.format("Sat 2026-11-21 06:00")
    news.until("Tue 12:00", every=24)
    assert news.mailed() == []
    assert news.summary("weekly").overdue == OVERDUE.format("Mon 2026-11-23 07:00")
    assert news.summary("daily").overdue == OVERDUE.format("Tue 2026-11-24 06:00")
    assert (news.issues("weekly"), news.issues("daily")) == ([], [])
    news.write("storm", "A storm comes", tags="[Flash]")
    news.until("Tue 13:00")
    assert news.mailed() == ["Tue 13:00 ann: Flash: A storm comes"]


def test_approve_says_that_nothing_runs_and_publish_send_mails(open_newsroom: OpenNewsroom) -> None:
    """An issue that was approved in time waits at its slot, and ``publish now`` names the command that sends it."""
    news = open_newsroom(WEEKLY, ticks=False)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Sun 12:00", every=24)
    assert plan_approval(news.kit.site, "weekly", news.clock.now()).overdue == ""
    approval = news.approve()
    assert (approval.opened, approval.is_attended) == (None, False)
    news.until("Mon 08:00", every=24)
    assert news.mailed() == []
    (warning,) = news.report.warnings
    assert "nothing runs" in warning.reason and "publish send weekly/2026-11-23T0700" in warning.reason
    news.send()
    assert news.mailed() == ["Mon 08:00 ann: The Weekly: The bridge opens"]


def test_publish_now_names_an_issue_that_is_held(open_newsroom: OpenNewsroom) -> None:
    """The editors get the mail, and each run has the reason and the way out until it is released."""
    news = open_newsroom(WEEKLY, ticks=False)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Sat 12:00", every=24)
    news.approve()
    retract(news.kit.site, news.clock.now(), "bridge.md", "It does not open.")
    for _ in range(2):
        news.until(f"Sat {news.clock.at.hour + 1}:00")
        (held,) = news.held()
        assert "articles of it were withdrawn" in held and "publish reopen weekly" in held
        assert news.report.exit_status == 1
    assert [line for line in news.mailed() if " ann: " in line] == []
    reinstate(news.kit.site, news.clock.now(), "bridge.md")
    news.run()
    assert (news.held(), news.report.exit_status) == ([], 0)
    news.off_until("Tue 08:00")
    assert "publish send weekly/2026-11-23T0700" in news.run().held[0].reason


def test_approving_after_a_slot_that_nothing_ran_takes_that_slot(open_newsroom: OpenNewsroom) -> None:
    """It opens at once; ``publish send`` mails it, and the first tick after that makes no second issue of the slot."""
    news = open_newsroom(WEEKLY, ticks=False)
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Mon 08:00", every=24)
    assert plan_approval(news.kit.site, "weekly", news.clock.now()).overdue == OVERDUE.format("Mon 2026-11-23 07:00")
    approval = news.approve()
    assert approval.opened is not None and not approval.is_attended
    assert news.issues() == ["No. 1 of Mon 07:00: sending"]
    news.run()
    assert news.mailed() == []
    news.send()
    assert news.mailed() == ["Mon 08:00 ann: The Weekly: The bridge opens"]
    news.write("harbour", "Harbour fees rise")
    news.ticks = True
    news.until("Mon 10:00")
    assert (news.issues(), news.mailed()) == (["No. 1 of Mon 07:00: sent"], [])
    assert news.draft() == "No. 2 of Mon 07:00: Harbour fees rise"


def test_the_first_tick_claims_no_slot_before_the_first_run_of_the_site(open_newsroom: OpenNewsroom) -> None:
    """``publish now`` has stored the cadences on Friday: the slot of Tuesday is missed, those before it are too old."""
    news = open_newsroom(DAILY, ticks=False)
    news.subscribe("ann", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Tue 12:00", every=24)
    news.ticks = True
    news.run()
    assert news.mailed() == ["Tue 12:00 ann: The Daily: The bridge opens"]
    assert news.issues("daily") == ["No. 1 of Tue 06:00: sent"]


@pytest.mark.postgresql
def test_ticks_that_race_send_each_message_once(open_any_newsroom: OpenNewsroom) -> None:
    """Three ticks at the slot of an approved issue and of an automatic one, with articles that they share."""
    news = open_any_newsroom(WEEKLY, DAILY.replace("0 6", "0 7"))
    news.subscribe("both", to=["weekly", "daily"])
    news.subscribe("daily-only", to=["daily"])
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.approve()
    news.off_until("Mon 07:00")
    site, failures = news.kit.site, []

    def run_tick() -> None:
        try:
            tick(site, clock=news.clock)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run_tick) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    news.run()
    assert failures == []
    mails = news.mails()
    assert sorted(mail.name for mail in mails) == ["both", "daily-only"]
    assert {news.line(mail).partition(": ")[2].partition(": ")[2] for mail in mails} == {"The bridge opens"}
    assert (news.issues("weekly"), news.issues("daily")) == (["No. 1 of Mon 07:00: sent"],) * 2
