"""The send time of an approved issue, as a phrase."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from publisher.delivery.issue_life.approval import ApprovalPlan

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
NEXT_RUN = "by the next 'publish send daily/2026-11-23T0700', 'publish tick' or start of 'publish run'"
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
                "from Tue 2026-11-24 07:00 to Tue 2026-11-24 19:30, at each subscriber's local time: "
                "a runner is active on this machine"
            ),
        ),
        ({"is_paused": True, "has_runner": True}, "once it is resumed: publish resume daily/2026-11-23T0700"),
        (
            {"is_old": True, "has_runner": True},
            "only by 'publish send daily/2026-11-23T0700': it is too old for a runner",
        ),
        ({"can_send": False}, "once a mail server is set in publisher.toml ([smtp])"),
        (
            {"recipients": 0, "has_runner": True},
            "to nobody: it was sent already, or the digest had no subscribers when it was made",
        ),
    ],
)
def test_the_plan_tells_when_the_issue_is_sent(changes: dict[str, object], expected: str) -> None:
    """The first condition that prevents sending decides."""
    assert replace(PLAN, **changes).describe_send_time() == expected  # type: ignore[arg-type]
