"""Colours, widths and markup that a check has to understand."""

from __future__ import annotations

import lxml.html
import pytest

from publisher.digests import inline
from publisher.digests.inline import inline_css
from publisher.digests.preflight.html_part import _is_breakable, _overflow_findings
from publisher.digests.preflight.style import Colours
from publisher.errors import TemplateError
from publisher.feeds.checks.content import _MarkupChecker
from publisher.html.colour import contrast, readable_colour
from publisher.html.sanitize import sanitize_html


def document(body: str, style: str = "") -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(f"<html><head><style>{style}</style></head><body>{body}</body></html>")


def test_a_colour_that_lets_others_show_through_is_no_colour_of_its_own() -> None:
    """Nor is one that the check does not understand; the colour around it counts."""
    root = document(
        '<div style="background-color: #000000"><p style="background-color: rgba(255,255,255,.1); color: #ffffff">'
        '<a style="color: currentcolor">x</a><b style="color: nonsense">y</b></p></div>'
    )
    colours = Colours(root, dark=False)
    for tag in ("p", "a", "b"):
        assert colours.low_contrast(root.find(f".//{tag}")) is None, tag


def test_dark_rules_apply_to_the_elements_that_they_select() -> None:
    """A selector that no library understands selects nothing, and other rules in the block are left out."""
    style = (
        "@media (prefers-color-scheme: dark) { p { color: #000001 } ::nonsense(x) { color: red } @font-face { } } "
        "@media print { p { color: blue } } @media screen;"
    )
    root = document('<p style="background-color: #000000; color: #ffffff">x</p>', style)
    assert Colours(root, dark=False).low_contrast(root.find(".//p")) is None
    dark = Colours(root, dark=True)
    assert dark.is_dark and dark.low_contrast(root.find(".//p")) is not None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<td style="white-space: nowrap">a</td>', "white-space: nowrap"),
        ('<pre style="white-space: pre">a</pre>', "white-space: pre"),
        ('<table width="900"></table>', "width 900"),
        ('<img style="min-width: 400px">', "min-width 400px"),
        (f"<p>{'x' * 200}</p>", "cannot be broken"),
    ],
)
def test_what_does_not_fit_a_phone_is_found(body: str, message: str) -> None:
    """Each as one finding."""
    (found,) = _overflow_findings(document(f"<table><tr>{body}</tr></table>" if body.startswith("<td") else body))
    assert message in found.message


@pytest.mark.parametrize(
    "style", ["overflow-wrap: anywhere", "word-wrap: break-word", "word-break: break-all", "word-break: break-word"]
)
def test_a_long_word_may_be_broken_by_a_style(style: str) -> None:
    """Also by that of an element around it."""
    root = document(f'<div style="{style}"><p>{"x" * 200}</p></div>')
    assert _is_breakable(root.find(".//p")) and list(_overflow_findings(root)) == []


@pytest.mark.parametrize(("markup", "still_open"), [("<br/><b>", ["b"]), ("<i/>", []), ("<b><i></i>", ["b"])])
def test_an_element_that_closes_itself_stays_open_for_nothing(markup: str, still_open: list[str]) -> None:
    """XHTML writes empty elements so."""
    checker = _MarkupChecker()
    checker.feed(markup)
    assert checker.open == still_open


def test_a_readable_colour_has_enough_contrast_on_every_background() -> None:
    """In the end it is black or white."""
    for colour in ("#808080", "#ffffff", "#ff0000"):
        assert min(contrast(readable_colour(colour, "#ffffff", "#777777"), "#ffffff"), 21) >= 4.5


def test_a_frame_without_a_source_becomes_no_link() -> None:
    """There is nothing to link to."""
    assert sanitize_html("<p>a<iframe width=3></iframe>b</p>") == "<p>ab</p>"
    assert 'href="https://v.example/1"' in sanitize_html('<iframe src="//v.example/1"></iframe>')


def test_a_template_whose_doctype_is_lost_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outlook uses quirks mode without one."""
    monkeypatch.setattr(inline.FastInliner, "inline", lambda self: "<html></html>")
    with pytest.raises(TemplateError, match="the inliner dropped the doctype"):
        inline_css("<!DOCTYPE html><html></html>")


def test_the_inliner_keeps_a_bounded_number_of_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many issues, and of elements with many different styles."""
    monkeypatch.setattr(inline, "MAX_CACHED_TAGS", 1)
    page = "<!DOCTYPE html><html><head><style>p {{ color: #12345{} }}</style></head><body>{}</body></html>"
    for number in range(3):
        body = "".join(f'<p class="c{item}">x</p>' for item in range(3))
        assert inline_css(page.format(number, body)).count(f'style="color:#12345{number}"') == 3
