"""From which time local delivery times count: the slot, or the opening of a send that is early or late."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from publisher.delivery.local_time import LocalDeliveryTimes, local_time_base

SLOT = datetime(2026, 10, 24, 17, tzinfo=UTC)
LATE_HOURS = 12


@pytest.mark.parametrize(
    ("opened_after", "counts_from_slot"),
    [
        (timedelta(days=-3), False),
        (timedelta(seconds=-1), False),
        (timedelta(), True),
        (timedelta(seconds=1), True),
        (timedelta(hours=12), True),
        (timedelta(hours=12, seconds=1), False),
        (timedelta(days=5), False),
    ],
)
def test_local_times_count_from_the_slot_unless_the_send_opens_early_or_late(
    opened_after: timedelta, *, counts_from_slot: bool
) -> None:
    """Exactly ``late_hours`` is not late."""
    opened_at = SLOT + opened_after
    assert local_time_base(SLOT, opened_at, late_hours=LATE_HOURS) == (SLOT if counts_from_slot else opened_at)


@pytest.mark.parametrize("late_hours", [1, 6, 168])
def test_late_hours_decide_what_is_late(late_hours: int) -> None:
    """The setting is used to the second."""
    last = SLOT + timedelta(hours=late_hours)
    assert local_time_base(SLOT, last, late_hours=late_hours) == SLOT
    late = last + timedelta(seconds=1)
    assert local_time_base(SLOT, late, late_hours=late_hours) == late


AUCKLAND, LONDON, HONOLULU = "Pacific/Auckland", "Europe/London", "Pacific/Honolulu"


@pytest.mark.parametrize(
    ("slot", "opened_at", "at", "zone", "due"),
    [
        # At the slot. Auckland is at UTC+13 in October, London leaves summer time on the 25th, Honolulu has none.
        ("2026-10-24 17:00", "2026-10-24 17:00", "07:00", AUCKLAND, "2026-10-24 18:00"),
        ("2026-10-24 17:00", "2026-10-24 17:00", "07:00", LONDON, "2026-10-25 07:00"),
        ("2026-10-24 17:00", "2026-10-24 17:00", "07:00", HONOLULU, "2026-10-24 17:00"),
        # Three hours late: the times of the slot stay, and 07:00 in Honolulu has passed: it is due at once.
        ("2026-10-24 17:00", "2026-10-24 20:00", "07:00", AUCKLAND, "2026-10-24 18:00"),
        ("2026-10-24 17:00", "2026-10-24 20:00", "07:00", HONOLULU, "2026-10-24 17:00"),
        # Twelve hours and a minute late: the next 07:00 in each zone.
        ("2026-10-24 17:00", "2026-10-25 05:01", "07:00", AUCKLAND, "2026-10-25 18:00"),
        ("2026-10-24 17:00", "2026-10-25 05:01", "07:00", LONDON, "2026-10-25 07:00"),
        ("2026-10-24 17:00", "2026-10-25 05:01", "07:00", HONOLULU, "2026-10-25 17:00"),
        # Opened three days before its slot: the next 07:00 after the opening.
        ("2026-10-24 17:00", "2026-10-21 17:00", "07:00", AUCKLAND, "2026-10-21 18:00"),
        ("2026-10-24 17:00", "2026-10-21 17:00", "07:00", LONDON, "2026-10-22 06:00"),
        ("2026-10-24 17:00", "2026-10-21 17:00", "07:00", HONOLULU, "2026-10-21 17:00"),
        # 01:30 occurs twice in London on 25 October (the first counts), and not at all on 28 March (02:00 counts).
        ("2026-10-24 17:00", "2026-10-24 17:00", "01:30", LONDON, "2026-10-25 00:30"),
        ("2027-03-27 17:00", "2027-03-27 17:00", "01:30", LONDON, "2027-03-28 01:00"),
        # 02:30 does not occur in Auckland on 27 September; the send opens a day late.
        ("2026-09-25 12:00", "2026-09-26 12:00", "02:30", AUCKLAND, "2026-09-26 14:00"),
    ],
)
def test_a_subscriber_is_due_at_the_first_local_time_after_the_base(
    slot: str, opened_at: str, at: str, zone: str, due: str
) -> None:
    """Times are UTC; ``late_hours`` is 12."""
    began, opened = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (slot, opened_at))
    base = local_time_base(began, opened, late_hours=LATE_HOURS)
    times = LocalDeliveryTimes(base, time.fromisoformat(at), ZoneInfo("UTC"))
    assert f"{datetime.fromtimestamp(times(zone), UTC):%Y-%m-%d %H:%M}" == due
