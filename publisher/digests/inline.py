"""``<style>`` → ``style=``, by premailer, with its faults fenced.

The only user of premailer and cssutils. Each fence has a test that shows the fault behind it.
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

__all__ = ["OPTIONS", "inline_css"]

#: How premailer is asked. The tests inline with plain premailer and these options, and compare.
OPTIONS: Final[dict[str, Any]] = {
    # <link rel=stylesheet> is fetched by default.
    "allow_network": False,
    # Otherwise !important is stripped from media queries too, where dark mode needs it.
    "strip_important": False,
    # "height:auto" would overwrite <img height="320">, and "calc(…)" be written as a width.
    "disable_basic_attributes": ["width", "height"],
    "keep_style_tags": False,
    # It changes no byte: values that cssutils does not know pass all the same. It compiles patterns for half of the
    # time that the first page of a process takes.
    "disable_validation": True,
    "cssutils_logging_level": logging.CRITICAL,
}

_CACHE_SIZE: Final = 4096
_LOCK: Final = threading.RLock()
_DOCTYPE: Final = re.compile(r"\A\s*<!doctype html>", re.IGNORECASE)
#: lxml writes an attribute that holds a double quote in single ones.
_TAG: Final = re.compile(r"""<[!/a-z](?:[^<>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)


@lru_cache(_CACHE_SIZE)
def _compile_selector(selector: str) -> Any:
    return premailer.premailer.CSSSelector(selector)


@lru_cache(_CACHE_SIZE)
def _parse_declarations(text: str, validate: bool = True) -> list[tuple[str, str]]:
    style = cssutils.parseStyle(text, validate=validate)
    return [(one.name.strip(), premailer.merge_style.format_value(one)) for one in style]


def _separate_caches() -> None:
    """Give each of premailer's cached functions a cache of its own.

    premailer keeps selectors and declarations in one process-wide cache under the same keys:
    ``<p style="h3">`` in one article breaks ``h3`` in every later digest until a restart. Its
    128 places also thrash on any theme of a usual size.
    """
    premailer.premailer._create_cssselector = _compile_selector  # noqa: SLF001
    premailer.premailer.csstext_to_pairs = _parse_declarations
    premailer.merge_style.csstext_to_pairs = _parse_declarations


_separate_caches()


def _fetch_nothing(_: str) -> None:
    """Refuse what ``@import`` names. cssutils' own fetcher opens sockets and files whatever premailer is told."""
    return


class _Inliner(Premailer):  # type: ignore[misc]
    """premailer with the rules of a style sheet taken apart once a process, not once a digest."""

    #: Style sheet and its number in the document → what premailer made of it.
    _parsed: ClassVar[dict[tuple[str, int], tuple[list[Any], list[Any], str]]] = {}

    def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
        return cssutils.CSSParser(fetcher=_fetch_nothing, validate=validate, loglevel=logging.CRITICAL).parseString(
            css_body
        )

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


#: ``td``, ``.card``, ``p.lead.wide``: what such a selector matches is said by the element's own start tag.
_SIMPLE_SELECTOR: Final = re.compile(r"(?P<tag>[a-z][a-z0-9]*)?(?P<classes>(?:\.[A-Za-z_][\w-]*)*)")
#: Start tags that are remembered for a style sheet; our templates have a hundred.
_MAX_CACHED_TAGS: Final = 4096
#: What an element gets: its ``style``, and attributes that say the same; None where no rule matches it.
_ElementStyle = tuple[str, tuple[tuple[str, str], ...]] | None


class _FastInliner(_Inliner):
    """premailer for style sheets of simple selectors, with the same bytes in a third of the time.

    premailer asks the whole document for every rule. Where all selectors are simple, what an
    element gets is a function of its tag, class and ``style``: it is worked out once for each, by
    premailer's own merging, and looked up from then on.
    """

    #: The rules of a document → (tag, class, style) → what such an element gets.
    _known: ClassVar[dict[tuple[Any, ...], dict[tuple[str, str, str], _ElementStyle]]] = {}

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
        """Return the inlined document, or None where a selector is not simple."""
        self.transform()
        rules = sorted(self._rules, key=operator.itemgetter(0))
        if not all(_SIMPLE_SELECTOR.fullmatch(selector) for _, selector, _ in rules):
            return None
        key = tuple((selector, style) for _, selector, style in rules)
        if key not in self._known and len(self._known) >= 64:
            self._known.clear()
        known = self._known.setdefault(key, {})
        if len(known) > _MAX_CACHED_TAGS:
            known.clear()
        for element in self._tree.iter("*"):
            start = (element.tag, element.get("class", ""), element.get("style", ""))
            if start not in known:
                known[start] = self._given(rules, *start)
            given = known[start]
            if given is not None:
                style, attributes = given
                if style:
                    element.set("style", style)
                for name, value in attributes:
                    element.set(name, value)
        doctype: str = self._tree.docinfo.doctype  # type: ignore[union-attr]
        root = self._tree if self._source.startswith(doctype) else self._tree.getroot()
        return str(etree.tostring(root, method=self.method, pretty_print=False, encoding="utf-8").decode())

    def _given(self, rules: list[Any], tag: str, classes: str, style: str) -> _ElementStyle:
        has = set(classes.split())
        found = []
        for _, selector, text in rules:
            match = _SIMPLE_SELECTOR.fullmatch(selector)
            assert match is not None
            if match["tag"] in (None, tag) and has.issuperset(match["classes"].split(".")[1:]):
                found.append(_parse_declarations(text, validate=not self.disable_validation))
        if not found:
            return None
        merged: str = premailer.merge_style.merge_styles(
            style, found, [""] * len(found), remove_unset_properties=self.remove_unset_properties
        )
        stand_in = etree.Element(tag)
        self._style_to_basic_html_attributes(stand_in, merged, force=True)
        return merged, tuple((str(name), str(value)) for name, value in stand_in.attrib.items())


def inline_css(source: str) -> str:
    """Return the document with its style sheets moved into ``style`` attributes.

    ``<style data-premailer="ignore">`` stays as it is, for dark mode and phones. The result
    opens no socket and no file, and says the same words as the source.

    Args:
        source: a whole HTML document of our own templates. Foreign ``style`` must not be in it.

    Raises:
        TemplateError: a style sheet cannot be understood, or text was lost on the way (libxml2
            drops what stands 256 elements deep).
    """
    # A lower-case doctype is dropped, and Outlook falls into quirks mode.
    source = _DOCTYPE.sub("<!DOCTYPE html>", source)
    with _LOCK:
        try:
            result = _FastInliner(source).inline() or str(_Inliner(source, **OPTIONS).transform(pretty_print=False))
        except Exception as error:
            raise TemplateError(f"the style sheet of the template cannot be inlined: {error}") from error
    if source.startswith("<!DOCTYPE") and not result.startswith("<!DOCTYPE"):
        raise TemplateError("the inliner dropped the doctype; begin the template with <!DOCTYPE html>")
    if _visible_text(result) != _visible_text(source):
        raise TemplateError("the inliner lost text; the template nests elements too deep, or does not close them")
    return result


def _visible_text(source: str) -> str:
    visible, *rest = source.split("<!--")
    # A comment without an end is none.
    visible += "".join(
        " " + (after if end else f"<!--{text}") for text, end, after in (one.partition("-->") for one in rest)
    )
    visible = replace_elements(visible, ("style", "script", "title"), lambda _, __: " ")
    return one_line(html.unescape(_TAG.sub(" ", visible)))
