"""Rate limits, pauses of domains, and warm-up limits: `publisher.delivery.throttle`."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest

from publisher.delivery.throttle import Throttle, warm_up_limit
from publisher.settings.delivery import DomainSettings, WarmUpSettings


def test_a_domain_is_limited_per_second_and_at_a_time() -> None:
    """Other domains are not limited."""
    throttle = Throttle(lambda domain: DomainSettings(per_second=10, at_once=2) if domain == "a" else DomainSettings())
    throttle.begin("a", 0)
    assert throttle.ready_at("a") == pytest.approx(0.1)
    throttle.begin("a", 0.1)
    assert throttle.ready_at("a") == math.inf
    throttle.end("a")
    assert throttle.ready_at("a") == pytest.approx(0.2)
    assert throttle.ready_at("b") == -math.inf


def test_a_sender_waits_until_the_first_domain_is_ready() -> None:
    """A rate limit of twenty a second is reached, and not undercut by waits of a fixed length."""
    throttle = Throttle(lambda domain: DomainSettings(per_second=20 if domain == "fast" else 0.5, at_once=1))
    for domain in ("fast", "slow"):
        throttle.begin(domain, 100)
    assert throttle.seconds_until_ready(["fast", "slow"], 100, 0.25) == 0.25
    for domain in ("fast", "slow"):
        throttle.end(domain)
    assert throttle.seconds_until_ready(["fast", "slow"], 100, 0.25) == pytest.approx(0.05)
    assert throttle.seconds_until_ready(["slow"], 100, 0.25) == 0.25
    assert throttle.seconds_until_ready(["fast"], 200, 0.25) == 0
    assert throttle.seconds_until_ready([], 100, 0.25) == 0.25


def test_a_domain_that_refuses_is_paused_longer_each_time() -> None:
    """Pauses double up to half an hour; after a pause, one message tests the domain."""
    throttle = Throttle(lambda domain: DomainSettings())
    now, pauses = 0.0, []
    for _ in range(10):
        throttle.begin("a", now)
        throttle.record_refusal("a", now)
        throttle.record_refusal("a", now)
        throttle.end("a")
        pauses.append(throttle.ready_at("a") - now)
        now = throttle.ready_at("a")
    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800]
    throttle.begin("a", now)
    assert throttle.ready_at("a") == math.inf
    throttle.record_success("a")
    throttle.end("a")
    assert throttle.ready_at("a") <= now


def test_a_warm_up_grows_day_by_day() -> None:
    """Nothing is sent before the first day."""
    start = date(2026, 12, 1)
    days = [start + timedelta(days=number) for number in (-1, 0, 1, 2)]
    settings = WarmUpSettings(start=start, first=100, growth=1.5)
    assert [warm_up_limit(day, settings) for day in days] == [0, 100, 150, 225]


@pytest.mark.parametrize("growth", [1.2, 1.5, 2, 6, 10])
def test_a_warm_up_that_is_over_for_long_limits_nothing(growth: float) -> None:
    """The power is too large for a floating-point number, and mail is still sent."""
    start = date(2026, 12, 1)
    settings = WarmUpSettings(start=start, first=100, growth=growth)
    assert [warm_up_limit(start + timedelta(days=days), settings) for days in (200, 400, 900, 9000)] == [10**12] * 4


def test_a_warm_up_without_growth_keeps_its_limit() -> None:
    """As on its first day."""
    start = date(2026, 12, 1)
    settings = WarmUpSettings(start=start, first=100, growth=1)
    assert warm_up_limit(start + timedelta(days=900), settings) == 100
