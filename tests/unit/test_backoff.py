"""Pauses between attempts: `publisher.backoff`, and the pauses of each subject."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.backoff import Backoff
from publisher.delivery import relay_pauses, throttle, updates
from publisher.mail import relay_state
from publisher.runner import background_job
from publisher.schedule import claims
from publisher.subscriptions import confirmation_emails
from publisher.websub import hub, notify


@pytest.mark.parametrize(
    ("backoff", "first_pauses", "longest", "attempts"),
    [
        pytest.param(updates.RETRIES, [300, 600, 1200, 2400, 4800, 9600, 14400], 14400, None, id="deliveries"),
        pytest.param(throttle.PAUSES, [15, 30, 60, 120, 240, 480, 960, 1800], 1800, None, id="domains"),
        pytest.param(relay_pauses.PAUSES, [900, 1800, 3600, 7200, 14400], 14400, None, id="relays that lost messages"),
        pytest.param(relay_state.PAUSES, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300], 300, None, id="relays"),
        pytest.param(background_job.RETRIES, [5, 10, 20, 40, 80, 160, 320, 600], 600, None, id="background jobs"),
        pytest.param(claims.RETRIES, [60, 120, 240, 480, 960, 1920, 3600], 3600, None, id="slots"),
        pytest.param(hub.VERIFICATION_RETRIES, [60, 120, 240], 21600, 4, id="verifications of the hub"),
        pytest.param(
            hub.DELIVERY_RETRIES,
            [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600],
            21600,
            12,
            id="deliveries of the hub",
        ),
        pytest.param(notify.RETRIES, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600], 21600, 14, id="hubs"),
        pytest.param(
            confirmation_emails.RETRIES, [60, 120, 240, 480, 960, 1920, 3840], 3840, 8, id="confirmation emails"
        ),
    ],
)
def test_each_subject_keeps_its_pauses(
    backoff: Backoff, first_pauses: list[int], longest: int, attempts: int | None
) -> None:
    """A shorter pause overloads a server that has problems; a longer one delays mail."""
    assert [backoff.pause(failures) for failures in range(1, len(first_pauses) + 1)] == first_pauses
    assert backoff.pause(1_000_000) == longest
    assert backoff.attempts == attempts


def test_work_is_given_up_after_its_attempts() -> None:
    """The last failure has no next attempt."""
    assert [Backoff(60, 3600, 3).retry_at(failures, 1000) for failures in (1, 2, 3, 4)] == [1060, 1120, None, None]
    assert Backoff(60, 3600).retry_at(1_000_000, 1000) == 4600


@given(st.integers(1, 1000), st.integers(0, 100_000))
def test_pauses_never_get_shorter(first: int, further: int) -> None:
    """No number of failures overflows, and none is retried sooner than the one before."""
    backoff = Backoff(first, first + further)
    pauses = [backoff.pause(failures) for failures in range(100)]
    assert pauses[0] == first and pauses[-1] == first + further
    assert all(before <= after for before, after in pairwise(pauses))
