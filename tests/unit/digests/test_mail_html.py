"""HTML for mail clients, and its plain text with numbered links."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.digests.mail_html import linked_text, mail_html
from publisher.html.sanitize import sanitize_html
from publisher.html.text import plain_text, wrap

BASE = "https://a.example/1"


def made(source: str) -> str:
    return mail_html(sanitize_html(source), BASE, 544)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>x</p>", '<p class="text ink">x</p>'),
        ("<div>x</div>", '<p class="text ink">x</p>'),
        ("<h1>x</h1>", '<h3 class="inner ink">x</h3>'),
        ("<h5>x</h5>", '<h4 class="inner ink">x</h4>'),
        ('<p id="a" style="color:red" class="b">x</p>', '<p class="text ink">x</p>'),
        ('<p dir="rtl" lang="ar">x</p>', '<p dir="rtl" lang="ar" class="text ink">x</p>'),
        ('<a href="#fn1">1</a>', '<a href="https://a.example/1#fn1" class="link accent">1</a>'),
        ('<a href="tel:1">1</a>', '<a class="link accent">1</a>'),
        ("<p></p><p> </p>", ""),
        (
            '<img src="/x.png" width="1088" height="612" alt="A">',
            '<img class="picture muted" src="https://a.example/x.png" alt="A" width="544" height="306">',
        ),
        ('<img src="data:image/png;base64,AA" alt="A">', "A"),
        (
            '<video controls src="/v/film.mp4?x=1"></video>',
            '<p class="text ink"><a href="https://a.example/v/film.mp4?x=1" class="link accent">Watch: film.mp4</a></p>',
        ),
        (
            '<audio><source src="https://b.example/a.mp3"></audio>',
            '<p class="text ink"><a href="https://b.example/a.mp3" class="link accent">Listen: a.mp3</a></p>',
        ),
        ("<video></video>", ""),
        (
            "<table><tr><th>A</th></tr></table>",
            (
                '<table class="data" role="table" width="100%" cellpadding="0" cellspacing="0"><tbody><tr>'
                '<th scope="col" class="cell ink">A</th></tr></tbody></table>'
            ),
        ),
    ],
)
def test_html_is_reduced_to_what_mail_clients_support(source: str, expected: str) -> None:
    """Players become links, blocks become paragraphs."""
    assert made(source) == expected


@pytest.mark.parametrize("tag", ["div", "blockquote", "ul><li", "span", "strong"])
def test_text_that_is_nested_too_deep_is_kept(tag: str) -> None:
    """libxml2 would drop it."""
    closing = "".join(f"</{name}>" for name in reversed(tag.split("><")))
    page = made(f"<{tag}>" * 300 + "deep" + closing * 300)
    assert plain_text(page) == "deep"
    assert page.count("<") < 100


@given(st.text(alphabet=st.sampled_from("<>/ap divh1\"'= x&;"), max_size=120))
def test_no_word_is_lost_and_no_unsupported_element_is_left(source: str) -> None:
    """For any sanitized HTML."""
    page = made(source)
    assert plain_text(page).split() == plain_text(sanitize_html(source)).split()
    assert not re.search(r"<(?:div|script|style|section)|\sstyle=|\sid=|\son\w+=", page)


def test_each_link_has_one_number() -> None:
    """A repeated URL keeps its number."""
    page = made('<p><a href="/x">One</a> and <a href="/y">two</a></p><p><a href="/x">again</a></p>')
    assert linked_text(page, 7) == (
        ("One [7] and two [8]", "again [7]"),
        ("https://a.example/x", "https://a.example/y"),
    )


def test_lists_and_tables_become_paragraphs_of_lines() -> None:
    """One line for each item or row."""
    page = made(
        "<p>One\nline</p><ul><li>a\nb</li><li><p>c</p></li></ul><table><thead><tr><th>Y</th><th>M</th></tr></thead>"
        "<tbody><tr><td>1</td><td>2</td></tr></tbody></table><pre>x\n  y</pre>"
    )
    assert linked_text(page, 1)[0] == ("One line", "- a b\n- c", "Y | M\n1 | 2", "x", "y")


def test_wrapping_keeps_the_lines_of_a_list() -> None:
    """Each item begins on its own line."""
    assert wrap("- " + "a " * 5 + "\n- b", 8) == "- a a a\na a\n- b"
