"""What a page looks like in Chromium: pictures of it, its width, what axe-core finds.

The only user of Playwright. No request leaves the machine: pictures come from the site's own media
folder, or are a grey box of the same size.
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

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
)
_GREY: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="675"><rect width="100%" height="100%" fill="#8d99a6"/>'
    '<path d="M0 675 L420 260 L700 520 L860 400 L1200 675 Z" fill="#77838f"/><circle cx="930" cy="190" r="80" fill="#a5b0bb"/></svg>'
)
#: Milliseconds that a page may take.
_PATIENCE: Final = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """A width of the window, a colour scheme, pictures on or off."""

    #: ``phone`` or ``desktop``.
    name: str
    #: Pixels.
    width: int
    dark: bool = False
    pictures: bool = True

    @property
    def label(self) -> str:
        """As in ``phone-dark-no-pictures``."""
        return "-".join(
            [self.name, "dark" if self.dark else "light", *([] if self.pictures else ["no-pictures"])],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessibilityViolation:
    """Something serious or critical that axe-core finds."""

    #: axe-core's own name of the rule.
    rule: str
    message: str
    #: The elements, as selectors.
    selectors: tuple[str, ...]


def _program() -> str | None:
    return os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)


class Browser:
    """A running Chromium. ``with Browser(…) as browser: browser.look(html, view)``.

    Args:
        media: address of a picture → its bytes and media type, None where they are not at hand.

    Raises:
        BrowserMissing: there is no Chromium, or no Playwright to drive it.
    """

    def __init__(self, media: Callable[[str], tuple[bytes, str] | None] = lambda url: None) -> None:
        program = _program()
        if program is None:
            raise BrowserMissing("there is no Chromium: install it, or name it in the environment variable CHROMIUM")
        if util.find_spec("playwright") is None:
            raise BrowserMissing("there is no Playwright: pip install 'publisher[preview]'")
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
            color_scheme="dark" if view.dark else "light",
            java_script_enabled=True,
        )
        page.set_default_timeout(_PATIENCE)
        page.route("**/*", lambda route: self._answer(route, view.pictures))
        page.set_content(html, wait_until="load")
        return page

    def _answer(self, route: Any, pictures: bool) -> None:
        if route.request.resource_type != "image" or not pictures:
            route.abort()
            return
        found = self._media(route.request.url)
        body, kind = found if found is not None else (_GREY.encode(), "image/svg+xml")
        route.fulfill(body=body, content_type=kind)

    def screenshot(self, html: str, view: Viewport) -> bytes:
        """Return the whole page as a PNG."""
        page = self._page(html, view)
        try:
            shot: bytes = page.screenshot(full_page=True)
            return shot
        finally:
            page.close()

    def horizontal_overflow(self, html: str, view: Viewport) -> int:
        """Return by how many pixels the page is wider than its window."""
        page = self._page(html, view)
        try:
            return max(0, int(page.evaluate("document.documentElement.scrollWidth")) - view.width)
        finally:
            page.close()

    def accessibility_violations(self, html: str, view: Viewport) -> list[AccessibilityViolation]:
        """Return what axe-core finds serious or critical."""
        page = self._page(html, view)
        try:
            axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
            page.evaluate(axe)
            found: Mapping[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        finally:
            page.close()
        return [
            AccessibilityViolation(
                rule=one["id"],
                message=one["help"],
                selectors=tuple(escape(str(node["target"][0]), quote=False) for node in one["nodes"]),
            )
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
