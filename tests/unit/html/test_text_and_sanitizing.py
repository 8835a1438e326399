"""Cleaning and wrapping text, sanitising HTML, URLs, writing direction, slugs."""

from __future__ import annotations

import html
import json
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from publisher.html import direction, sanitize, urls
from publisher.html import text as text_


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_cleaned_text_is_valid_in_xml(text: str) -> None:
    """An XML parser returns the same text."""
    cleaned, _, _ = text_.clean_characters(text)
    root = etree.Element("x")
    root.text = cleaned
    assert etree.fromstring(etree.tostring(root)).text in (cleaned, cleaned or None)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=200))
def test_the_fast_path_for_ascii_equals_the_general_one(text: str) -> None:
    """Both drop the same characters."""
    general, dropped, _ = text_.clean_characters(text + "é")
    assert text_.clean_characters(text) == (general[:-1], dropped, 0)


def test_dropped_and_replaced_characters_are_counted() -> None:
    """Line ends and composition are normalised without being counted."""
    assert text_.clean_characters("a\x00b\x07\ud800\r\nc\u2028d\ufffe") == ("ab\ufffd\nc\nd", 3, 1)
    assert text_.clean_characters("e\u0301")[0] == "é"


@pytest.mark.parametrize(
    ("source", "cleaned"),
    [
        ('<p onclick="x()">a<script>bad()</script></p>', "<p>a</p>"),
        ('<p style="h3" class="x">a</p>', "<p>a</p>"),
        ('<a href="javascript:x()">a</a>', "<a>a</a>"),
        ('<p dir="rtl" lang="ar" id="fn1">a</p>', '<p dir="rtl" lang="ar" id="fn1">a</p>'),
        ("<iframe src=x></iframe><svg><path/></svg>a", "a"),
        ("<b>unclosed", "<b>unclosed</b>"),
        ('<style>@import url("file:///etc/passwd")</style>a', "a"),
    ],
)
def test_unsafe_html_is_removed(source: str, cleaned: str) -> None:
    """Scripts, styles, event handlers and unsafe URLs are removed."""
    result = sanitize.sanitize_html(source)
    assert set(_tokens(result)) == set(_tokens(cleaned))


def _tokens(source: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, *sorted(f"{name}={value}" for name, value in attrs)))

        def handle_data(self, data: str) -> None:
            found.append(("#", data))

    Reader().feed(source)
    return found


def test_every_relative_url_is_made_absolute() -> None:
    """URLs in text are unchanged."""
    source = '<p><a href="#fn1">1</a> <a href="/x?a=1&amp;b=2">x</a> <img src="i.png"> &lt;a href="no"&gt; "q"</p>'
    base = "https://site.example/2026/11/story"
    assert urls.absolute_urls(source, base) == (
        f'<p><a href="{base}#fn1">1</a> <a href="https://site.example/x?a=1&amp;b=2">x</a> '
        '<img src="https://site.example/2026/11/i.png"> &lt;a href="no"&gt; "q"</p>'
    )


def test_a_url_that_cannot_be_parsed_is_removed() -> None:
    """The element stays without the attribute."""
    assert urls.absolute_urls('<a href="http://[bad">x</a>', "https://a.example/") == "<a>x</a>"


@given(st.text(max_size=100))
def test_absolute_urls_are_unchanged(text: str) -> None:
    """Another base URL has no effect on them."""
    cleaned = sanitize.sanitize_html(f'<p title="{html.escape(text)}">{text}</p>')
    cleaned = urls.absolute_urls(cleaned, "https://a.example/")
    assert urls.absolute_urls(cleaned, "https://b.example/") == cleaned


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://a.example/x y", "https://a.example/x%20y"),
        ("/path", "https://base.example/path"),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("http://[bad", None),
    ],
)
def test_only_http_urls_are_safe(value: str, expected: str | None) -> None:
    """Relative URLs are joined to the base, other schemes are rejected."""
    assert urls.safe_url(value, "https://base.example/") == expected


def test_markup_in_paragraphs_is_escaped() -> None:
    """Right-to-left paragraphs get a ``dir`` attribute."""
    assert sanitize.paragraphs_to_html(["a <b> & ]]> {{ x }}", "שלום"]) == (
        '<p>a &lt;b&gt; &amp; ]]&gt; {{ x }}</p>\n<p dir="rtl">שלום</p>'
    )


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=5))
def test_plain_text_of_paragraphs_equals_the_paragraphs(paragraphs: list[str]) -> None:
    """The conversion to HTML and back loses no text."""
    expected = [line for line in (text_.one_line(one) for one in paragraphs) if line]
    assert text_.plain_text(sanitize.paragraphs_to_html(paragraphs)).split("\n") == (expected or [""])


def test_plain_text_has_one_line_per_block() -> None:
    """Inline elements do not break words."""
    assert text_.plain_text('<h2>A</h2><p>b<em>c</em> d<br>e</p><p title="x>y">f</p>') == "A\nbc d\ne\nf"


def test_an_excerpt_ends_at_a_word() -> None:
    """Shortened text ends with an ellipsis."""
    assert text_.excerpt("one two, three four", 2) == "one two…"
    assert text_.excerpt("one two", 2) == "one two"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("hello", "ltr"), ("שלום world", "rtl"), ("123 مرحبا", "rtl"), ("— 中文", "ltr"), ("😀!", "ltr"), ("", "ltr")],
)
def test_text_direction_is_that_of_the_first_strong_character(text: str, expected: str) -> None:
    """Digits and punctuation are neutral."""
    assert direction.text_direction(text) == expected


@pytest.mark.parametrize(
    ("tag", "expected"), [("en", "ltr"), ("ar-EG", "rtl"), ("he", "rtl"), ("az-Arab", "rtl"), ("ar-Latn", "ltr")]
)
def test_language_direction_uses_the_script_subtag(tag: str, expected: str) -> None:
    """Without a script subtag, the language decides."""
    assert direction.language_direction(tag) == expected


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("Counter-Terrorism", "counter-terrorism"),
        ("The Buzz", "the-buzz"),
        ("Côte d’Ivoire", "côte-divoire"),
        ("../../etc/passwd", "etc-passwd"),
        ("العربية", "العربية"),
        ("C++", "c"),
    ],
)
def test_labels_become_slugs(label: str, slug: str) -> None:
    """Letters of all scripts are kept, path separators are not."""
    assert urls.slugify(label) == unicodedata.normalize("NFKC", slug)


@given(st.text(min_size=1))
def test_a_slug_is_a_safe_short_file_name(label: str) -> None:
    """This holds for any label."""
    slug = urls.slugify(label.encode("utf-8", "replace").decode())
    assert slug
    assert len(slug.encode()) <= 80
    assert not set(slug) & set("/\\. \0")
    assert slug[0] != "-"


def test_labels_without_letters_and_long_ones_do_not_collide() -> None:
    """A hash keeps them distinct."""
    assert urls.slugify("!!!") != urls.slugify("???")
    assert urls.slugify("x" * 200) != urls.slugify("x" * 201)


def test_a_phrase_is_found_as_whole_words_only() -> None:
    """Parts of longer words do not count."""
    assert text_.contains_phrase("NATO", "the NATO’s plan")
    assert not text_.contains_phrase("NATO", "SNATO NATOs")
    assert not text_.contains_phrase("x", "")


@given(st.text(alphabet="ab 中文é\n", max_size=300), st.integers(10, 72))
def test_wrapped_lines_fit_and_keep_all_text(text: str, width: int) -> None:
    """Only a single long word may exceed the width."""
    wrapped = text_.wrap(text, width)
    assert "".join(wrapped.split()) == "".join(text.split())
    for line in wrapped.split("\n"):
        assert text_.display_width(line) <= width or " " not in line.strip()


def test_a_long_url_is_not_broken() -> None:
    """A broken URL could not be followed."""
    address = "https://example.org/" + "x" * 90
    assert address in text_.wrap(f"see {address} now").split("\n")


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    """Terminals show them so."""
    assert text_.display_width("中文") == 4
    assert text_.display_width("e\u0301") == 1


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_json_escapes_equal_those_of_the_standard_library(text: str) -> None:
    """The bytes are the same for any text."""
    from publisher.feeds.formats.jsonfeed import escape_body

    cleaned, _, _ = text_.clean_characters(text)
    assert json.loads(b'"' + escape_body(cleaned) + b'"') == cleaned
    assert escape_body(cleaned) == json.dumps(cleaned, ensure_ascii=False)[1:-1].encode()
