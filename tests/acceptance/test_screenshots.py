"""Screenshots of all views share pages, and show the same as a page for each view."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from publisher.chromium import BackgroundBrowser, Browser, Viewport
from publisher.errors import BrowserMissing
from publisher.pipeline.preview import VIEWS

STYLE = "<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }</style>"
TEXT = f"<!DOCTYPE html><html lang=en><title>x</title>{STYLE}<body><p>Some words.</p>"
IMAGES = f'{TEXT}<img src="https://a.example/1.png" alt="One" width="300"><img src="https://a.example/2.png" alt="Two">'
#: An image that only one view requests.
ONE_VIEW = f'{TEXT}<style>@media (min-width: 1000px) and (prefers-color-scheme: dark) {{ p {{ background: url("https://a.example/3.png") }} }}</style>'
WIDE = f'{TEXT}<p style="width: 2000px; background: #888">wide</p>'
#: What one page shows, the others show, too.
OTHER_PAGES = pytest.mark.slow(reason="a page in eight views; the one with images is in the default run")
TALL = f'{TEXT}<p style="height: 9000px; background: #888">tall</p>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with Browser() as running:
            yield running
    except BrowserMissing as error:
        pytest.skip(str(error))


def size(png: bytes) -> tuple[int, int]:
    """Return the width and the height of a PNG."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize(
    "html",
    [pytest.param(TEXT, marks=OTHER_PAGES), IMAGES, pytest.param(ONE_VIEW, marks=OTHER_PAGES)],
    ids=["text", "images", "one"],
)
def test_views_that_share_a_page_show_the_same_as_a_page_each(browser: Browser, html: str) -> None:
    """Colours, widths and images of one view do not show in the next."""
    shared = dict(browser.screenshots(html, VIEWS))
    assert list(shared) == sorted(VIEWS, key=lambda view: not view.loads_images)
    assert shared == {view: browser.screenshot(html, view) for view in VIEWS}


def test_a_view_without_images_shows_none_that_an_earlier_view_loaded(browser: Browser) -> None:
    """Eight views of a page with images are eight different pictures."""
    assert len(set(dict(browser.screenshots(IMAGES, VIEWS)).values())) == 8
    assert len(set(dict(browser.screenshots(TEXT, VIEWS)).values())) == 4


def test_a_picture_has_the_whole_page(browser: Browser) -> None:
    """A page that is wider or longer than the window is not cut."""
    phone = Viewport(name="phone", width=375)
    assert size(browser.screenshot(TEXT, phone)) == (375, 800)
    assert size(browser.screenshot(WIDE, phone))[0] > 2000
    assert size(browser.screenshot(TALL, phone))[1] > 9000


@pytest.mark.parametrize(
    ("html", "pages"),
    [pytest.param(TEXT, 1, marks=OTHER_PAGES), (IMAGES, 2), pytest.param(ONE_VIEW, 2, marks=OTHER_PAGES)],
)
def test_eight_views_create_two_pages_at_most(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, html: str, pages: int
) -> None:
    """A page is created once for the views with images, and once for those without if there are images."""
    created: list[bool] = []
    real = browser.new_page

    def spy(*, loads_images: bool) -> Any:
        created.append(loads_images)
        return real(loads_images=loads_images)

    monkeypatch.setattr(browser, "new_page", spy)
    assert len(dict(browser.screenshots(html, VIEWS))) == 8
    assert created == [True, False][:pages]
    created.clear()
    # Views without images alone need no page with images.
    assert len(dict(browser.screenshots(html, [view for view in VIEWS if not view.loads_images]))) == 4
    assert created == [False]


def chromium_threads() -> list[str]:
    """Return the names of the threads of browsers."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("chromium")]


def test_a_browser_in_the_background_ends_with_its_block() -> None:
    """It takes pictures from the caller's thread, and also ends when the block raises."""
    with BackgroundBrowser() as background:
        try:
            picture = background.run(lambda running: running.screenshot(TEXT, VIEWS[0]))
        except BrowserMissing as error:
            pytest.skip(str(error))
        connected = background.run(lambda running: running._chromium.is_connected)
        assert connected()
    assert size(picture) == (375, 800)
    assert not connected() and chromium_threads() == []
    with pytest.raises(ZeroDivisionError), BackgroundBrowser():
        raise ZeroDivisionError
    assert chromium_threads() == []


def test_a_missing_browser_is_reported_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block runs without a browser."""
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with BackgroundBrowser() as background, pytest.raises(BrowserMissing, match="/nowhere/chromium does not start"):
        background.run(lambda running: running.screenshot(TEXT, VIEWS[0]))
    assert chromium_threads() == []
