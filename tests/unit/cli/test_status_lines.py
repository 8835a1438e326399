"""The lines of ``publish status`` and ``publish stats``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from publisher.articles.drafts_store import DraftRow
from publisher.cli import stats, status
from publisher.model.delivery import DeliveryState
from publisher.reports.stats import FeedStats, IssueStats, Stats
from publisher.reports.status import Status
from publisher.schedule.store import SlotRun
from tests.conftest import NOW, SiteKit


def test_statistics_list_the_first_feeds_and_the_subscriptions_of_the_hub(kit: SiteKit) -> None:
    """A site without feed requests and without subscribers says so, or nothing."""
    empty = Stats(days=1, feeds=(), issues=(), subscribers={}, hub=0)
    assert stats.lines(kit.site, empty) == [
        "The Test Review, 1 day",
        "",
        "  feeds    no requests yet: 'publish serve' counts them",
    ]
    feed = FeedStats(
        feed="all", subscribers=5, programs={"B": 1, "A": 1, "C": 3}, day="2026-11-22", requests=0, unchanged=0, days={}
    )
    issue = IssueStats(digest="daily", name="1", number=1, subject="One", deliveries={}, clicks=(7, 1))
    waiting = replace(issue, name="2", deliveries={DeliveryState.QUEUED: 3, DeliveryState.FAILED: 1}, clicks=None)
    full = Stats(days=30, feeds=(feed,) * 23, issues=(issue, waiting), subscribers={"active": 1}, hub=2)
    shown = stats.lines(kit.site, full)
    assert shown[2:4] == ["  feeds/all: 5 subscribers on 2026-11-22 (C 3, A 1, B 1)", "    0 requests"]
    assert shown[42:] == [
        "  … and 3 more; --json lists them all",
        "  hub      2 subscriptions",
        "  mail     1 active subscriber",
        "  daily/1  No. 1  One",
        "    no deliveries; 7 clicks",
        "  daily/2  No. 1  One",
        "    3 queued, 1 failed",
    ]


STATUS = Status(
    articles=1,
    withdrawn=0,
    drafts=(),
    published_drafts=(),
    files=1,
    feeds=2,
    feed_files=11,
    feeds_due=0,
    announcements=0,
    digests=(),
    issues=(),
    refused=(),
    warnings=(),
    subscribers={},
    feeds_last=None,
    feeds_next=None,
    runners=(),
    blockers=(),
    exposed=(),
    deliveries={},
)


SLOT = SlotRun(
    schedule="feeds",
    slot=NOW,
    state="due",
    attempt=3,
    runner="host 7",
    leased_until=NOW + timedelta(minutes=2),
    late=1.25,
    finished_at=None,
    outcome="the disk is full",
)


def test_status_shows_drafts_unstaged_feeds_and_a_failed_run(kit: SiteKit) -> None:
    """Each with the next step: a command, or the time of the next attempt."""
    drafts = (DraftRow(where="idea.md", statement="draft: true"),)
    shown = status.lines(kit.site, replace(STATUS, drafts=drafts, feeds_due=1, feeds_last=SLOT))
    assert shown[2:] == [
        "  store    1 article from 1 file, 1 draft",
        "  feeds/   2 feeds in 11 files",
        "           1 feed still to be staged: run 'publish now'",
        "           slot Mon 2026-11-23 07:00 failed 3 times, next attempt at 07:02:00: the disk is full",
        "",
        "Drafts (1):",
        "  idea.md: draft: true",
    ]
    running = replace(STATUS, feeds_last=replace(SLOT, state="running"))
    assert status.lines(kit.site, running)[-1] == (
        "           last slot Mon 2026-11-23 07:00, started 1.2 s late: running on host 7"
    )
    assert running.as_dict()["feeds"]["last"]["state"] == "running"


def test_status_shows_what_is_wrong_with_a_runner(kit: SiteKit) -> None:
    """Rejected settings, and jobs that fail again and again."""
    runner = {
        "runner": "host 7",
        "started_at": "2026-11-23T06:00:00+00:00",
        "settings_error": "publisher.toml:3: title is missing",
        "jobs": [{"name": "publish", "failures": 2, "last_error": "x"}, {"name": "hub", "failures": 0}],
    }
    assert status.lines(kit.site, replace(STATUS, runners=(runner,)))[4:] == [
        "  runner   host 7, since Mon 2026-11-23 06:00",
        "           settings rejected, the previous ones stay in use: publisher.toml:3: title is missing",
        "           publish failed 2 times in a row: x",
    ]


def test_status_counts_subscribers_and_says_once(kit: SiteKit) -> None:
    """Plurals follow the count."""
    runner = {
        "runner": "host 7",
        "started_at": "2026-11-23T06:00:00+00:00",
        "settings_error": "",
        "jobs": [{"name": "hub", "failures": 1, "last_error": "x"}],
    }
    people = {"unsubscribed": 2, "active": 1}
    shown = status.lines(kit.site, replace(STATUS, subscribers=people, runners=(runner,)))
    assert "  mail     1 active subscriber, 2 unsubscribed" in shown
    assert "           hub failed once: x" in shown
