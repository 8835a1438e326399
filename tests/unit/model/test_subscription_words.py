"""Subscription states in words."""

from __future__ import annotations

import pytest

from publisher.model.subscriptions import SubscriptionState


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (SubscriptionState.UNSUBSCRIBED, "unsubscribed from morning"),
        (SubscriptionState.UNCONFIRMED, "unconfirmed for morning"),
        (SubscriptionState.SUPPRESSED, "suppressed for morning"),
        (SubscriptionState.ACTIVE, "active for morning"),
    ],
)
def test_a_state_has_its_preposition(state: SubscriptionState, words: str) -> None:
    """People unsubscribe from a newsletter, not for it."""
    assert state.for_digest("morning") == words
