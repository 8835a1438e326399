"""Elements of HTML text, replaced in one pass."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from publisher.html.elements import replace_elements


def upper(name: str, element: str) -> str:
    return f"[{name}|{element}]"


def test_an_element_goes_to_the_first_end_tag_of_its_name() -> None:
    """The whole element is given to the replacement, tags included, whatever their case."""
    assert replace_elements("a<pre class='x'>b</pre>c<PRE>d</Pre >e", ("pre",), upper) == (
        "a[pre|<pre class='x'>b</pre>]c[pre|<PRE>d</Pre >]e"
    )


def test_what_is_no_element_stays() -> None:
    """An element without an end, a longer name and other elements are left alone."""
    for text in ("<pre>open", "<prefix>x</prefix>", "<p>x</p>", "</pre>", "<pre", "<pre></pre"):
        assert replace_elements(text, ("pre",), upper) == text


def test_letters_that_change_their_length_in_lower_case_move_nothing() -> None:
    """The Turkish capital I has two characters in lower case."""
    assert replace_elements("İİ<pre>İ</pre>İ", ("pre",), lambda _, __: "-") == "İİ-İ"


@given(st.lists(st.sampled_from(["<pre>", "</pre>", "<a href='x'>", "</a>", "text", "<p>", "<"]), max_size=20))
def test_elements_are_those_of_a_regular_expression(parts: list[str]) -> None:
    """The result is that of the quadratic pattern which this replaces."""
    text = "".join(parts)
    pattern = re.compile(r"<(pre|a)(?=[\s/>])[^>]*>.*?</\1>", re.DOTALL)
    assert replace_elements(text, ("pre", "a"), upper) == pattern.sub(lambda match: upper(match[1], match[0]), text)


def test_a_hundred_thousand_elements_without_an_end_are_passed_over() -> None:
    """The end of an element is looked for once where there is none."""
    text = "<pre>" * 100_000
    assert replace_elements(text, ("pre",), upper) == text
