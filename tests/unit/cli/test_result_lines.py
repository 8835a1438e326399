"""The text that commands print about a result."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher import Publisher
from publisher.cli import bounces, check, review, send, subscribers, trace
from publisher.cli.common import correction_lines, notification_lines
from publisher.cli.now import summary as run_lines
from publisher.cli.tick import report_lines
from publisher.delivery.bounces import BounceResult
from publisher.delivery.deliver import SendResult
from publisher.delivery.dispatch import DeliveryCounts
from publisher.errors import SettingsError
from publisher.model.delivery import DeliveryState
from publisher.model.problems import Problem
from publisher.model.report import (
    DraftSummary,
    HeldIssue,
    IssueSendResult,
    NotificationResult,
    OpenedSummary,
    PublishResult,
    ScheduledRunResult,
    WaitingDigest,
)
from publisher.pipeline.check import CheckResult
from publisher.pipeline.correct import CorrectionResult
from publisher.reports.trace import DeliveryEvent, DeliveryHistory
from publisher.subscribers.list_parser import RejectedRow
from publisher.subscriptions.import_list import ImportResult
from publisher.subscriptions.review import UnclearState
from tests.conftest import NOW, SiteKit

NO_RECIPIENTS = "daily had no subscribers when the issue was sent, or they already had all of its articles"
SENT = SendResult(digest="daily", name="1", counts=DeliveryCounts())


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            SENT,
            [f"daily/1 has no recipients: {NO_RECIPIENTS}."],
        ),
        (replace(SENT, states={DeliveryState.ACCEPTED: 2}), ["daily/1 has no deliveries left to make."]),
        (
            replace(SENT, counts=DeliveryCounts(accepted=1500, failed=1), states={DeliveryState.ACCEPTED: 1}, seconds=3),
            ["Sent daily/1: 1,500 messages accepted, 500 a second", "  1 failed: refused for good"],
        ),
        (
            replace(
                SENT,
                counts=DeliveryCounts(accepted=1),
                states={DeliveryState.DEFERRED: 1},
                stop_reason="the relay refuses mail",
                paused_domains=["a.example", "b.example"],
                next_due=datetime(2026, 11, 23, 8, tzinfo=UTC),
                uncertain=["ann@mail.example"],
            ),
            [
                "Sent daily/1: 1 message accepted",
                "  Stopped early: the relay refuses mail",
                "  Paused domains: a.example, b.example",
                "  1 delivery waiting, the next at 2026-11-23 08:00: run 'publish send daily/1' again",
                "  1 delivery uncertain; use --uncertain resend or --uncertain skip:",
                "    ann@mail.example",
            ],
        ),
        (
            replace(SENT, counts=DeliveryCounts(deferred=2), states={DeliveryState.QUEUED: 2}),
            [
                "Sent daily/1: 0 messages accepted",
                "  2 deferred: refused for now, retried later",
                "  2 deliveries waiting: run 'publish send daily/1' again",
            ],
        ),
    ],
)  # fmt: skip
def test_send_says_how_far_it_came_and_what_to_do(kit: SiteKit, result: SendResult, expected: list[str]) -> None:
    """Each count, the reason for an early end, and the command that goes on."""
    assert send.sent_lines(kit.site, result) == expected


def test_progress_of_sending_names_uncertain_deliveries() -> None:
    """They are counted only if there are any."""
    counts = DeliveryCounts(accepted=8, uncertain=2)
    assert send.progress_text(counts, 20, 5) == (
        "10 of 20, 2 a second: 8 accepted, 0 deferred, 0 failed, 2 uncertain; 5 s left"
    )
    assert send.progress_text(DeliveryCounts(), 20, 0) == "0 of 20, 0 a second: 0 accepted, 0 deferred, 0 failed"


def test_bounces_lists_the_first_of_many() -> None:
    """Of suppressed addresses and of skipped messages, with the number of the others."""
    result = BounceResult(
        messages=30,
        hard=25,
        suppressed=tuple(f"reader{number}@mail.example" for number in range(25)),
        unreadable=1200,
        problems=tuple(f"message {number}: it has no end" for number in range(20)),
    )
    shown = bounces.lines(result)
    assert shown[:2] == ["30 messages read", "  25 hard: the address does not exist"]
    assert shown[2].endswith(", reader19@mail.example") and "reader20" not in shown[2]
    assert shown[3] == "  … and 5 more; --json lists them all"
    assert shown[4:6] == ["Skipped 1,200 messages:", "  message 0: it has no end"]
    assert shown[-2] == "  … and 1,180 more"
    assert shown[-1] == "  Unreadable messages are kept aside in the mailbox, marked as unreadable."
    assert bounces.lines(result, is_stdin=True)[-1].startswith("  Unreadable messages are in the folder ")


def test_an_import_shows_removed_subscriptions_and_the_first_rejected_rows() -> None:
    """With the option that writes all rejected rows, or the file that has them."""
    result = ImportResult(rows=9, changed=2, unnamed=Counter({"daily": 2}), rejected=5)
    result.rejections.append(RejectedRow(number=3, reason="is not an email address"))
    assert subscribers.import_lines(result, None) == [
        "9 rows read: 0 added, 2 changed, 0 unchanged",
        "  2 unsubscribed from daily: their rows do not name it",
        "Rejected 5 rows:",
        "  row 3: is not an email address",
        "  … and 4 more; --rejected FILE writes them all",
    ]
    assert subscribers.import_lines(result, Path("bad.csv"))[-1] == "  … and 4 more; bad.csv"


def test_review_lists_people_whose_state_is_not_known() -> None:
    """With the digest, or everything, and the command that subscribes them again."""
    state = UnclearState(address="ann@mail.example", digest=None, reason="from version 1", since=NOW)
    assert review.unclear_lines([state]) == [
        "1 unclear state: these people count as unsubscribed",
        "  ann@mail.example  everything since 2026-11-23  from version 1",
        "If you know that they want it: 'publish subscribers add ADDRESS --resubscribe REASON'.",
    ]
    assert review.unclear_lines([]) == []
    assert state.as_dict() == {
        "address": "ann@mail.example",
        "digest": None,
        "reason": "from version 1",
        "since": "2026-11-23T07:00:00+00:00",
    }


def test_trace_shows_when_a_deferred_delivery_is_tried_again() -> None:
    """In text and in JSON."""
    history = DeliveryHistory(
        digest="daily",
        name="1",
        number=1,
        subject="One",
        address="ann@mail.example",
        status="active",
        state=DeliveryState.DEFERRED,
        message_id="<1@review.example>",
        articles=("One", "Two"),
        events=(DeliveryEvent(at=NOW, text="attempt 1: deferred: 450 busy"),),
        due=NOW + timedelta(minutes=15),
    )
    assert trace.lines(history) == [
        "daily/1, No. 1: One",
        "  to      ann@mail.example (active)",
        "  state   deferred",
        "          next attempt at 2026-11-23 07:15:00",
        "  message <1@review.example>",
        "  article One",
        "          Two",
        "  delivery",
        "    2026-11-23 07:00:00  attempt 1: deferred: 450 busy",
    ]
    shown = history.as_dict()
    assert (shown["state"], shown["due"]) == ("deferred", "2026-11-23T07:15:00+00:00")
    assert shown["events"] == [{"at": "2026-11-23T07:00:00+00:00", "text": "attempt 1: deferred: 450 busy"}]


def draft_summary(**fields: Any) -> DraftSummary:
    values: dict[str, Any] = {
        "digest": "daily",
        "number": 1,
        "slot": "2026-11-24T07:00:00+00:00",
        "subject": "One",
        "articles": 2,
        "path": "outbox/daily/next",
        "send": "review",
        "due": "is sent Tue 2026-11-24 07:00 if it is approved by then: publish approve daily",
        "shortened": 0,
        "html_size": 1,
        "errors": (),
        "warnings": 0,
        "hash": "0123456789abcdef",
        "is_changed": True,
    }
    return DraftSummary(**{**values, **fields})


def test_a_run_shows_the_draft_its_size_when_it_is_due_and_where_to_look(kit: SiteKit) -> None:
    """And a slot that nothing runs, shortened stories, and errors with the command that explains them."""
    plain = PublishResult(issue_drafts=(draft_summary(is_changed=False),))
    shown = run_lines(kit.site, plain, Path())
    start = shown.index("  outbox/    draft of daily No. 1, 2 articles, unchanged: One")
    assert shown[start + 1 : start + 3] == [
        "             is sent Tue 2026-11-24 07:00 if it is approved by then: publish approve daily",
        "             see outbox/daily/next/index.html",
    ]
    late = draft_summary(
        overdue="its slot has passed", shortened=3, errors=("html: it is broken",), warnings=2, silenced=("link-text",)
    )
    report = PublishResult(at="", dry_run=False, files_read=1, withdrawn=2, issue_drafts=(late,))
    shown = run_lines(kit.site, report, Path())
    assert "             2 articles withdrawn: a draft now" in shown
    start = shown.index("  outbox/    draft of daily No. 1, 2 articles: One")
    assert shown[start + 3 : start + 8] == [
        "             its slot has passed",
        "             3 stories shortened to fit",
        "             blocked by 1 error: html: it is broken",
        "             2 warnings; 'publish check daily' shows what to fix",
        "             1 finding silenced: link-text",
    ]
    assert "Nothing was mailed: no mail server is configured ([smtp] in publisher.toml)." in shown
    assert report.as_dict()["issue_drafts"][0]["overdue"] == "its slot has passed"


def test_a_run_shows_issues_that_are_sent_or_held(kit: SiteKit) -> None:
    """With the number of subscribers, and with the reason."""
    opened = OpenedSummary(digest="daily", number=1, subject="One", articles=2, subscribers=3, path="outbox/daily/1")
    held = HeldIssue(issue="daily/2", reason="an article was withdrawn.")
    shown = run_lines(kit.site, PublishResult(opened=(opened,), held=(held,)), Path())
    start = shown.index("  outbox/    daily No. 1 is sent to 3 subscribers, 2 articles: One")
    assert shown[start + 1] == "             see outbox/daily/1/index.html"
    assert "  outbox/    daily/2 is held: an article was withdrawn." in shown


def test_a_run_shows_how_sending_ended(kit: SiteKit) -> None:
    """Why it stopped, and which deliveries are uncertain or waiting."""
    sent = IssueSendResult(
        issue="daily/1", accepted=1, deferred=2, failed=0, uncertain=3, waiting=4, stop_reason="no server answers"
    )
    shown = run_lines(kit.site, PublishResult(sends=(sent,)), Path())
    start = shown.index("  mail       daily/1: 1 message accepted, 2 deferred")
    assert shown[start + 1 : start + 4] == [
        "             stopped early: no server answers",
        "             3 uncertain: 'publish outbox' lists them",
        "             4 waiting: the next 'publish now' sends them",
    ]
    assert sent.as_dict()["trouble"] == "no server answers"


def test_a_failed_scheduled_run_gives_exit_status_1() -> None:
    """And is part of the JSON output of the run."""
    run = ScheduledRunResult(schedule="feeds", slot=NOW, late=0.12345, outcome="the disk is full", is_failed=True)
    report = PublishResult(scheduled_runs=(run,))
    assert report.exit_status == 1
    assert report.as_dict()["scheduled_runs"] == [
        {
            "schedule": "feeds",
            "slot": "2026-11-23T07:00:00+00:00",
            "late": 0.123,
            "outcome": "the disk is full",
            "failed": True,
        }
    ]


def test_a_correction_lists_the_issues_with_the_old_version() -> None:
    """And what the run changed, if there was one."""
    edited = CorrectionResult(title="One", id="urn:1", link="https://review.example/one")
    assert correction_lines("Corrected", edited, Path()) == [
        "Corrected: One",
        "  https://review.example/one",
        "  urn:1",
    ]
    report = PublishResult(
        feeds_changed=("feeds/all.atom",),
        feeds_removed=("feeds/topic/x.atom",),
        rejected=(Problem(where="two.md", reason="it has no title", is_rejected=True),),
    )
    edited = replace(edited, report=report, gone="feeds/gone/one.html", issues=("outbox/daily/1",))
    assert correction_lines("Withdrawn", edited, Path("site"))[3:] == [
        "  1 file written, 1 removed",
        "  skipped: two.md: it has no title",
        "  its URL now responds with 410 and site/feeds/gone/one.html",
        "  This issue contains the old version; mail that was sent cannot be recalled:",
        "    site/outbox/daily/1",
    ]
    edited = replace(edited, issues=("outbox/daily/1", "outbox/weekly/1"))
    assert "  These issues contain the old version; mail that was sent cannot be recalled:" in correction_lines(
        "Withdrawn", edited, Path("site")
    )
    edited = replace(edited, issues=(), approved=("daily/2",))
    assert correction_lines("Withdrawn", edited, Path("site"))[-2:] == [
        "  This approved issue contains the old version, and nothing of it is sent. To bring it up to date:",
        "    publish reopen daily/2",
    ]


def test_a_check_of_a_site_without_feeds_says_so() -> None:
    """The words "nothing found" would be read as: all is well."""
    assert check.lines(CheckResult()) == [
        "No feeds to check. Run 'publish now' to make them, or name a feed, a draft or an issue."
    ]
    assert check.lines(CheckResult(feeds=2)) == ["2 feeds checked, nothing found."]


def test_a_schedule_that_is_not_there_is_reported_by_what_is_missing(kit: SiteKit) -> None:
    """A digest without a cadence, and no such digest."""
    with Publisher(kit.site) as publisher:
        with pytest.raises(SettingsError, match=r"^digest 'daily' has no cadence\. Add one under \[digests\.daily\]"):
            publisher.schedule.descriptions("daily")
        with pytest.raises(SettingsError, match=r"^there is no digest 'dialy'\. publisher\.toml has: daily$"):
            publisher.schedule.descriptions("dialy")


def test_notifications_of_hubs_show_what_is_waiting() -> None:
    """With the command that sends it, and the first failures."""
    result = NotificationResult(sent=1, waiting=2, failed=[f"hub {number}: no answer" for number in range(7)])
    assert notification_lines(result) == [
        "  announced 1 changed feed",
        "  2 announcements waiting: the changed feeds are not live yet, or a hub did not answer.",
        "  The next 'publish now' tries again, or run 'publish announce' once they are live.",
        *(f"  hub {number}: no answer" for number in range(5)),
    ]


def test_a_run_names_digests_without_a_draft(kit: SiteKit) -> None:
    """With the number of articles that wait for the next one."""
    waiting = WaitingDigest(digest="daily", articles=2, reason="fewer than 3 articles")
    shown = run_lines(kit.site, PublishResult(waiting=(waiting,)), Path())
    assert "  outbox/    daily: no draft, fewer than 3 articles (2 articles waiting)" in shown


def test_tick_names_an_issue_that_is_held_although_nothing_was_done(kit: SiteKit) -> None:
    """The exit status is 1, and cron would mail an empty message."""
    held = HeldIssue(issue="daily/2026-11-23T0700", reason="articles of it were withdrawn")
    assert report_lines(kit.site, PublishResult(held=(held,)), Path()) == [
        "daily/2026-11-23T0700 is held: articles of it were withdrawn"
    ]
    assert report_lines(kit.site, PublishResult(), Path()) == []
