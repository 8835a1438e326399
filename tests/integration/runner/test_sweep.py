"""Expired rows are deleted, by the runner and by ``publish tick`` alike."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from publisher.model.subscriptions import ConfirmationKind
from publisher.reports import statistics_store as listening
from publisher.reports.statistics_store import FeedRequestRow
from publisher.runner import make_log
from publisher.runner.jobs import Jobs
from publisher.runner.sweep import SweepResult, sweep
from publisher.schedule import store as slots
from publisher.storage.engine import Database
from publisher.storage.facts import set_fact
from publisher.subscriptions import confirmation_store as confirmations
from publisher.websub import hub_store as hub
from tests.conftest import NOW, SiteKit
from tests.support.clocks import ManualClock
from tests.support.use_cases import tick

OLD_RUN, NEW_RUN = NOW - timedelta(days=100), NOW - timedelta(days=80)
NEWEST_RUN = NOW - timedelta(days=75)


def trust_clock(db: Database, at: datetime) -> None:
    """Let the clock have run for nine days until a minute before AT."""
    since, last = at - timedelta(days=9), at - timedelta(minutes=1)
    with db.write() as connection:
        set_fact(connection, "clock", f"{int(since.timestamp())} {int(last.timestamp())}")


def fill(db: Database) -> None:
    """Store, of each kind, one row that has expired at NOW and one that has not."""
    trust_clock(db, NOW)
    with db.write() as connection:
        for slot in (OLD_RUN, NEW_RUN, NEWEST_RUN):
            until = slot + timedelta(minutes=2)
            claim = slots.claim_slot(connection, "digest:weekly", slot, runner="test", now=slot, until=until)
            assert claim is not None
            slots.finish_slot(connection, claim, slot)
        for days, address in ((9, "old@mail.example.org"), (7, "new@mail.example.org")):
            made_at = int((NOW - timedelta(days=days)).timestamp())
            confirmations.add(connection, ConfirmationKind.SUBSCRIBE, f"hash of {address}", address, made_at)
        for seconds, callback in ((0, "https://old.example/"), (60, "https://new.example/")):
            hub.save_subscription(connection, "all.atom", callback, "", int(NOW.timestamp()) + seconds)
        listening.add_feed_requests(connection, [feed_requests(401), feed_requests(399)])


def feed_requests(days: int) -> FeedRequestRow:
    """Return figures of a day that many days before NOW."""
    day = (NOW - timedelta(days=days)).date().isoformat()
    return FeedRequestRow(day=day, feed="all", program="direct", subscribers=1, requests=1, unchanged=0)


def assert_expired_rows_deleted(db: Database) -> None:
    """Assert that only expired rows were deleted."""
    with db.read() as connection:
        assert [run.slot for run in slots.recent_runs(connection, "digest:weekly", 10)] == [NEWEST_RUN, NEW_RUN]
        since = int((NOW - timedelta(days=30)).timestamp())
        assert (
            confirmations.latest(connection, "hash of old@mail.example.org", [ConfirmationKind.SUBSCRIBE], since)
            is None
        )
        assert (
            confirmations.latest(connection, "hash of new@mail.example.org", [ConfirmationKind.SUBSCRIBE], since)
            is not None
        )
        assert hub.count_rows(connection) == 1
        assert listening.feed_requests_since(connection, "2000-01-01") == [feed_requests(399)]


def sweep_by_tick(kit: SiteKit, at: datetime) -> None:
    tick(kit.site, clock=ManualClock(at))


def sweep_by_runner(kit: SiteKit, at: datetime) -> None:
    with kit.open() as db:
        log = make_log(io.StringIO(), as_json=True)
        jobs = Jobs(kit.site, db, ManualClock(at), log, wake=lambda name: None, wake_at=lambda *_: None)
        jobs.sweep()


@pytest.mark.parametrize("sweep_site", [sweep_by_tick, sweep_by_runner])
def test_expired_rows_are_deleted_by_tick_as_by_the_runner(
    any_kit: SiteKit, sweep_site: Callable[[SiteKit, datetime], None]
) -> None:
    """A site kept by cron deletes expired hub subscriptions and figures, as the runner does."""
    with any_kit.open() as db:
        fill(db)
    sweep_site(any_kit, NOW)
    with any_kit.open() as db:
        assert_expired_rows_deleted(db)


@pytest.mark.postgresql
def test_the_newest_run_of_a_schedule_is_kept_however_old_it_is(any_kit: SiteKit) -> None:
    """The next slot is counted from the newest run, so it may not expire."""
    with any_kit.open() as db:
        fill(db)
        trust_clock(db, NOW + timedelta(days=1000))
        sweep(db, NOW + timedelta(days=1000))
        with db.read() as connection:
            assert [run.slot for run in slots.recent_runs(connection, "digest:weekly", 10)] == [NEWEST_RUN]


def test_a_sweep_says_how_much_it_deleted_and_then_finds_nothing(any_kit: SiteKit) -> None:
    """Sweeping is idempotent."""
    with any_kit.open() as db:
        fill(db)
        counts = {"runs": 1, "confirmation_emails": 1, "hub_subscriptions": 1, "figures": 1}
        assert sweep(db, NOW) == SweepResult(deleted=counts)
        assert sweep(db, NOW) == SweepResult(deleted=dict.fromkeys(counts, 0))


def test_the_runner_logs_a_sweep_that_deleted_something(kit: SiteKit) -> None:
    """The log names the number of deleted rows of each kind, once."""
    text = io.StringIO()
    with kit.open() as db:
        fill(db)
        log = make_log(text, as_json=True)
        jobs = Jobs(kit.site, db, ManualClock(NOW), log, wake=lambda name: None, wake_at=lambda *_: None)
        jobs.sweep()
        jobs.sweep()
    (line,) = map(json.loads, text.getvalue().splitlines())
    assert line["event"] == "expired rows deleted"
    assert (line["runs"], line["confirmation_emails"], line["hub_subscriptions"], line["figures"]) == (1, 1, 1, 1)
