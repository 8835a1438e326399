"""Screenshots, overflow and accessibility of pages in headless Chromium.

The only module that uses Playwright. No request leaves the machine: images come from the site's media
folder, or are replaced by a grey placeholder.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from importlib import resources, util
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from publisher.errors import BrowserMissing

_Result = TypeVar("_Result")

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
)
_PLACEHOLDER_IMAGE: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="675"><rect width="100%" height="100%" fill="#8d99a6"/>'
    '<path d="M0 675 L420 260 L700 520 L860 400 L1200 675 Z" fill="#77838f"/><circle cx="930" cy="190" r="80" fill="#a5b0bb"/></svg>'
)
_TIMEOUT_MILLISECONDS: Final = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """A window width, a colour scheme, and whether images are loaded."""

    #: ``phone`` or ``desktop``.
    name: str
    #: Pixels.
    width: int
    is_dark: bool = False
    loads_images: bool = True

    @property
    def label(self) -> str:
        """Return a name for files and messages, as in ``phone-dark-no-images``."""
        return "-".join(
            [self.name, "dark" if self.is_dark else "light", *([] if self.loads_images else ["no-images"])],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessibilityViolation:
    """A serious or critical violation that axe-core reports."""

    #: ID of the rule in axe-core.
    rule: str
    message: str
    #: CSS selectors of the elements.
    selectors: tuple[str, ...]


def _program() -> str | None:
    return os.environ.get("CHROMIUM") or next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


class Browser:
    """A running Chromium: ``with Browser(…) as browser: browser.screenshot(html, view)``.

    Args:
        media: returns the bytes and the media type of an image URL, or None if the image is not available.

    Raises:
        BrowserMissing: Chromium or Playwright is not installed.
    """

    def __init__(self, media: Callable[[str], tuple[bytes, str] | None] = lambda url: None) -> None:
        program = _program()
        if program is None:
            raise BrowserMissing("Chromium was not found. Install it, or set the environment variable CHROMIUM")
        if util.find_spec("playwright") is None:
            raise BrowserMissing("Playwright is not installed. Run: pip install 'publisher[browser]'")
        self._media = media
        self._program = program
        self._image_requests = 0

    def __enter__(self) -> Self:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        try:
            self._chromium = self._playwright.chromium.launch(executable_path=self._program, args=list(_ARGUMENTS))
        except Exception as error:
            self._playwright.stop()
            message = str(error).partition("\n")[0]
            raise BrowserMissing(f"{self._program} does not start: {message}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._chromium.close()
        self._playwright.stop()

    @contextmanager
    def _page(self, html: str, view: Viewport) -> Iterator[Any]:
        page = self.new_page(loads_images=view.loads_images)
        try:
            self._show(page, html, view)
            yield page
        finally:
            page.close()

    def new_page(self, *, loads_images: bool) -> Any:
        """Return a new page, with the images of the site or without any; the caller closes it."""
        page = self._chromium.new_page()
        page.set_default_timeout(_TIMEOUT_MILLISECONDS)
        page.route("**/*", lambda route: self._serve_image(route, loads_images))
        return page

    def _show(self, page: Any, html: str, view: Viewport) -> None:
        page.set_viewport_size({"width": view.width, "height": 800})
        page.emulate_media(color_scheme="dark" if view.is_dark else "light")
        page.set_content(html, wait_until="load")

    def _serve_image(self, route: Any, loads_images: bool) -> None:
        self._image_requests += route.request.resource_type == "image"
        if route.request.resource_type != "image" or not loads_images:
            route.abort()
            return
        image = self._media(route.request.url)
        body, kind = image if image is not None else (_PLACEHOLDER_IMAGE.encode(), "image/svg+xml")
        route.fulfill(body=body, content_type=kind)

    def _picture(self, page: Any) -> bytes:
        """Return the whole page as a PNG. Playwright's own method takes three times as long."""
        session = page.context.new_cdp_session(page)
        try:
            size = session.send("Page.getLayoutMetrics")["cssContentSize"]
            options = {"captureBeyondViewport": True, "optimizeForSpeed": True, "clip": {**size, "scale": 1}}
            return base64.b64decode(session.send("Page.captureScreenshot", options)["data"])
        finally:
            session.detach()

    def screenshot(self, html: str, view: Viewport) -> bytes:
        """Return the whole page as a PNG."""
        with self._page(html, view) as page:
            return self._picture(page)

    def screenshots(self, html: str, views: Sequence[Viewport]) -> Iterator[tuple[Viewport, bytes]]:
        """Yield each view with the whole page as a PNG: first the views with images, then those without.

        Views share a page, because creating one takes longer than rendering it. If no image is requested, a view
        without images gets the picture of the view with them.
        """
        pictures: dict[tuple[int, bool], bytes] = {}
        requests_before = self._image_requests
        for view, picture in self._in_one_page(html, [view for view in views if view.loads_images]):
            pictures[view.width, view.is_dark] = picture
            yield view, picture
        if self._image_requests > requests_before:
            pictures = {}
        rest = [view for view in views if not view.loads_images]
        same = {view: pictures[view.width, view.is_dark] for view in rest if (view.width, view.is_dark) in pictures}
        yield from same.items()
        # A page of their own: Chromium may show an image that is in its memory.
        yield from self._in_one_page(html, [view for view in rest if view not in same])

    def _in_one_page(self, html: str, views: Sequence[Viewport]) -> Iterator[tuple[Viewport, bytes]]:
        if not views:
            return
        page = self.new_page(loads_images=views[0].loads_images)
        try:
            for view in views:
                self._show(page, html, view)
                yield view, self._picture(page)
        finally:
            page.close()

    def horizontal_overflow(self, html: str, view: Viewport) -> int:
        """Return by how many pixels the page is wider than the window."""
        with self._page(html, view) as page:
            return max(0, int(page.evaluate("document.documentElement.scrollWidth")) - view.width)

    def accessibility_violations(self, html: str, view: Viewport) -> list[AccessibilityViolation]:
        """Return the serious and critical violations that axe-core reports."""
        with self._page(html, view) as page:
            page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
            report: Mapping[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            AccessibilityViolation(
                rule=violation["id"],
                message=violation["help"],
                selectors=tuple(escape(str(node["target"][0]), quote=False) for node in violation["nodes"]),
            )
            for violation in report["violations"]
            if violation["impact"] in ("serious", "critical")
        ]


class BackgroundBrowser:
    """A Chromium that starts in a thread of its own: ``with BackgroundBrowser(…) as browser: browser.run(…)``.

    Objects of Playwright belong to the thread that created them, so all functions run in that thread.
    """

    def __init__(self, media: Callable[[str], tuple[bytes, str] | None] = lambda url: None) -> None:
        """Start Chromium; ``run`` reports whether that failed. MEDIA is as for ``Browser``."""
        self._thread = ThreadPoolExecutor(1, "chromium")
        self._browser = self._thread.submit(lambda: Browser(media).__enter__())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._thread:
            if self._browser.exception() is None:
                self._thread.submit(self._browser.result().__exit__, kind, error, trace)

    def run(self, function: Callable[[Browser], _Result]) -> _Result:
        """Return what FUNCTION returns for the browser, once it has started.

        Raises:
            BrowserMissing: Chromium or Playwright is not installed, or does not start.
        """
        return self._thread.submit(lambda: function(self._browser.result())).result()
