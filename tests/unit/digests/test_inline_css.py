"""premailer's faults, each shown and each fenced."""

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


def test_rules_stand_at_their_elements() -> None:
    result = inline_css(PAGE)
    assert '<h3 style="color:#123456; margin:0">' in result
    assert '<p class="a" style="color:#222">' in result


def test_the_bytes_are_those_of_plain_premailer() -> None:
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
def test_the_quick_way_gives_the_bytes_of_plain_premailer(rules: list[str], elements: list[str]) -> None:
    """What is worked out once for each kind of start tag is what premailer works out for each element."""
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><title>T</title><style>{" ".join(rules)}</style></head>'
        f'<body class="a">{"".join(elements)}</body></html>'
    )
    assert inline_css(page) == premailer.Premailer(page, **OPTIONS).transform(pretty_print=False)


def test_one_article_does_not_poison_the_next_digest() -> None:
    """Fault: declarations and selectors share one cache, so style="h3" breaks the selector h3."""
    before = inline_css(PAGE)
    inline_css(PAGE.replace("<p ", '<p style="h3" '))
    inline_css(PAGE.replace("<p ", '<p style="p:" '))
    assert inline_css(PAGE) == before


def test_nothing_is_fetched_and_no_file_is_opened() -> None:
    """Fault: @import is fetched, and file:// opened, whatever premailer is told."""
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
    """Fault: it is dropped, and Outlook falls into quirks mode."""
    assert not premailer.Premailer(PAGE.replace("DOCTYPE", "doctype"), **OPTIONS).transform().startswith("<!")
    assert inline_css(PAGE.replace("DOCTYPE", "doctype")).startswith("<!DOCTYPE html>")


def test_important_survives_in_media_queries() -> None:
    """Fault: by default every !important is stripped, which dark mode needs."""
    assert "!important" in inline_css(PAGE)


def test_width_and_height_of_pictures_are_left_alone() -> None:
    """Fault: height:auto overwrites height="320"."""
    picture = re.search(r"<img[^>]*>", inline_css(PAGE))
    assert picture is not None
    assert 'height="320"' in picture[0] and 'width="100%"' in picture[0]


def test_kept_styles_are_kept_byte_for_byte() -> None:
    """Fault: @supports, @font-face and [data-ogsc] are dropped from what is parsed."""
    kept = "@supports (x: y) { a { b: c } } @font-face { font-family: X } [data-ogsc] .a { color: #fff !important }"
    result = inline_css(PAGE.replace("</title>", f'</title><style data-premailer="ignore">{kept}</style>'))
    assert f"<style>{kept}</style>" in result


def test_opaque_tokens_and_fragments_pass_through() -> None:
    """Fault: {{ u }} in an address is percent-encoded, and a base_url rewrites tokens."""
    result = inline_css(PAGE.replace("Text", '<a href="@@unsubscribe@@">x</a> <a href="#x">y</a>'))
    assert 'href="@@unsubscribe@@"' in result and 'href="#x"' in result


def test_text_that_is_lost_is_noticed() -> None:
    """Fault: what stands 256 elements deep disappears."""
    with pytest.raises(TemplateError, match="lost text"):
        inline_css(PAGE.replace("Text", "<div>" * 300 + "deep" + "</div>" * 300))


def test_conditional_comments_survive() -> None:
    """Fault: <![if !mso]> is mangled; the form within comments is not."""
    kept = "<!--[if mso]><table><tr><td><![endif]-->Text<!--[if !mso]><!-->x<!--<![endif]-->"
    assert kept in inline_css(PAGE.replace("Text", kept))


def test_broken_styles_are_an_error_of_the_template_and_silent_otherwise(capfd: pytest.CaptureFixture[str]) -> None:
    """Fault: cssutils logs every property that it does not know."""
    inline_css(PAGE.replace("color: #123456", "mso-hide: all; colour: x"))
    with pytest.raises(TemplateError, match="cannot be inlined"):
        inline_css("")
    assert capfd.readouterr() == ("", "")


def test_many_style_sheets_do_not_fill_the_memory() -> None:
    from publisher.digests.inline import _Inliner

    for number in range(130):
        inline_css(PAGE.replace("#123456", f"#1111{number:02x}"))
    assert len(_Inliner._parsed) <= 65


def test_a_page_without_styles_is_left_as_it_is() -> None:
    assert "<p>x</p>" in inline_css("<!DOCTYPE html>\n<html><head><style></style></head><body><p>x</p></body></html>")


@pytest.mark.parametrize("theme", ["magazine", "brief", "letter"])
def test_shipped_themes_ask_for_nothing_that_does_not_survive(theme: str) -> None:
    """Faults: var() and :nth-child() are not resolved; an inline style beats a media query without !important."""
    from tests.mail.samples import issue

    page = issue(theme, full_text=True).html
    assert "var(" not in page and ":nth-" not in page
    assert "!important" not in "".join(re.findall(r"""style=(?:"[^"]*"|'[^']*')""", page))
    sheets = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    kept = re.findall(r"([a-z-]+: [^;{}()]+);", sheets)
    assert len(kept) > 20
    without = {one for one in kept if not one.endswith("!important")}
    assert without == {"color-scheme: light dark", "supported-color-schemes: light dark"}
