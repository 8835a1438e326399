"""When an approved issue leaves, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from publisher.actions.approval import ApprovalPlan

PLAN = ApprovalPlan(
    digest="daily",
    name="2026-11-23T0700",
    number=3,
    subject="The Daily: One",
    recipients=2,
    first_due=None,
    last_due=None,
    has_runner=False,
    is_old=False,
    is_paused=False,
    can_send=True,
    hash="0" * 64,
)
NEXT_RUN = "with the next 'publish send daily/2026-11-23T0700', 'publish tick' or start of 'publish run'"
MORNING = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, NEXT_RUN),
        ({"has_runner": True}, "within 30 seconds: a runner is active on this machine"),
        ({"first_due": MORNING, "last_due": MORNING}, f"at Tue 2026-11-24 07:00, {NEXT_RUN}"),
        (
            {"first_due": MORNING, "last_due": EVENING, "has_runner": True},
            (
                "from Tue 2026-11-24 07:00 to Tue 2026-11-24 19:30, by each subscriber's own clock: "
                "a runner is active on this machine"
            ),
        ),
        ({"is_paused": True, "has_runner": True}, "when it is resumed: publish resume daily/2026-11-23T0700"),
        (
            {"is_old": True, "has_runner": True},
            "with 'publish send daily/2026-11-23T0700' only: it is too old for a run to send it",
        ),
        ({"can_send": False}, "when a mail server is set in publisher.toml ([smtp])"),
        (
            {"recipients": 0, "has_runner": True},
            "never: no subscriber followed the digest when the issue was made, or it was sent already",
        ),
    ],
)
def test_the_plan_says_when_the_issue_leaves(changes: dict[str, object], expected: str) -> None:
    """The first thing that stands in the way decides."""
    assert replace(PLAN, **changes).leaves() == expected  # type: ignore[arg-type]
