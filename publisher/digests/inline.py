"""Inline style sheets into ``style`` attributes with premailer, and work around its faults.

Only this module uses premailer and cssutils. Each workaround has a test that shows the fault.
"""

from __future__ import annotations

import html
import logging
import operator
import re
import threading
from functools import lru_cache
from typing import Any, ClassVar, Final

import cssutils
import premailer.merge_style
import premailer.premailer
from lxml import etree
from premailer import Premailer

from publisher.errors import TemplateError
from publisher.html.elements import replace_elements
from publisher.html.text import one_line

#: Options of premailer. The tests compare with the result of premailer itself.
OPTIONS: Final[dict[str, Any]] = {
    # <link rel=stylesheet> is fetched by default.
    "allow_network": False,
    # Otherwise premailer also removes !important from media queries, which breaks dark mode.
    "strip_important": False,
    # Otherwise "height:auto" overwrites <img height="320">, and "calc(…)" becomes a width.
    "disable_basic_attributes": ["width", "height"],
    "keep_style_tags": False,
    # Validation changes no byte, because unknown values pass anyway. Its regular expressions take half of the time
    # of the first page in a process.
    "disable_validation": True,
    "cssutils_logging_level": logging.CRITICAL,
}

_CACHE_SIZE: Final = 4096
_LOCK: Final = threading.RLock()
_DOCTYPE: Final = re.compile(r"\A\s*<!doctype html>", re.IGNORECASE)
#: lxml writes attributes that contain a double quote in single quotes.
_TAG: Final = re.compile(r"""<[!/a-z](?:[^<>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)


@lru_cache(_CACHE_SIZE)
def _compile_selector(selector: str) -> Any:
    return premailer.premailer.CSSSelector(selector)


@lru_cache(_CACHE_SIZE)
def _parse_declarations(text: str, validate: bool = True) -> list[tuple[str, str]]:
    style = cssutils.parseStyle(text, validate=validate)
    return [(declaration.name.strip(), premailer.merge_style.format_value(declaration)) for declaration in style]


# premailer stores selectors and declarations in one cache of the process with the same keys: ``<p style="h3">`` in
# one article breaks ``h3`` in every later digest. The cache has 128 entries, too few for most themes.
premailer.premailer._create_cssselector = _compile_selector  # noqa: SLF001
premailer.premailer.csstext_to_pairs = _parse_declarations
premailer.merge_style.csstext_to_pairs = _parse_declarations


class _Inliner(Premailer):  # type: ignore[misc]
    """premailer that parses each style sheet once per process, not once per digest."""

    #: (Style sheet, its number in the document) → premailer's rules, leftover rules and their text.
    _parsed: ClassVar[dict[tuple[str, int], tuple[list[Any], list[Any], str]]] = {}

    def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
        # Ignore @import: the default fetcher of cssutils opens URLs and files whatever premailer's options.
        parser = cssutils.CSSParser(fetcher=lambda _: None, validate=validate, loglevel=logging.CRITICAL)
        return parser.parseString(css_body)

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[list[Any], list[Any]]:
        if not css_body:
            return [], []
        key = (css_body, ruleset_index)
        if key not in self._parsed:
            if len(self._parsed) >= 64:
                self._parsed.clear()
            rules, leftover = super()._parse_style_rules(css_body, ruleset_index)
            text = super()._css_rules_to_string(leftover) if leftover else ""
            self._parsed[key] = (rules, leftover, text)
        rules, leftover, _ = self._parsed[key]
        return list(rules), leftover

    def _css_rules_to_string(self, rules: list[Any]) -> str:
        for _, leftover, text in self._parsed.values():
            if leftover is rules:
                return text
        return str(super()._css_rules_to_string(rules))


#: ``td``, ``.card``, ``p.lead.wide``: selectors that match by the element's own start tag.
_SIMPLE_SELECTOR: Final = re.compile(r"(?P<tag>[a-z][a-z0-9]*)?(?P<classes>(?:\.[A-Za-z_][\w-]*)*)")
#: Cached start tags for a style sheet; the shipped templates have about a hundred.
MAX_CACHED_TAGS: Final = 4096
#: The ``style`` of an element and equivalent attributes; None if no rule matches.
_ElementStyle = tuple[str, tuple[tuple[str, str], ...]] | None


class FastInliner(_Inliner):
    """premailer for style sheets with simple selectors: the same bytes in a third of the time.

    premailer searches the whole document for every rule. If all selectors are simple, the style of an element
    only depends on its tag, class and ``style``. So premailer merges it once for each combination, and a cache
    has it afterwards.
    """

    #: The rules of a document → (tag, class, style) → the style of such an element.
    _styles: ClassVar[dict[tuple[Any, ...], dict[tuple[str, str, str], _ElementStyle]]] = {}

    def __init__(self, source: str) -> None:
        self._source = source.strip()
        self._tree = etree.fromstring(self._source, etree.HTMLParser()).getroottree()
        self._rules: list[Any] = []
        super().__init__(self._tree.getroot(), **OPTIONS)

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[list[Any], list[Any]]:
        rules, leftover = super()._parse_style_rules(css_body, ruleset_index)
        self._rules += rules
        return [], leftover

    def inline(self) -> str | None:
        """Return the inlined document, or None if a selector is not simple."""
        self.transform()
        rules = sorted(self._rules, key=operator.itemgetter(0))
        if not all(_SIMPLE_SELECTOR.fullmatch(selector) for _, selector, _ in rules):
            return None
        key = tuple((selector, style) for _, selector, style in rules)
        if key not in self._styles and len(self._styles) >= 64:
            self._styles.clear()
        styles = self._styles.setdefault(key, {})
        if len(styles) > MAX_CACHED_TAGS:
            styles.clear()
        for element in self._tree.iter("*"):
            start = (element.tag, element.get("class", ""), element.get("style", ""))
            if start not in styles:
                styles[start] = self._style_of(rules, *start)
            cached = styles[start]
            if cached is not None:
                style, attributes = cached
                if style:
                    element.set("style", style)
                for name, value in attributes:
                    element.set(name, value)
        doctype: str = self._tree.docinfo.doctype  # type: ignore[union-attr]
        root = self._tree if self._source.startswith(doctype) else self._tree.getroot()
        return str(etree.tostring(root, method=self.method, pretty_print=False, encoding="utf-8").decode())

    def _style_of(self, rules: list[Any], tag: str, classes: str, style: str) -> _ElementStyle:
        has = set(classes.split())
        matching = []
        for _, selector, text in rules:
            match = _SIMPLE_SELECTOR.fullmatch(selector)
            assert match is not None
            if match["tag"] in (None, tag) and has.issuperset(match["classes"].split(".")[1:]):
                matching.append(_parse_declarations(text, validate=not self.disable_validation))
        if not matching:
            return None
        merged: str = premailer.merge_style.merge_styles(
            style, matching, [""] * len(matching), remove_unset_properties=self.remove_unset_properties
        )
        element = etree.Element(tag)
        self._style_to_basic_html_attributes(element, merged, force=True)
        return merged, tuple((str(name), str(value)) for name, value in element.attrib.items())


def inline_css(source: str) -> str:
    """Return the document with its style sheets inlined into ``style`` attributes.

    ``<style data-premailer="ignore">`` stays unchanged, for dark mode and phones. Nothing is fetched, and the
    text of the document stays the same.

    Args:
        source: an HTML document rendered from a template. Articles in it must have no ``style`` attributes.

    Raises:
        TemplateError: a style sheet is invalid, or text was lost (libxml2 drops text 256 elements deep).
    """
    # premailer drops a lower-case doctype, and Outlook uses quirks mode without one.
    source = _DOCTYPE.sub("<!DOCTYPE html>", source)
    with _LOCK:
        try:
            result = FastInliner(source).inline() or str(_Inliner(source, **OPTIONS).transform(pretty_print=False))
        except Exception as error:
            raise TemplateError(f"the style sheet of the template cannot be inlined: {error}") from error
    if source.startswith("<!DOCTYPE") and not result.startswith("<!DOCTYPE"):
        raise TemplateError("the inliner dropped the doctype. Begin the template with <!DOCTYPE html>")
    if _visible_text(result) != _visible_text(source):
        raise TemplateError("the inliner lost text. The template nests elements too deep, or does not close them")
    return result


def _visible_text(source: str) -> str:
    visible, *rest = source.split("<!--")
    # Text after an unclosed <!-- is visible.
    visible += "".join(
        " " + (after if end else f"<!--{text}") for text, end, after in (part.partition("-->") for part in rest)
    )
    visible = replace_elements(visible, ("style", "script", "title"), lambda _, __: " ")
    return one_line(html.unescape(_TAG.sub(" ", visible)))
