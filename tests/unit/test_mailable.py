"""What mail programs show of an article's HTML, and its text with numbered links."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mailable import linked_text, mailable
from publisher.markup import plain_text, sanitise

BASE = "https://a.example/1"


def made(source: str) -> str:
    return mailable(sanitise(source), BASE, 544)


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
def test_html_becomes_what_mail_programs_show(source: str, expected: str) -> None:
    assert made(source) == expected


@pytest.mark.parametrize("tag", ["div", "blockquote", "ul><li", "span", "strong"])
def test_what_is_nested_too_deep_keeps_its_words(tag: str) -> None:
    closing = "".join(f"</{name}>" for name in reversed(tag.split("><")))
    page = made(f"<{tag}>" * 300 + "deep" + closing * 300)
    assert plain_text(page) == "deep"
    assert page.count("<") < 100


@given(st.text(alphabet=st.sampled_from("<>/ap divh1\"'= x&;"), max_size=120))
def test_no_word_is_lost_and_nothing_foreign_comes_through(source: str) -> None:
    page = made(source)
    assert plain_text(page).split() == plain_text(sanitise(source)).split()
    assert not re.search(r"<(?:div|script|style|section)|\sstyle=|\sid=|\son\w+=", page)


def test_links_are_numbered_once_each() -> None:
    page = made('<p><a href="/x">One</a> and <a href="/y">two</a></p><p><a href="/x">again</a></p>')
    assert linked_text(page, 7) == (
        "One [7] and two [8]\nagain [7]",
        ("https://a.example/x", "https://a.example/y"),
    )
