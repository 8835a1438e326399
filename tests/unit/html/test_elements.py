"""Replacing HTML elements in one pass."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from publisher.html.elements import replace_elements


def upper(name: str, element: str) -> str:
    return f"[{name}|{element}]"


def test_an_element_ends_at_the_first_end_tag_of_its_name() -> None:
    """The replacement gets the whole element with its tags, in any case."""
    assert replace_elements("a<pre class='x'>b</pre>c<PRE>d</Pre >e", ("pre",), upper) == (
        "a[pre|<pre class='x'>b</pre>]c[pre|<PRE>d</Pre >]e"
    )


def test_other_elements_are_unchanged() -> None:
    """An element without an end tag, longer names and other elements stay."""
    for text in ("<pre>open", "<prefix>x</prefix>", "<p>x</p>", "</pre>", "<pre", "<pre></pre"):
        assert replace_elements(text, ("pre",), upper) == text


def test_letters_that_change_their_length_in_lower_case_are_handled() -> None:
    """The lower case of the Turkish capital I has two characters."""
    assert replace_elements("İİ<pre>İ</pre>İ", ("pre",), lambda _, __: "-") == "İİ-İ"


@given(st.lists(st.sampled_from(["<pre>", "</pre>", "<a href='x'>", "</a>", "text", "<p>", "<"]), max_size=20))
def test_the_result_equals_that_of_a_regular_expression(parts: list[str]) -> None:
    """The quadratic pattern that this replaces gives the same result."""
    text = "".join(parts)
    pattern = re.compile(r"<(pre|a)(?=[\s/>])[^>]*>.*?</\1>", re.DOTALL)
    assert replace_elements(text, ("pre", "a"), upper) == pattern.sub(lambda match: upper(match[1], match[0]), text)


def test_many_elements_without_an_end_take_linear_time() -> None:
    """The end tag is searched once if there is none."""
    text = "<pre>" * 100_000
    assert replace_elements(text, ("pre",), upper) == text
