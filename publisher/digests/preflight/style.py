"""Compute the colours of elements in light and dark mode, from inline styles and dark mode rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import tinycss2
from cssselect import SelectorError
from lxml.cssselect import CSSSelector
from tinycss2.color3 import parse_color

from publisher.html.colour import contrast

_HIDDEN: Final = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|mso-hide\s*:\s*all)", re.IGNORECASE)
_INVISIBLE_ELEMENTS: Final = frozenset(["script", "style", "title", "head"])
_LARGE_PIXELS: Final = 24.0
_LARGE_BOLD_PIXELS: Final = 18.66


@lru_cache(4096)
def declarations(text: str) -> tuple[tuple[str, str], ...]:
    """Return (property, value) of a ``style`` without ``!important``; the last of several wins."""
    properties = {
        declaration.lower_name: tinycss2.serialize(declaration.value).strip()
        for declaration in tinycss2.parse_blocks_contents(text, skip_comments=True, skip_whitespace=True)
        if declaration.type == "declaration"
    }
    return tuple(properties.items())


def style_sheets(root: Any) -> list[str]:
    """Return the text of every <style> element."""
    return [element.text_content() for element in root.iter("style")]


@lru_cache(16)
def _dark_rules(sheet: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return (selector, declarations) of the dark mode rules of a style sheet, in order."""
    rules = []
    for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True):
        if rule.type != "at-rule" or rule.lower_at_keyword != "media" or rule.content is None:
            continue
        if "prefers-color-scheme:dark" not in re.sub(r"\s", "", tinycss2.serialize(rule.prelude)).lower():
            continue
        for inner in tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True):
            if inner.type == "qualified-rule":
                selector = tinycss2.serialize(inner.prelude).strip()
                rules.append((selector, declarations(tinycss2.serialize(inner.content))))
    return tuple(rules)


def _hex(value: str) -> str | None:
    """Return an opaque colour as ``#rrggbb``, or None."""
    colour = parse_color(value)
    if colour is None or isinstance(colour, str) or colour.alpha < 1:
        return None
    parts = (colour.red, colour.green, colour.blue)
    return "#" + "".join(f"{round(255 * min(1.0, max(0.0, part))):02x}" for part in parts)


class Colours:
    """The colours of the elements of a document."""

    def __init__(self, root: Any, *, dark: bool) -> None:
        self._dark: dict[Any, dict[str, str]] = {}
        self.is_dark = False
        self._cache: dict[tuple[Any, str], str | None] = {}
        if dark:
            for selector, properties in chain.from_iterable(map(_dark_rules, style_sheets(root))):
                self.is_dark = True
                for element in _matching_elements(root, selector):
                    self._dark.setdefault(element, {}).update(properties)

    def _own(self, element: Any, name: str) -> str | None:
        value = self._dark.get(element, {}).get(name)
        if value is None:
            value = dict(declarations(element.get("style") or "")).get(name)
        if value is None and name == "background-color":
            value = element.get("bgcolor")
        return _hex(value) if value else None

    def _inherited(self, element: Any, name: str) -> str | None:
        key = (element, name)
        if key not in self._cache:
            parent = element.getparent()
            own = self._own(element, name)
            self._cache[key] = own or (self._inherited(parent, name) if parent is not None else None)
        return self._cache[key]

    def low_contrast(self, element: Any) -> tuple[str, str, float] | None:
        """Return (text colour, background, contrast) if the contrast is too low, or None."""
        # The default of mail clients is black on white.
        text = self._inherited(element, "color") or "#000000"
        background = self._inherited(element, "background-color") or "#ffffff"
        ratio = contrast(text, background)
        return (text, background, ratio) if ratio < (3.0 if _is_large(element) else 4.5) else None


def _matching_elements(root: Any, selector: str) -> list[Any]:
    try:
        elements: Any = _compile_selector(selector)(root)
    except SelectorError:
        # Mail clients support no selector that cssselect does not support.
        return []
    return list(elements)


@lru_cache(512)
def _compile_selector(text: str) -> CSSSelector:
    return CSSSelector(text, translator="html")


def _is_large(element: Any) -> bool:
    """Return whether text is large (WCAG 2.2: 18 points, or 14 points and bold)."""
    size, bold = None, None
    while element is not None and (size is None or bold is None):
        own = dict(declarations(element.get("style") or ""))
        size = size or own.get("font-size")
        bold = bold or own.get("font-weight") or ("bold" if element.tag in ("strong", "b", "th") else None)
        element = element.getparent()
    match = re.fullmatch(r"([\d.]+)px", size or "")
    pixels = float(match[1]) if match else 16.0
    return pixels >= _LARGE_PIXELS or (
        pixels >= _LARGE_BOLD_PIXELS and bold in ("bold", "bolder", "600", "700", "800", "900")
    )


def text_elements(root: Any) -> Iterator[Any]:
    """Yield the visible elements of the body that contain text directly."""
    body = root.find("body")
    stack = [body] if body is not None else []
    while stack:
        element = stack.pop()
        if (
            not isinstance(element.tag, str)
            or element.tag in _INVISIBLE_ELEMENTS
            or _HIDDEN.search(element.get("style") or "")
        ):
            continue
        own = [element.text, *(child.tail for child in element)]
        if any(text and text.strip("\u200c\u00a0\u034f \t\r\n") for text in own):
            yield element
        stack.extend(reversed(list(element)))
