"""Screenshots, overflow and accessibility of pages in headless Chromium.

The only module that uses Playwright. No request leaves the machine: images come from the site's media
folder, or are replaced by a grey placeholder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources, util
from types import TracebackType
from typing import Any, Final, Self

from publisher.errors import BrowserMissing

__all__ = ["AccessibilityViolation", "Browser", "Viewport"]

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
        """Return a name for files and messages, as in ``phone-dark-no-pictures``."""
        return "-".join(
            [self.name, "dark" if self.is_dark else "light", *([] if self.loads_images else ["no-pictures"])],
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
            raise BrowserMissing("Playwright is not installed. Run: pip install 'publisher[preview]'")
        self._media = media
        self._program = program

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

    def _page(self, html: str, view: Viewport) -> Any:
        page = self._chromium.new_page(
            viewport={"width": view.width, "height": 800},
            color_scheme="dark" if view.is_dark else "light",
            java_script_enabled=True,
        )
        page.set_default_timeout(_TIMEOUT_MILLISECONDS)
        page.route("**/*", lambda route: self._serve_image(route, view.loads_images))
        page.set_content(html, wait_until="load")
        return page

    def _serve_image(self, route: Any, loads_images: bool) -> None:
        if route.request.resource_type != "image" or not loads_images:
            route.abort()
            return
        image = self._media(route.request.url)
        body, kind = image if image is not None else (_PLACEHOLDER_IMAGE.encode(), "image/svg+xml")
        route.fulfill(body=body, content_type=kind)

    def screenshot(self, html: str, view: Viewport) -> bytes:
        """Return the whole page as a PNG."""
        page = self._page(html, view)
        try:
            png: bytes = page.screenshot(full_page=True)
            return png
        finally:
            page.close()

    def horizontal_overflow(self, html: str, view: Viewport) -> int:
        """Return by how many pixels the page is wider than the window."""
        page = self._page(html, view)
        try:
            return max(0, int(page.evaluate("document.documentElement.scrollWidth")) - view.width)
        finally:
            page.close()

    def accessibility_violations(self, html: str, view: Viewport) -> list[AccessibilityViolation]:
        """Return the serious and critical violations that axe-core reports."""
        page = self._page(html, view)
        try:
            axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
            page.evaluate(axe)
            report: Mapping[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        finally:
            page.close()
        return [
            AccessibilityViolation(
                rule=violation["id"],
                message=violation["help"],
                selectors=tuple(escape(str(node["target"][0]), quote=False) for node in violation["nodes"]),
            )
            for violation in report["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
