"""Issues of every theme in a browser, validators, mail libraries and a spam filter."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import css_inline
import pytest

from publisher.chromium import Browser, Viewport
from publisher.digests import render as module
from publisher.digests.preflight.clients import FALLBACKS
from publisher.errors import BrowserMissing
from publisher.templating.environment import render_template
from tests.mail import samples
from tests.mail.samples import ENVELOPE, NOW, THEMES, articles, issue, message, public

NODE = Path(__file__).parents[1] / "mail" / "node"

with_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules").exists(),
    reason="not there: npm install --prefix tests/mail/node",
)
VIEWS = [
    Viewport(name=name, width=width, is_dark=dark)
    for name, width in (("phone", 375), ("desktop", 1280))
    for dark in (False, True)
]
#: (theme, whole articles, view): by default each theme once, by turns excerpts on a dark phone and whole articles on a
#: light desktop; all in the slow run.
CASES = [
    pytest.param(
        theme,
        full,
        view,
        id=f"{theme}-{'full' if full else 'excerpts'}-{view.label}",
        marks=()
        if (full, view.name, view.is_dark) == ((False, "phone", True), (True, "desktop", False))[number % 2]
        else pytest.mark.slow(reason="seven eighths of the time of a browser"),
    )
    for number, theme in enumerate(THEMES)
    for full in (False, True)
    for view in VIEWS
]

#: Each theme, by default the first one, for what hardly depends on themes.
A_THEME = [
    THEMES[0],
    *(pytest.param(theme, marks=pytest.mark.slow(reason="a program for each theme")) for theme in THEMES[1:]),
]


@cache
def page(theme: str, full: bool) -> str:
    return public(issue(theme, full_text=full))[0]


def look(program: str, data: bytes) -> Any:
    shown = subprocess.run(
        ["node", "look.mjs", program], input=data, cwd=NODE, capture_output=True, check=True, timeout=120
    )
    return json.loads(shown.stdout)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with Browser() as running:
            yield running
    except BrowserMissing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("theme", "full", "view"), CASES)
def test_issues_pass_axe_and_fit_the_screen(browser: Browser, theme: str, full: bool, view: Viewport) -> None:
    """axe-core finds nothing serious, and nothing is wider than the screen."""
    assert browser.accessibility_violations(page(theme, full), view) == []
    assert browser.horizontal_overflow(page(theme, full), view) == 0


def test_the_browser_checks_can_fail(browser: Browser) -> None:
    """A page without alternative text and with a wide element is reported."""
    bad = '<!DOCTYPE html><html lang="en"><title>x</title><body><img src="https://a.example/x.png"><p style="width:900px">wide</p>'
    assert [fault.rule for fault in browser.accessibility_violations(bad, VIEWS[0])] == ["image-alt"]
    assert browser.horizontal_overflow(bad, VIEWS[0]) > 500
    # A missing picture is a box of its size, with pictures and without: the same page otherwise.
    assert browser.screenshot(bad, VIEWS[0]) != browser.screenshot(
        bad, Viewport(name="phone", width=375, loads_images=False)
    )


@pytest.mark.parametrize(("theme", "full", "view"), CASES)
def test_inlined_issues_look_like_those_of_css_inline(
    browser: Browser, theme: str, full: bool, view: Viewport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same page inlined by premailer and by css-inline is the same picture, dot by dot."""
    sources: list[str] = []

    def spy(folder: Path, name: str, values: Any) -> str:
        made = render_template(folder, name, values)
        sources.append(made)
        return made

    monkeypatch.setattr(module, "render_template", spy)
    ours = issue(theme, full_text=full).html
    source = next(one for one in sources if "<!DOCTYPE" in one)
    other = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False).inline(source)
    assert browser.screenshot(ours, view) == browser.screenshot(other, view)


@with_node
@pytest.mark.parametrize("theme", THEMES)
def test_issues_pass_html_validate(theme: str) -> None:
    """html-validate reports nothing for any theme."""
    assert look("htmlvalidate", page(theme, full=True).encode()) == []


@with_node
@pytest.mark.parametrize("theme", A_THEME)
def test_caniemail_reports_listed_features_only(theme: str) -> None:
    """Other features are in style sheets only, with an inline fallback."""
    listed = json.loads((NODE / "node_modules/caniemail/data/caniemail.json").read_text())["data"]
    slugs = {one["title"]: one["slug"] for one in listed}
    in_style_sheets = {
        "css-at-media-prefers-color-scheme", "css-at-media", "css-color-scheme", "css-selector-attribute", "css-important",
        "css-selector-descendant", "css-selector-grouping", "css-selector-class", "css-selector-type",
    }  # fmt: skip
    found = {slugs.get(title, title) for title in look("caniemail", page(theme, full=True).encode())}
    assert found - set(FALLBACKS) - in_style_sheets == set()


@with_node
@pytest.mark.parametrize("theme", A_THEME)
def test_mailparser_and_python_parse_the_same_message(theme: str) -> None:
    """Two independent libraries agree on the headers and the parts."""
    html, text = public(issue(theme))
    data = message(html, text, subject="Grüße: fourteen cables, and nobody's, at some length, so that it is folded")
    mail = message_from_bytes(data, policy=policy.default)
    seen = look("mailparser", data)
    assert seen["subject"] == mail["Subject"] and seen["messageId"] == mail["Message-ID"]
    assert seen["from"] == [{"address": "news@review.example", "name": "The Review"}]
    assert seen["date"] == NOW.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for kind, name in (("html", "html"), ("plain", "text")):
        part = mail.get_body((kind,))
        assert part is not None
        assert seen[name].split() == str(part.get_content()).split()
    assert seen["list"]["unsubscribe"]["url"] == ENVELOPE.unsubscribe[0]
    assert seen["list"]["unsubscribe-post"]["name"] == "List-Unsubscribe=One-Click"
    assert seen["attachments"] == 0


@pytest.mark.skipif(shutil.which("spamassassin") is None, reason="no SpamAssassin: apt-get install spamassassin")
@pytest.mark.parametrize("theme", A_THEME)
def test_a_spam_filter_accepts_an_issue(theme: str) -> None:
    """SpamAssassin gives an issue of each theme a score below 2."""
    data = message(*public(issue(theme)))
    shown = subprocess.run(
        ["spamassassin", "--local", "--test-mode"], input=data, capture_output=True, check=True, timeout=120
    ).stdout.decode("utf-8", "replace")
    score = re.search(r"X-Spam-Status: \w+, score=(-?[\d.]+)", shown)
    assert score is not None
    assert float(score[1]) < 2.0, shown[-2000:]


@pytest.mark.parametrize("theme", THEMES)
def test_an_issue_of_25_articles_stays_below_the_size_limit(theme: str) -> None:
    """No story is shortened, and the style sheets stay below the limit of Gmail."""
    made = issue(theme, articles(25), briefs_after=25)
    assert len(made.html.encode()) <= 90 * 1024 and made.shortened == 0
    sheets = re.findall(r"<style>(.*?)</style>", made.html, re.DOTALL)
    assert 0 < sum(len(sheet.encode()) for sheet in sheets) <= 16 * 1024


@pytest.mark.parametrize("full", [False, True], ids=["excerpts", "full"])
@pytest.mark.parametrize("theme", THEMES)
def test_every_headline_byline_and_address_is_in_the_plain_text(theme: str, full: bool) -> None:
    """The plain text has every headline, author and URL of the HTML."""
    made = issue(theme, full_text=full)
    text = "".join(made.text.split())
    for one in articles():
        assert "".join(one.title.split()) in text
        for author in one.authors:
            assert "".join(author.name.split()) in text
    for address in re.findall(r'<a [^>]*href="([^"]*)"', made.html):
        assert "".join(unescape(address).split()) in text
    assert samples.BRANDING.postal_address in made.text
