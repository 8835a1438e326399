"""Tokens: opaque, an issue's own, and filled wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.placeholders import NAMES, Tokens, fill, tokens_in

VALUES = {name: f"<{name}> & co" for name in NAMES}


def test_a_token_is_filled_and_escaped_in_html_only() -> None:
    tokens = Tokens.of("an issue")
    text = f"to {tokens['address']}: {tokens['unsubscribe']}"
    assert fill(text, tokens, VALUES, escape=False) == "to <address> & co: <unsubscribe> & co"
    assert fill(text, tokens, VALUES, escape=True) == "to &lt;address&gt; &amp; co: &lt;unsubscribe&gt; &amp; co"
    assert tokens_in(text) == ["address", "unsubscribe"]


def test_the_same_issue_has_the_same_tokens_and_another_one_others() -> None:
    assert Tokens.of("a", 1) == Tokens.of("a", 1) != Tokens.of("a", 2)


def test_tokens_of_another_issue_are_text() -> None:
    theirs = Tokens.of("theirs")["address"]
    assert fill(theirs, Tokens.of("ours"), VALUES, escape=True) == theirs


def test_a_name_that_is_no_token_and_a_value_that_is_missing_are_mistakes() -> None:
    tokens = Tokens.of("x")
    with pytest.raises(KeyError):
        tokens["password"]
    with pytest.raises(KeyError):
        fill(tokens["address"], tokens, {}, escape=True)


@given(st.text(), st.text())
def test_what_stands_around_a_token_is_left_alone(before: str, after: str) -> None:
    tokens = Tokens.of(before, after)
    filled = fill(before + tokens["address"] + after, tokens, {"address": "A"}, escape=False)
    assert filled == before + "A" + after
