"""Placeholders: one set per issue, filled and escaped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.placeholders import PLACEHOLDER_NAMES, Placeholders, fill_placeholders, placeholders_in

VALUES = {name: f"<{name}> & co" for name in PLACEHOLDER_NAMES}


def test_a_placeholder_is_filled_and_escaped_in_html_only() -> None:
    """Plain text gets the value as it is."""
    tokens = Placeholders.of("an issue")
    text = f"to {tokens['address']}: {tokens['unsubscribe']}"
    assert fill_placeholders(text, tokens, VALUES, escape=False) == "to <address> & co: <unsubscribe> & co"
    assert (
        fill_placeholders(text, tokens, VALUES, escape=True)
        == "to &lt;address&gt; &amp; co: &lt;unsubscribe&gt; &amp; co"
    )
    assert placeholders_in(text) == ["address", "unsubscribe"]


def test_placeholders_depend_on_the_content_of_the_issue() -> None:
    """Equal content gives equal placeholders, other content gives others."""
    assert Placeholders.of("a") == Placeholders.of("a") != Placeholders.of("b")


def test_placeholders_of_another_issue_stay_as_they_are() -> None:
    """An article may quote another issue."""
    theirs = Placeholders.of("theirs")["address"]
    assert fill_placeholders(theirs, Placeholders.of("ours"), VALUES, escape=True) == theirs


def test_an_unknown_name_and_a_missing_value_raise_an_error() -> None:
    """Both are errors of the caller."""
    tokens = Placeholders.of("x")
    with pytest.raises(KeyError):
        tokens["password"]
    with pytest.raises(KeyError):
        fill_placeholders(tokens["address"], tokens, {}, escape=True)


@given(st.text(), st.text())
def test_text_around_a_placeholder_is_unchanged(before: str, after: str) -> None:
    """Only the placeholder is replaced."""
    tokens = Placeholders.of(before + after)
    filled = fill_placeholders(before + tokens["address"] + after, tokens, {"address": "A"}, escape=False)
    assert filled == before + "A" + after
