"""Outcomes of deliveries by the replies of mail servers: `publisher.mail.outcome`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.outcome import RelayFault, Reply, message_outcome, recipient_outcome


@given(code=st.integers(200, 599), words=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=60))
def test_any_reply_has_an_outcome_and_only_a_reply_about_the_address_suppresses(code: int, words: str) -> None:
    """Random codes and words raise no error other than a fault of the relay."""
    reply = Reply(code=code, lines=(words,))
    assert not message_outcome(reply).suppress or reply.enhanced
    try:
        outcome = recipient_outcome(reply)
    except RelayFault:
        return
    if outcome is not None and outcome.suppress:
        assert reply.enhanced in {"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"} or code in (550, 551, 553)
