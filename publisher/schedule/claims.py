"""Find due slots by the schedules of the settings, and claim them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.backoff import Backoff
from publisher.cadence import due_slots
from publisher.model.digests import CatchUp
from publisher.schedule import store as slots
from publisher.schedule.store import ClaimedSlot, SlotRun, StoredSchedule
from publisher.settings.schedules import Schedule, parse_timetable
from publisher.storage.engine import Database

#: Duration of a claim. A runner that does not renew it counts as dead.
LEASE: Final = timedelta(seconds=90)
#: Pauses before a failed slot is tried again.
RETRIES: Final = Backoff(60, 3600)


def claim_due_slots(
    db: Database, schedules: Sequence[Schedule], now: datetime, *, runner: str, lease: timedelta = LEASE
) -> list[ClaimedSlot]:
    """Claim every due slot that no other runner has, and return them, oldest first.

    New and changed timetables are saved; they count from NOW. A slot that the old and the new timetable share
    is not lost.
    """
    with db.read() as connection:
        # Most calls find nothing, and do not take the write lock.
        is_stale = _is_stale(connection, schedules, now)
        claimable = [] if is_stale else _claimable_slots(connection, schedules, now)
    if not is_stale and not claimable:
        return []
    with db.write() as connection:
        if is_stale:
            _save_schedules(connection, schedules, now)
            claimable = _claimable_slots(connection, schedules, now)
        claims = []
        for name, slot in _newest_only(connection, schedules, claimable, now):
            claim = slots.claim_slot(connection, name, slot, runner=runner, now=now, until=now + lease)
            if claim is not None:
                claims.append(claim)
    return sorted(claims, key=lambda claim: (claim.slot, claim.schedule))


def save_schedules(db: Database, schedules: Sequence[Schedule], now: datetime) -> None:
    """Save new and changed timetables without claiming a slot; they count from NOW."""
    with db.read() as connection:
        is_stale = _is_stale(connection, schedules, now)
    if is_stale:
        with db.write() as connection:
            _save_schedules(connection, schedules, now)


def _is_stale(connection: Connection, schedules: Sequence[Schedule], now: datetime) -> bool:
    """Return whether the stored schedules differ from those of the settings."""
    known = slots.load_schedules(connection)
    if {schedule.name: schedule.text for schedule in schedules} != {
        name: schedule.timetable for name, schedule in known.items()
    }:
        return True
    late = {schedule.name: schedule.at_most_late for schedule in schedules}
    return any(stored.effective_from > now for stored in known.values()) or any(
        _is_over(row, late, now) for row in slots.open_runs(connection)
    )


def _claimable_slots(
    connection: Connection, schedules: Sequence[Schedule], now: datetime
) -> list[tuple[str, datetime]]:
    """Return slots to claim, in one order everywhere, so that two runners do not deadlock."""
    stored = slots.load_schedules(connection)
    due = {
        (schedule.name, slot)
        for schedule in schedules
        for slot in _due(schedule, stored[schedule.name].effective_from, now)
    }
    free = {(row.schedule, row.slot) for row in slots.open_runs(connection) if row.leased_until <= now}
    return sorted(free | (due - slots.existing_slots(connection, due)))


def _newest_only(
    connection: Connection, schedules: Sequence[Schedule], claimable: Sequence[tuple[str, datetime]], now: datetime
) -> list[tuple[str, datetime]]:
    """Skip free slots that a newer one replaces; return the others."""
    all_count = {schedule.name for schedule in schedules if schedule.catch_up is CatchUp.ALL}
    # Sorted, so the last of a schedule is its newest.
    newest = {name: slot for name, slot in claimable if name not in all_count}
    for row in slots.open_runs(connection):
        is_free = row.state == "due" or row.leased_until <= now
        if row.schedule in newest and row.slot < newest[row.schedule] and is_free:
            slots.skip_slot(connection, row, now, "a newer slot replaced it")
    return [(name, slot) for name, slot in claimable if slot >= newest.get(name, slot)]


def _due(schedule: Schedule, since: datetime, now: datetime) -> list[datetime]:
    return due_slots(schedule.timetable, since, now, catch_up=schedule.catch_up, at_most_late=schedule.at_most_late)


def _is_over(row: SlotRun, late: Mapping[str, timedelta], now: datetime) -> bool:
    return row.leased_until <= now and (row.schedule not in late or now - row.slot > late[row.schedule])


def _save_schedules(connection: Connection, schedules: Sequence[Schedule], now: datetime) -> None:
    """Update the stored schedules from the settings."""
    known = slots.load_schedules(connection)
    slots.delete_other_schedules(connection, {schedule.name for schedule in schedules})
    for schedule in schedules:
        before = known.get(schedule.name)
        if before is not None and before.timetable != schedule.text:
            slots.enqueue_slots(connection, schedule.name, _slots_of_both(schedule, before, now))
        # A timetable of the future was saved while the clock was ahead, which has been corrected since.
        if before is None or before.timetable != schedule.text or before.effective_from > now:
            slots.save_schedule(connection, schedule.name, schedule.text, now)
    late = {schedule.name: schedule.at_most_late for schedule in schedules}
    for row in slots.open_runs(connection):
        if _is_over(row, late, now):
            slots.skip_slot(
                connection, row, now, "it was too late" if row.schedule in late else "its schedule was removed"
            )


def _slots_of_both(schedule: Schedule, before: StoredSchedule, now: datetime) -> list[datetime]:
    """Return the due slots that the old and the new timetable share."""
    old = parse_timetable(before.timetable)
    if old is None:
        return []
    old_slots = due_slots(
        old, before.effective_from, now, catch_up=schedule.catch_up, at_most_late=schedule.at_most_late
    )
    return [slot for slot in _due(schedule, before.effective_from, now) if slot in old_slots]


def passed_slot(connection: Connection, schedule: Schedule, now: datetime) -> datetime | None:
    """Return the newest slot of a schedule that has passed, if it was not run yet; else None."""
    stored = slots.load_schedules(connection).get(schedule.name)
    if stored is None or stored.timetable != schedule.text:
        return None
    due = _due(schedule, stored.effective_from, now)
    if not due:
        return None
    pair = (schedule.name, max(due))
    is_open = pair in {(row.schedule, row.slot) for row in slots.open_runs(connection)}
    return pair[1] if is_open or not slots.existing_slots(connection, [pair]) else None


def next_lease_end(connection: Connection, now: datetime) -> datetime | None:
    """Return when the first active claim expires; None if there is none."""
    return min((row.leased_until for row in slots.open_runs(connection) if row.leased_until > now), default=None)
