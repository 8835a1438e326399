"""Whether the send of an approved issue opens by itself: by its slot, its approval and ``catch_up_hours``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from publisher.delivery.issue_life.approval import is_too_late

SLOT = datetime(2026, 11, 23, 9, tzinfo=UTC)
BEFORE, AFTER = SLOT - timedelta(days=3), SLOT + timedelta(hours=30)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("approved_at", "now", "expected"),
    [
        (BEFORE, BEFORE, False),
        (BEFORE, SLOT - SECOND, False),
        (BEFORE, SLOT, False),
        (BEFORE, SLOT + timedelta(hours=24), False),
        (BEFORE, SLOT + timedelta(hours=24) + SECOND, True),
        (BEFORE, SLOT + timedelta(days=400), True),
        # Approved after its slot: the time counts from the approval.
        (AFTER, AFTER, False),
        (AFTER, AFTER + timedelta(hours=24), False),
        (AFTER, AFTER + timedelta(hours=24) + SECOND, True),
    ],
)
def test_an_approved_issue_opens_by_itself_for_catch_up_hours(
    approved_at: datetime, now: datetime, expected: bool
) -> None:
    """``catch_up_hours`` is 24."""
    assert is_too_late(SLOT, approved_at, now, timedelta(hours=24)) is expected


@pytest.mark.parametrize("hours", [1, 6, 72])
def test_catch_up_hours_are_counted_to_the_second(hours: int) -> None:
    """The last second counts."""
    last, catch_up = SLOT + timedelta(hours=hours), timedelta(hours=hours)
    assert is_too_late(SLOT, BEFORE, last, catch_up) is False
    assert is_too_late(SLOT, BEFORE, last + SECOND, catch_up) is True
