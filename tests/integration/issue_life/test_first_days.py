"""A new user's first days: three runs in two minutes of a newsletter that is due on Mondays."""

from __future__ import annotations

from publisher.digests.preflight.message import check_message
from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import check_site

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
ALL = "Trams run at night, Harbour fees rise, The bridge opens"
ADDRESS = 'postal_address = "The Test Review, 1 Main Street, London"\n'


def run_three_times(news: Newsroom) -> None:
    """Write an article and run ``publish now``, three times in two minutes."""
    for name, title in (
        ("bridge", "The bridge opens"),
        ("harbour", "Harbour fees rise"),
        ("trams", "Trams run at night"),
    ):
        news.write(name, title, text="It has four lanes." if name == "bridge" else "Text.")
        news.run()
        news.clock.advance(seconds=40)


def test_three_runs_make_one_draft_and_a_later_subscriber_gets_everything(open_newsroom: OpenNewsroom) -> None:
    """No issue is made on a Friday; people who are imported on Saturday get all three articles on Monday."""
    news = open_newsroom(WEEKLY, ticks=False)
    run_three_times(news)
    assert news.issues() == []
    assert news.draft() == f"No. 1 of Mon 07:00: {ALL}"
    assert [path.name for path in (news.kit.root / "outbox/weekly").iterdir()] == ["next"]
    assert not news.run().changed

    news.until("Sat 12:00", every=24)
    news.subscribe("imported")
    news.until("Sun 12:00", every=24)
    news.approve()
    news.ticks = True
    news.until("Mon 07:00", every=24)
    assert news.mailed() == [f"Mon 07:00 imported: The Weekly: {ALL}"]
    assert news.issues() == ["No. 1 of Mon 07:00: sent"]


def test_a_corrected_headline_and_fact_arrive(open_newsroom: OpenNewsroom) -> None:
    """``publish now`` renders the draft again; an edit after the approval is named with the way to mail it."""
    news = open_newsroom(WEEKLY, ticks=False)
    news.subscribe("ann")
    run_three_times(news)
    before = news.stored_draft()
    news.edit("bridge", "The bridge opens", "The new bridge opens")
    news.edit("bridge", "four lanes", "five lanes")
    report = news.run()
    after = news.stored_draft()
    assert before is not None and after is not None and before.hash != after.hash
    assert report.changed and news.summary().is_changed

    news.approve(expect=after.hash)
    news.edit("bridge", "five lanes", "six lanes")
    (warning,) = news.run().warnings
    assert "edited after its approval: 'The new bridge opens'" in warning.reason
    assert "publish reopen weekly" in warning.reason
    news.ticks = True
    news.until("Mon 07:00", every=24)
    (mail,) = news.mails()
    assert news.headlines(mail.text) == ["Trams run at night", "Harbour fees rise", "The new bridge opens"]
    assert "five lanes" in mail.text and "four lanes" not in mail.text and "six lanes" not in mail.text


def test_preflight_checks_the_bytes_that_are_mailed(open_newsroom: OpenNewsroom) -> None:
    """Once a setting that it asks for is made, the warning goes, and header and body of the mail both have it."""
    news = open_newsroom(WEEKLY, ticks=False, preflight=True)
    news.subscribe("ann")
    run_three_times(news)

    def warned() -> set[str]:
        (issue,) = check_site(news.kit.site, ["weekly"], news.clock.now(), with_browser=False).issues
        return {finding.id for finding in issue.findings}

    before = warned()
    assert {"postal-address", "one-click"} <= before
    news.set("[mail]\n", f"[mail]\n{ADDRESS}one_click = true\n")
    after = warned()
    assert before - after == {"postal-address", "one-click"}
    news.approve()
    news.ticks = True
    news.until("Mon 07:00", every=24)
    (mail,) = news.mails()
    assert {finding.id for finding in check_message(mail.data, now=mail.at)} == after
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "1 Main Street" in mail.text


def test_each_further_week_has_one_issue_on_its_day(open_newsroom: OpenNewsroom) -> None:
    """A person who subscribes in the second week gets what is new then."""
    news = open_newsroom(WEEKLY)
    news.subscribe("ann")
    run_three_times(news)
    news.approve()
    news.until("Mon 12:00", every=24)
    news.subscribe("bert")
    news.write("storm", "A storm comes")
    news.run()
    news.kit.publish(news.clock.now())
    news.approve()
    news.until("Mon 12:00", every=24)
    assert news.mailed() == [
        f"Mon 07:00 ann: The Weekly: {ALL}",
        "Mon 07:00 ann: The Weekly: A storm comes",
        "Mon 07:00 bert: The Weekly: A storm comes",
    ]
    assert news.issues() == ["No. 1 of Mon 07:00: sent", "No. 2 of Mon 07:00: sent"]
