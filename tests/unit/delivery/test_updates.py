"""The new state of a delivery after an attempt: `publisher.delivery.updates`."""

from __future__ import annotations

import pytest

from publisher.delivery.claims_store import Claim
from publisher.delivery.updates import delivery_update
from publisher.mail.outcome import Outcome
from publisher.model.delivery import DeliveryState as State
from publisher.model.delivery import UncertainPolicy
from publisher.settings.delivery import DeliverySettings

NOW = 1_800_000_000
DAY = 86_400
HOLD, RESEND, SKIP = UncertainPolicy.HOLD, UncertainPolicy.RESEND, UncertainPolicy.SKIP


def claim(attempts: int = 1) -> Claim:
    return Claim(1, 7, 1, attempts, "ann@mail.example", "mail.example")


@pytest.mark.parametrize(
    ("state", "answer", "policy", "attempts", "expected"),
    [
        # state and answer after the attempt, seconds until the next one, and the text of the history
        pytest.param(State.ACCEPTED, "250 ok", HOLD, 1, (State.ACCEPTED, "250 ok", 0, ""), id="accepted"),
        pytest.param(State.FAILED, "550 no", HOLD, 1, (State.FAILED, "550 no", 0, "550 no"), id="failed"),
        pytest.param(State.UNCERTAIN, "lost", HOLD, 1, (State.UNCERTAIN, "lost", 0, "lost"), id="uncertain, held"),
        pytest.param(State.UNCERTAIN, "lost", RESEND, 3, (State.QUEUED, "lost", 0, "lost"), id="uncertain, sent again"),
        pytest.param(
            State.UNCERTAIN,
            "lost",
            SKIP,
            1,
            (State.ACCEPTED, "counted as delivered: lost", 0, "lost"),
            id="uncertain, counted as delivered",
        ),
        pytest.param(State.DEFERRED, "450 later", HOLD, 1, (State.DEFERRED, "450 later", 300, "450 later"), id="first"),
        pytest.param(State.DEFERRED, "450", HOLD, 50, (State.DEFERRED, "450", 14_400, "450"), id="the longest pause"),
        pytest.param(State.QUEUED, "", HOLD, 3, (State.QUEUED, "", 0, ""), id="not begun"),
        pytest.param(State.QUEUED, "eof", HOLD, 2, (State.QUEUED, "eof", 0, "eof"), id="interrupted"),
        pytest.param(
            State.QUEUED,
            "eof",
            HOLD,
            3,
            (State.DEFERRED, "eof", 1200, "eof"),
            id="interrupted three times: not a block",
        ),
    ],
)
def test_an_outcome_has_one_next_state(
    state: State, answer: str, policy: UncertainPolicy, attempts: int, expected: tuple[State, str, int, str]
) -> None:
    """A wrong state loses a delivery, or sends it twice."""
    settings = DeliverySettings(uncertain=policy, retry_days=4)
    change = delivery_update(claim(attempts), Outcome(state=state, answer=answer), settings, lambda _: None, NOW)
    due = change.due_at - NOW if change.due_at else 0
    assert (change.state, change.answer, due, change.note) == expected


@pytest.mark.parametrize(
    ("first_attempt", "wait", "expected"),
    [
        pytest.param(NOW, 3600, (State.DEFERRED, NOW + 3600), id="a refusal asks for a longer pause"),
        pytest.param(NOW - 4 * DAY + 300, 0, (State.DEFERRED, NOW + 300), id="the last attempt is at the end"),
        pytest.param(NOW - 4 * DAY + 299, 0, (State.FAILED, 0), id="the days are over"),
    ],
)
def test_a_deferred_delivery_is_given_up_after_the_days(
    first_attempt: int, wait: int, expected: tuple[State, int]
) -> None:
    """RFC 5321 §4.5.4.1: the days count from the first attempt, not from the last one."""
    settings = DeliverySettings(uncertain=HOLD, retry_days=4)
    outcome = Outcome(state=State.DEFERRED, answer="450 later", wait=wait)
    change = delivery_update(claim(), outcome, settings, lambda _: first_attempt, NOW)
    assert (change.state, change.due_at) == expected
    assert change.answer == ("given up after 4 days: 450 later" if expected[0] is State.FAILED else "450 later")
