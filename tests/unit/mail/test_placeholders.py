"""Tokens: opaque, an issue's own, and filled wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.placeholders import PLACEHOLDER_NAMES, Placeholders, fill_placeholders, placeholders_in

VALUES = {name: f"<{name}> & co" for name in PLACEHOLDER_NAMES}


def test_a_token_is_filled_and_escaped_in_html_only() -> None:
    tokens = Placeholders.of("an issue")
    text = f"to {tokens['address']}: {tokens['unsubscribe']}"
    assert fill_placeholders(text, tokens, VALUES, escape=False) == "to <address> & co: <unsubscribe> & co"
    assert (
        fill_placeholders(text, tokens, VALUES, escape=True)
        == "to &lt;address&gt; &amp; co: &lt;unsubscribe&gt; &amp; co"
    )
    assert placeholders_in(text) == ["address", "unsubscribe"]


def test_the_same_issue_has_the_same_tokens_and_another_one_others() -> None:
    assert Placeholders.of("a", 1) == Placeholders.of("a", 1) != Placeholders.of("a", 2)


def test_tokens_of_another_issue_are_text() -> None:
    theirs = Placeholders.of("theirs")["address"]
    assert fill_placeholders(theirs, Placeholders.of("ours"), VALUES, escape=True) == theirs


def test_a_name_that_is_no_token_and_a_value_that_is_missing_are_mistakes() -> None:
    tokens = Placeholders.of("x")
    with pytest.raises(KeyError):
        tokens["password"]
    with pytest.raises(KeyError):
        fill_placeholders(tokens["address"], tokens, {}, escape=True)


@given(st.text(), st.text())
def test_what_stands_around_a_token_is_left_alone(before: str, after: str) -> None:
    tokens = Placeholders.of(before, after)
    filled = fill_placeholders(before + tokens["address"] + after, tokens, {"address": "A"}, escape=False)
    assert filled == before + "A" + after
