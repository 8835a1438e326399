"""Faults of premailer: a test shows each one, and that the inliner does not have it."""

from __future__ import annotations

import re
import sys
from typing import Any

import premailer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.digests.inline import OPTIONS, inline_css
from publisher.errors import TemplateError

PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>T</title><style>
h3 { color: #123456; margin: 0; } .a { color: #222222; } .a:hover { color: red; } img { height: auto; }
@media (max-width: 400px) { .a { color: blue; } }
</style></head><body><h3>Head</h3><p class="a">Text</p><img src="https://x.example/a.png" alt="" width="100%" height="320"></body></html>"""


def test_rules_are_inlined_into_their_elements() -> None:
    """In the order of specificity."""
    result = inline_css(PAGE)
    assert '<h3 style="color:#123456; margin:0">' in result
    assert '<p class="a" style="color:#222">' in result


def test_the_result_has_the_bytes_of_premailer() -> None:
    """The caches change nothing."""
    for _ in range(2):
        assert inline_css(PAGE) == premailer.Premailer(PAGE, **OPTIONS).transform(pretty_print=False)


NAMES = st.sampled_from(["a", "b", "c"])
SELECTOR = st.builds(
    lambda tag, classes: (tag + "".join(f".{name}" for name in classes)) or "p",
    st.sampled_from(["", "p", "td", "h3", "body"]),
    st.lists(NAMES, max_size=2),
)
RULE = st.builds(
    lambda selectors, declarations: f"{', '.join(selectors)} {{ {'; '.join(declarations)} }}",
    st.lists(SELECTOR | st.sampled_from([".a .b", "p > b", ".a:hover", "*"]), min_size=1, max_size=2),
    st.lists(
        st.sampled_from(
            ["color: #112233", "margin: 0 1px", "background-color: #abc", "text-align: right", "width: 20px", "top: 0 !important"]
        ),
        min_size=1,
        max_size=3,
    ),
)  # fmt: skip
ELEMENT = st.builds(
    lambda tag, classes, style, text: f'<{tag} class="{" ".join(classes)}"{style}>{text}</{tag}>',
    st.sampled_from(["p", "h3", "b"]),
    st.lists(NAMES, max_size=3),
    st.sampled_from(["", ' style="color:red"', ' align="left"']),
    st.sampled_from(["x", "<b class='b'>y</b>", "&amp;"]),
)


@given(st.lists(RULE, min_size=1, max_size=5), st.lists(ELEMENT, min_size=1, max_size=6))
def test_the_fast_inliner_gives_the_bytes_of_premailer(rules: list[str], elements: list[str]) -> None:
    """The style for a start tag is computed once, premailer computes it for each element."""
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><title>T</title><style>{" ".join(rules)}</style></head>'
        f'<body class="a">{"".join(elements)}</body></html>'
    )
    assert inline_css(page) == premailer.Premailer(page, **OPTIONS).transform(pretty_print=False)


def test_one_article_does_not_affect_the_next_digest() -> None:
    """Fault: declarations and selectors share one cache, so style="h3" breaks the selector h3."""
    before = inline_css(PAGE)
    inline_css(PAGE.replace("<p ", '<p style="h3" '))
    inline_css(PAGE.replace("<p ", '<p style="p:" '))
    assert inline_css(PAGE) == before


def test_nothing_is_fetched_and_no_file_is_opened() -> None:
    """Fault: @import fetches URLs and opens files, whatever the options of premailer."""
    inline_css(PAGE)
    opened: list[tuple[str, Any]] = []
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and (event == "open" or event.startswith(("socket.", "urllib."))):
            opened.append((event, arguments))

    sys.addaudithook(hook)
    try:
        inline_css(
            PAGE.replace(
                "<style>", '<style>@import url("http://127.0.0.1:9/x.css"); @import "file:///etc/passwd";'
            ).replace(
                "</title>",
                '</title><link rel="stylesheet" href="http://127.0.0.1:9/y.css"><link rel="stylesheet" href="/etc/passwd">',
            )
        )
    finally:
        watching = False
    assert [one for one in opened if not str(one[1][0]).endswith((".py", ".pyc"))] == []


def test_a_lower_case_doctype_is_kept() -> None:
    """Fault: premailer drops it, and Outlook uses quirks mode."""
    assert not premailer.Premailer(PAGE.replace("DOCTYPE", "doctype"), **OPTIONS).transform().startswith("<!")
    assert inline_css(PAGE.replace("DOCTYPE", "doctype")).startswith("<!DOCTYPE html>")


def test_important_is_kept_in_media_queries() -> None:
    """Fault: by default premailer removes every !important, which dark mode needs."""
    assert "!important" in inline_css(PAGE)


def test_width_and_height_of_images_are_unchanged() -> None:
    """Fault: height:auto overwrites height="320"."""
    picture = re.search(r"<img[^>]*>", inline_css(PAGE))
    assert picture is not None
    assert 'height="320"' in picture[0] and 'width="100%"' in picture[0]


def test_ignored_style_sheets_are_unchanged() -> None:
    """Fault: the parser drops @supports, @font-face and [data-ogsc]."""
    kept = "@supports (x: y) { a { b: c } } @font-face { font-family: X } [data-ogsc] .a { color: #fff !important }"
    result = inline_css(PAGE.replace("</title>", f'</title><style data-premailer="ignore">{kept}</style>'))
    assert f"<style>{kept}</style>" in result


def test_placeholders_and_fragments_in_urls_are_unchanged() -> None:
    """Fault: {{ u }} in a URL is percent-encoded, and base_url rewrites placeholders."""
    result = inline_css(PAGE.replace("Text", '<a href="@@unsubscribe@@">x</a> <a href="#x">y</a>'))
    assert 'href="@@unsubscribe@@"' in result and 'href="#x"' in result


def test_lost_text_is_an_error() -> None:
    """Fault: text 256 elements deep disappears."""
    with pytest.raises(TemplateError, match="lost text"):
        inline_css(PAGE.replace("Text", "<div>" * 300 + "deep" + "</div>" * 300))


def test_conditional_comments_are_kept() -> None:
    """Fault: <![if !mso]> is damaged; conditional comments are not."""
    kept = "<!--[if mso]><table><tr><td><![endif]-->Text<!--[if !mso]><!-->x<!--<![endif]-->"
    assert kept in inline_css(PAGE.replace("Text", kept))


def test_invalid_style_sheets_are_template_errors_without_log_output(capfd: pytest.CaptureFixture[str]) -> None:
    """Fault: cssutils logs every property that it does not know."""
    inline_css(PAGE.replace("color: #123456", "mso-hide: all; colour: x"))
    with pytest.raises(TemplateError, match="cannot be inlined"):
        inline_css("")
    assert capfd.readouterr() == ("", "")


def test_the_cache_of_style_sheets_is_bounded() -> None:
    """Old entries are dropped."""
    from publisher.digests.inline import _Inliner

    for number in range(130):
        inline_css(PAGE.replace("#123456", f"#1111{number:02x}"))
    assert len(_Inliner._parsed) <= 65


def test_a_page_without_styles_is_unchanged() -> None:
    """The inliner adds no attribute."""
    assert "<p>x</p>" in inline_css("<!DOCTYPE html>\n<html><head><style></style></head><body><p>x</p></body></html>")


@pytest.mark.parametrize("theme", ["magazine", "brief", "letter"])
def test_shipped_themes_use_no_unsupported_css(theme: str) -> None:
    """Faults: var() and :nth-child() are not resolved; an inline style overrides a media query without !important."""
    from tests.mail.samples import issue

    page = issue(theme, full_text=True).html
    assert "var(" not in page and ":nth-" not in page
    assert "!important" not in "".join(re.findall(r"""style=(?:"[^"]*"|'[^']*')""", page))
    sheets = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    kept = re.findall(r"([a-z-]+: [^;{}()]+);", sheets)
    assert len(kept) > 20
    without = {one for one in kept if not one.endswith("!important")}
    assert without == {"color-scheme: light dark", "supported-color-schemes: light dark"}
