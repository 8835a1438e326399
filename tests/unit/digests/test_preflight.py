"""The rules for messages: issues of each theme comply, and a fault for each rule is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.digests.preflight.clients import FALLBACKS, _support_data
from publisher.digests.preflight.message import check_message
from publisher.findings import Finding
from publisher.findings.mail_rules import MAIL_RULES, finding
from tests.mail import samples
from tests.mail.samples import NOW, THEMES, issue, message, public


@cache
def parts() -> tuple[str, str]:
    return public(issue())


def found(html: str | None = None, text: str | None = None, **fields: Any) -> list[Finding]:
    whole, plain = parts()
    return check_message(message(html or whole, text or plain, **fields), now=NOW)


def rules(*arguments: Any, **fields: Any) -> set[str]:
    return {one.id for one in found(*arguments, **fields)}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("theme", THEMES)
def test_an_issue_of_a_shipped_theme_has_no_findings(theme: str, full: bool) -> None:
    """With excerpts and with full texts."""
    made = issue(theme, full_text=full)
    html, text = public(made)
    assert check_message(message(html, text), now=NOW, variants=[(made.html, made.text)]) == []


def test_a_text_that_is_checked_again_has_the_same_findings() -> None:
    """Whatever the caller did with the first list; another date and other names of the article count."""
    whole, plain = parts()
    url = "https://review.example/dummy"
    page = whole.replace("</address>", f'</address><a href="{url}">TK TK</a>', 1)
    data = message(page, f"{plain}\n{url}\n")
    first = check_message(data, now=NOW, stories={url: ("dummy",)})
    expected = [(one.id, one.article) for one in first]
    assert ("dummy-text", ("dummy",)) in expected
    first.clear()
    assert [(one.id, one.article) for one in check_message(data, now=NOW, stories={url: ("dummy",)})] == expected
    early = check_message(data, now=NOW - timedelta(days=1), stories={url: ("dummy",)})
    assert [(one.id, one.article) for one in early] == [("future-mail", ()), *expected]
    renamed = check_message(data, now=NOW, stories={url: ("another",)})
    assert ("dummy-text", ("another",)) in [(one.id, one.article) for one in renamed]


def put(before: str, after: str) -> Callable[[str], str]:
    def changed(page: str) -> str:
        assert before in page, before
        return page.replace(before, after, 1)

    return changed


def within(what: str) -> Callable[[str], str]:
    return put("</address>", f"</address>{what}")


#: Rule → a fault seeded into the HTML of an issue.
SEEDED: list[tuple[str, Callable[[str], str]]] = [
    ("html-size", within(f"<p>{'long ' * 20_000}</p>")),
    ("style-size", put("</head>", f"<style>{'.a { color: #111111 } ' * 900}</style></head>")),
    (
        "style-nesting",
        put("</head>", "<style>@media screen { @media (max-width: 9px) { p { top: 0 } } }</style></head>"),
    ),
    ("mail-doctype", put("<!DOCTYPE html", "<!doctype html")),
    ("mail-language", put('<body class="body page" lang="en"', "<body")),
    ("mail-direction", put('<html lang="en" dir="ltr"', '<html lang="en"')),
    ("mail-title", lambda page: re.sub(r"<title>.*?</title>", "", page)),
    ("mail-heading", within("<h6>Sudden</h6>")),
    ("mail-heading", lambda page: re.sub(r"<(/?)h[1-6]", r"<\1div", page)),
    ("layout-role", put('<table role="presentation" class="card"', '<table class="card"')),
    ("color-scheme", put('name="color-scheme"', 'name="colour"')),
    ("preheader", lambda page: re.sub(r'<div class="preheader.*?</div>', "", page)),
    ("scripted", within("<script>x()</script>")),
    ("scripted", within('<p onclick="x()">y</p>')),
    ("scripted", put("</head>", '<link rel="stylesheet" href="https://a.example/x.css"></head>')),
    ("scripted", put("</head>", '<style>@import "https://a.example/x.css";</style></head>')),
    ("image-alt", within('<img src="https://a.example/x.png" width="10">')),
    ("image-width", within('<img src="https://a.example/x.png" alt="">')),
    ("image-url", within('<img src="data:image/png;base64,AAAA" width="9" alt="">')),
    ("contrast", within('<p style="color:#cccccc; background-color:#ffffff">faint</p>')),
    ("contrast-dark", within('<p style="color:#5f584e">no dark colour</p>')),
    ("overflow", within('<table role="presentation" width="800"><tr><td>x</td></tr></table>')),
    ("overflow", within('<div style="min-width:700px">x</div>')),
    ("overflow", lambda page: within(f"<p>{'unbreakable' * 8}</p>")(page.replace("break-word", "normal"))),
    ("client-support", within('<div style="display:flex">x</div>')),
    ("client-support", within('<div style="position:absolute">x</div>')),
    ("client-support", within('<video src="https://a.example/v.mp4"></video>')),
    ("client-support", within('<p style="width:calc(100% - 4px)">x</p>')),
    (
        "words-per-image",
        lambda page: re.sub(r"<body.*", "<body><img src='https://a.example/x.png'>Hi", page, flags=re.DOTALL),
    ),
    ("link-empty", within('<a href="https://a.example/"></a>')),
    ("link-empty", within('<a href="#">Top</a>')),
    ("link-url", within('<a href="/relative">Relative</a>')),
    ("link-url", within('<a href="javascript:x()">Script</a>')),
    ("link-text", within('<a href="https://review.example/s">click here</a>')),
    ("link-duplicate", within('<a href="https://a.example/1">Same</a><a href="https://a.example/2">Same</a>')),
    ("link-duplicate", within('<a href="https://a.example/1">Same</a><a href="https://a.example/1">Same</a>')),
    ("unsubscribe-link", lambda page: re.sub(r"Unsubscribe", "Go", page)),
    ("unsubscribe-link", put(">Unsubscribe<", ">Go<")),
    ("unsubscribe-link", put(">Unsubscribe from this list<", ">Go<")),
    ("postal-address", lambda page: re.sub(r"<(/?)address", r"<\1div", page)),
    ("placeholder-left", within("@@unsubscribe.0123456789ab@@")),
    ("placeholder-split", within("@@unsubscribe.01234 56789ab@@")),
    ("template-code", within("<p>Dear {{ name }}</p>")),
    ("dummy-text", within("<p>Lorem ipsum dolor</p>")),
    ("dummy-text", within("<p>[Headline here]</p>")),
    ("text-complete", within('<a href="https://a.example/only-in-html">Only here</a>')),
    ("text-complete", within("<h2>A headline of the HTML alone</h2>")),
]


@pytest.mark.parametrize(("rule", "fault"), SEEDED, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(SEEDED)])
def test_a_fault_in_the_html_or_text_is_reported_with_its_rule(rule: str, fault: Callable[[str], str]) -> None:
    """Each fault is put into a valid issue."""
    page = fault(parts()[0])
    assert page != parts()[0]
    assert rule in rules(page)


def header(before: bytes, after: bytes) -> set[str]:
    data = message(*parts())
    assert before in data, before
    return {one.id for one in check_message(data.replace(before, after, 1), now=NOW)}


HEADERS: list[tuple[str, bytes, bytes]] = [
    ("header-missing", b"Date: ", b"X-Date: "),
    ("header-missing", b"Precedence: bulk", b"Precedence: bulk\r\nFrom: a@b.example"),
    ("header-missing", b"Date: Mon, 23 Nov", b"Date: the day after"),
    ("header-line", b"Precedence: bulk", b"Precedence: bulk\r\nX-Long: " + b"x" * 1000),
    ("header-line", b"Precedence: bulk", b"Precedence: bulk\r\nX-Raw: \xc3\xbc"),
    ("unsubscribe-header", b"List-Unsubscribe: <https", b"List-Unsubscribe: =?utf-8?q?=3Chttps"),
    ("unsubscribe-header", b"List-Unsubscribe: <https://", b"List-Unsubscribe: https://"),
    ("one-click", b"List-Unsubscribe-Post: ", b"X-Post: "),
    ("message-id", b"@review.example>\r\nList-Id", b"@elsewhere.example>\r\nList-Id"),
    ("bulk", b"Precedence: bulk\r\n", b""),
    ("subject-empty", b"Subject: Fourteen cables, and no owner", b"Subject: "),
    ("subject-length", b"Subject: Fourteen", b"Subject: " + b"Fourteen " * 12),
    ("text-part", b"Content-Type: text/plain", b"Content-Type: text/calendar"),
]


@pytest.mark.parametrize(("rule", "before", "after"), HEADERS)
def test_a_fault_in_the_headers_is_reported_with_its_rule(rule: str, before: bytes, after: bytes) -> None:
    """Each fault is put into a valid message."""
    assert rule in header(before, after)


def test_a_date_in_the_future_is_reported() -> None:
    """There is no such check without the current time."""
    data = message(*parts(), date=NOW + timedelta(hours=1))
    assert {one.id for one in check_message(data, now=NOW)} == {"future-mail"}
    assert check_message(data) == []


def test_long_lines_are_reported_except_urls() -> None:
    """URLs cannot be wrapped."""
    text = parts()[1]
    assert rules(None, text + "word " * 20 + "\n") == {"text-width"}
    assert rules(None, text + f"https://review.example/{'x' * 90}\n") == set()


def test_variants_must_have_complete_placeholders() -> None:
    """A delivery without an unsubscribe link must not be sent."""
    made = issue()
    html, text = public(made)
    for broken in (
        (made.html.replace(made.placeholders["unsubscribe"], "x", 1), made.text),
        (made.html, made.text.replace(made.placeholders["unsubscribe"], "")),
    ):
        assert [one.id for one in check_message(message(html, text), variants=[broken])] == ["unsubscribe-link"]
    split = made.text.replace("@@unsubscribe.", "@@unsub\nscribe.")
    assert "placeholder-split" in {one.id for one in check_message(message(html, text), variants=[(made.html, split)])}


def test_every_rule_is_tested() -> None:
    """A new rule needs a fault in a test."""
    elsewhere = {"future-mail", "text-width", "accessibility", "overflow-measured"}
    assert {rule for rule, _ in SEEDED} | {rule for rule, *_ in HEADERS} | elsewhere == set(MAIL_RULES)


def test_every_rule_is_documented_with_fix_and_source() -> None:
    """docs/checks.md has a row for each rule."""
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text("utf-8")
    for name, rule in MAIL_RULES.items():
        source = rule.source.removeprefix("docs/")
        assert source.startswith("https://") or source != rule.source
        cells = [rule.requirement, rule.fix]
        row = " | ".join(cell.replace("|", "\\|") for cell in cells)
        assert f"| `{name}` | {rule.severity} | {row} | [source]({source}) |" in page
    for name, why in FALLBACKS.items():
        assert f"| `{name}` | {why} |" in page


def test_a_finding_has_the_element_the_line_and_the_severity() -> None:
    """So that the editor finds the error."""
    (one,) = [one for one in found(within("\n<p>Lorem ipsum</p>")(parts()[0])) if one.id == "dummy-text"]
    assert one.entry == "<p>" and one.line is not None and one.line > 100 and one.is_error
    assert one.as_dict()["severity"] == "error"
    assert not finding("link-text", "x").is_error


def test_every_fallback_is_for_an_unsupported_feature() -> None:
    """A feature that all clients support needs none."""
    assert set(FALLBACKS) <= set(_support_data()["unknown"])


@given(st.text(alphabet=st.sampled_from("<>/ap\"'= \x00é@.{}:;style"), max_size=200))
def test_any_html_can_be_checked(text: str) -> None:
    """The check raises no exception."""
    check_message(message(text or " ", "x"), now=NOW)


@given(st.binary(max_size=400))
def test_any_bytes_can_be_checked(data: bytes) -> None:
    """The check raises no exception."""
    check_message(data, now=NOW)
    check_message(b"Content-Type: text/html\r\n\r\n" + data, now=NOW)


def test_dark_mode_colours_come_from_the_dark_rules() -> None:
    """Inline styles are overridden by !important."""
    samples_page = parts()[0]
    dark = replace(samples.BRANDING.dark, ink="#222222")
    page = samples_page.replace(samples.BRANDING.dark.ink, dark.ink)
    assert rules(page) == {"contrast-dark"}
