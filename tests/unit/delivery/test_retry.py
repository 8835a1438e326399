"""Backoff between the attempts of a delivery: `publisher.delivery.retry`."""

from __future__ import annotations

from datetime import UTC, datetime

from publisher.delivery.retry import retry_at


def test_a_delivery_is_retried_with_backoff_and_given_up_after_the_days() -> None:
    """Intervals grow from 5 minutes to 4 hours; a refusal can ask for a longer one."""
    now = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    assert [(retry_at(n, now, now, days=4) or 0) - now for n in (1, 2, 3, 7, 50)] == [300, 600, 1200, 14400, 14400]
    assert retry_at(9, now - 4 * 86_400, now, days=4) is None
    assert retry_at(1, now, now, days=4, wait=3600) == now + 3600
