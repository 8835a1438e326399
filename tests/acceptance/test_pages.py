"""Pages in a real browser: an issue and the page of feeds, phone and desktop, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NOW, SiteKit
from tests.support.chromium import connected
from tests.support.use_cases import retract


@pytest.fixture(scope="module")
def browser(chromium_address: str) -> Iterator[Any]:
    with connected(chromium_address) as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    kit = SiteKit(tmp_path_factory.mktemp("pages") / "site")
    for number in range(6):
        kit.article(
            f"{number}.md",
            title="An Extraordinarily Long Headline About Unpronounceablewordsthatdonotbreakanywhere "
            + "and More " * number,
            topic="Counter-Terrorism and Security",
            region="Middle East",
            tags="[Donaudampfschifffahrtsgesellschaft, Water]",
            author="Ann Lee",
            dek="A dek that says what is in it, at some length, so that it wraps on a phone.",
            body="Words and more words. " * 40,
        )
    kit.article("rtl.md", title="رغيف القاهرة الجديد", language="ar", author="ليلى منصور", dek="كيف غيّرت المخابز")
    kit.open_issue()
    done = retract(kit.site, NOW, "5.md", "It was made up. " * 20)
    return {
        "issue": kit.issue_file("index.html"),
        "feeds": kit.root / "feeds/index.html",
        "gone": kit.root / str(done.gone),
    }


#: Text with less contrast than WCAG 2.1 asks for (1.4.3: 4.5, large text 3), by computed colours.
CONTRAST = """() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => { const f = [r, g, b].map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const ground = element => { for (let e = element; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const style = getComputedStyle(element);
    if (!own || style.display === 'none' || element.offsetParent === null) continue;
    const [a, b] = [light(parse(style.color)), light(ground(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    const ratio = (a + .05) / (b + .05);
    if (ratio < (large ? 3 : 4.5)) bad.push([element.textContent.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return bad;
}"""


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (375, "dark"),
        (1280, "light"),
        pytest.param(375, "light", marks=pytest.mark.slow(reason="each is in another case")),
        pytest.param(1280, "dark", marks=pytest.mark.slow(reason="each is in another case")),
    ],
)
@pytest.mark.parametrize("name", ["issue", "feeds", "gone"])
def test_a_page_fits_the_screen_and_has_enough_contrast(
    browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    """On a phone and a desktop, light and dark, without requests to other hosts."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    assert [url for url in asked if not url.startswith("file:")] == []
    assert page.locator("h1").count() == 1
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(21, 19, 15)") is (scheme == "dark")
    page.close()


def test_a_click_selects_the_whole_url_and_a_link_opens_a_feed_reader(browser: Any, pages: dict[str, Path]) -> None:
    """The page of feeds works without scripts."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, java_script_enabled=True)
    page.goto(pages["feeds"].as_uri())
    page.locator("code.address").first.click()
    assert page.evaluate("getSelection().toString().trim()") == "https://review.example/feeds/all.rss"
    assert page.get_by_role("link", name="Open in a feed reader: The Test Review", exact=True).get_attribute(
        "href"
    ) == ("feed:https://review.example/feeds/all.rss")
    assert page.locator("script").count() == 0
    assert page.locator('link[rel="alternate"]').count() == 3
    page.close()
