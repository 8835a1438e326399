"""The rules of the suppression brake: counts of attempts and refusals in, a verdict out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.delivery.brake_rules import MIN_REFUSALS, WINDOW_ATTEMPTS, RefusalGroup, Verdict, judge_refusals
from publisher.mail.refusals import names_address, refusal_key

WAIT, APPLY, STOP = Verdict


def equal(count: int, *, named: bool = False, words: str = "no such user") -> RefusalGroup:
    return RefusalGroup(words=words, names_address=named, count=count)


@pytest.mark.parametrize(
    ("attempts", "refusals", "is_over", "verdict"),
    [
        # Before 50 attempts a suppression waits, unless the stop is certain.
        (1, [equal(1)], False, WAIT),
        (49, [equal(10)], False, WAIT),
        (10, [equal(10)], False, WAIT),
        (11, [equal(11)], False, STOP),
        (25, [equal(25, named=True)], False, WAIT),
        (26, [equal(26, named=True)], False, STOP),
        # At 50 attempts: more than 20 %, or 50 % where the words name the address.
        (50, [equal(10)], False, APPLY),
        (50, [equal(11)], False, STOP),
        (50, [equal(25, named=True)], False, APPLY),
        (50, [equal(26, named=True)], False, STOP),
        (60, [equal(12)], False, APPLY),
        (60, [equal(13)], False, STOP),
        # Different words do not add up.
        (50, [equal(10), equal(10, words="account disabled")], False, APPLY),
        (50, [equal(9), equal(11, words="account disabled")], False, STOP),
        # At the end the attempts that there were count.
        (3, [equal(2)], True, APPLY),
        (9, [equal(9)], True, APPLY),
        (10, [equal(10)], True, STOP),
        (20, [equal(10, named=True)], True, APPLY),
        (19, [equal(10, named=True)], True, STOP),
        (49, [equal(10)], True, STOP),
        (100, [equal(20)], True, APPLY),
        (100, [equal(21)], True, STOP),
        (0, [], True, APPLY),
        # A crash loses accepted attempts, never refusals.
        (0, [equal(10)], True, STOP),
    ],
)
def test_refusals_are_judged_by_their_share(
    attempts: int, refusals: list[RefusalGroup], is_over: bool, verdict: Verdict
) -> None:
    """More than a fifth of at least ten equal refusals stops; everything else waits or suppresses."""
    found, reason = judge_refusals(attempts, refusals, is_over=is_over)
    assert found is verdict
    assert (reason is not None) == (verdict is STOP)


@given(
    st.integers(0, 200), st.lists(st.builds(equal, st.integers(0, 120), named=st.booleans()), max_size=4), st.booleans()
)
def test_a_stop_before_the_window_is_full_is_final(attempts: int, refusals: list[RefusalGroup], is_over: bool) -> None:
    """No further attempts could change such a stop, and few refusals never stop."""
    verdict, reason = judge_refusals(attempts, refusals, is_over=is_over)
    if reason is not None:
        assert reason.count >= MIN_REFUSALS and reason in refusals
        if not is_over:
            assert judge_refusals(max(attempts, WINDOW_ATTEMPTS), refusals, is_over=True)[0] is STOP
    if max((one.count for one in refusals), default=0) < MIN_REFUSALS:
        assert verdict is (APPLY if is_over or attempts >= WINDOW_ATTEMPTS else WAIT)
    assert not (is_over and verdict is WAIT)


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <{address}>: Recipient address rejected: User unknown",
        "550 5.1.1 The account {address} does not exist; session {id} - gsmtp",
        "550 User {local} unknown at 2026-11-23T07:00:{id}",
        '550 "{local}" is not a known user (#{id})',
        "550 no such user",
    ],
)
def test_refusals_of_two_recipients_are_equal(reply: str) -> None:
    """Addresses, local parts and session IDs do not make two refusals different."""
    keys = {
        refusal_key(
            reply.format(address=f"{local}@mail.example.org", local=local, id=number), f"{local}@mail.example.org"
        )
        for local, number in (("ann", "a1b2c3"), ("bert.miller", "99x"), ("x7", "7"))
    }
    assert len(keys) == 1
    assert "" not in keys


def test_different_reasons_have_different_keys() -> None:
    """A closed account is not the same refusal as an unknown one."""
    assert refusal_key("550 no such user", "a@b.example") != refusal_key("550 account disabled", "a@b.example")


@pytest.mark.parametrize(
    ("reply", "is_named"),
    [("550 <Ann@Mail.example.org>: unknown", True), ("550 ann is unknown", False), ("550 no such user", False)],
)
def test_words_name_the_address_only_in_full(reply: str, is_named: bool) -> None:
    """The whole address has to be in the reply; upper and lower case are equal."""
    assert names_address(reply, "ann@mail.example.org") is is_named


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_reply_has_a_key_of_bounded_length(reply: str, address: str) -> None:
    """A reply with any characters gives a key of at most 200 characters."""
    assert len(refusal_key(reply, address)) <= 200
