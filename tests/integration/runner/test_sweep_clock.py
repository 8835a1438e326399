"""After a jump of the clock nothing is deleted, and due times are repaired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from publisher.model.subscriptions import ConfirmationKind
from publisher.runner.sweep import sweep
from publisher.schedule import store as slots
from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.confirmation_store import CONFIRMATION
from tests.conftest import NOW, MailKit, issues
from tests.support.clocks import ManualClock
from tests.support.smtp import Script, Server
from tests.support.use_cases import tick

FUTURE = datetime(2037, 5, 1, tzinfo=UTC)


def confirmation_ids(db: Database) -> list[int]:
    with db.read() as connection:
        return [row.id for row in connection.execute(text("SELECT id FROM confirmation_email ORDER BY id"))]


def add_confirmation(db: Database, moment: datetime) -> int:
    with db.write() as connection:
        return confirmations.add(connection, ConfirmationKind.SUBSCRIBE, "hash", "a@b.example", int(moment.timestamp()))


def steady(db: Database, start: datetime, days: int) -> datetime:
    """Let the clock run for days, with a sweep each day."""
    for day in range(days + 1):
        sweep(db, start + timedelta(days=day))
    return start + timedelta(days=days)


def test_expired_rows_are_deleted_by_a_steady_clock(db: Database) -> None:
    """After eight days without a jump, expired rows are deleted."""
    old = add_confirmation(db, NOW)
    now = steady(db, NOW, 8)
    assert confirmation_ids(db) == [old]
    sweep(db, now + timedelta(days=1))
    assert confirmation_ids(db) == []


@pytest.mark.parametrize("jump", [timedelta(days=9), timedelta(days=90), timedelta(days=9_500)])
def test_a_clock_that_has_jumped_ahead_deletes_nothing(db: Database, jump: timedelta) -> None:
    """An address that has had its email today is still known when the clock is set back."""
    now = steady(db, NOW, 20)
    kept = add_confirmation(db, now)
    sweep(db, now + jump)
    sweep(db, now + jump + timedelta(days=1))
    assert confirmation_ids(db) == [kept]
    sweep(db, now)
    sweep(db, now + timedelta(minutes=1))
    assert confirmation_ids(db) == [kept]


def test_a_jump_within_the_gap_deletes_nothing_new(db: Database) -> None:
    """A jump that is too short to be detected is too short to expire new rows."""
    now = steady(db, NOW, 20)
    kept = add_confirmation(db, now)
    sweep(db, now + timedelta(days=8))
    assert confirmation_ids(db) == [kept]


@pytest.mark.postgresql
def test_times_of_a_clock_that_was_ahead_are_repaired(db: Database) -> None:
    """A delivery deferred in 2037 is due now instead of eleven years later."""
    sweep(db, FUTURE)
    add_confirmation(db, FUTURE)
    with db.write() as connection:
        (job,) = job_queue.due(connection, CONFIRMATION, None)
        job_queue.reschedule(connection, job, int((FUTURE + timedelta(hours=1)).timestamp()), attempts=1)
        slots.save_schedule(connection, "digest:daily", "x", NOW)
        claim = slots.claim_slot(
            connection, "digest:daily", NOW, runner="gone 1", now=FUTURE, until=FUTURE + timedelta(seconds=90)
        )
        assert claim is not None
    result = sweep(db, NOW)
    assert result.repaired == 2
    with db.read() as connection:
        assert job_queue.next_due_time(connection, CONFIRMATION) == int(NOW.timestamp())
        (run,) = slots.open_runs(connection)
    assert run.leased_until == NOW
    assert sweep(db, NOW + timedelta(minutes=1)).repaired == 0


@pytest.mark.postgresql
def test_a_slot_of_the_future_stands_for_no_slot_of_today(db: Database) -> None:
    """A slot that failed in 2037 stays as it is when the clock is set back."""
    with db.write() as connection:
        slots.save_schedule(connection, "digest:daily", "x", NOW)
        slots.enqueue_slots(connection, "digest:daily", [FUTURE])
        connection.execute(text("UPDATE slot_run SET leased_until = :at"), {"at": int(FUTURE.timestamp()) + 60})
    sweep(db, FUTURE)
    assert sweep(db, NOW).repaired == 0


def daily(kit: MailKit, port: int) -> None:
    kit.mail(port)
    text_ = (kit.root / "publisher.toml").read_text()
    kit.settings(text_.replace('title = "The Daily"\n', 'title = "The Daily"\ncadence = "0 7 * * *"\n'))


def test_a_clock_set_back_sends_nothing_twice(any_mail_kit: MailKit) -> None:
    """2026 → 2037 → 2026: no slot runs twice and no delivery is repeated; the next day runs as usual."""
    kit = any_mail_kit
    names = kit.add_subscribers(3)
    kit.article("one.md", "One", date="2026-11-20")
    clock = ManualClock(NOW - timedelta(hours=1))
    with Server() as server:
        daily(kit, server.port)
        tick(kit.site, clock=clock)
        for _ in range(10):
            clock.advance(days=1)
            tick(kit.site, clock=clock)
        clock.advance(hours=2)
        tick(kit.site, clock=clock)
        sent, made, today = len(server.accepted), len(issues(kit)), clock.now()
        assert sent == len(names)
        clock.jump(FUTURE)
        for _ in range(3):
            tick(kit.site, clock=clock)
            clock.advance(hours=13)
        clock.jump(today)
        for _ in range(3):
            assert tick(kit.site, clock=clock).scheduled_runs == ()
            clock.advance(minutes=1)
        assert (len(server.accepted), len(issues(kit))) == (sent, made)
        kit.article("two.md", "Two", date="2026-12-04")
        clock.advance(days=1)
        tick(kit.site, clock=clock)
        assert len(server.accepted) == 2 * len(names)
    ids = [(one.recipient, one.message_id) for one in server.accepted]
    assert len(ids) == len(set(ids))


def test_a_delivery_that_was_deferred_in_the_future_is_retried_today(any_mail_kit: MailKit) -> None:
    """A retry time of 2037 does not delay mail after the clock is corrected."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    kit.article("one.md", "One", date="2026-11-20")
    clock: Any = ManualClock(FUTURE)
    busy = Script(at=lambda step, argument, number: "451 4.3.0 later" if step == "rcpt" else None)
    with Server(busy) as server:
        daily(kit, server.port)
        tick(kit.site, clock=clock)
        clock.advance(days=1)
        report = tick(kit.site, clock=clock)
        assert [one.deferred for one in report.sends] == [1]
        server.script = Script()
        clock.jump(NOW)
        # The first call repairs the times, the second one sends.
        tick(kit.site, clock=clock)
        clock.advance(minutes=1)
        tick(kit.site, clock=clock)
        assert len(server.accepted) == 1
