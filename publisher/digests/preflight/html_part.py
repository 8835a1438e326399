"""Check the HTML of an issue."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import tinycss2
from lxml import etree
from lxml import html as lxml_html

from publisher.digests.preflight.clients import check_clients
from publisher.digests.preflight.stories import article_of, element_finding, mark_stories
from publisher.digests.preflight.style import Colours, declarations, style_sheets, text_elements
from publisher.digests.size_limit import MAX_HTML_BYTES
from publisher.findings import Finding
from publisher.findings.mail_rules import MAX_STYLE_BYTES, finding
from publisher.html.elements import HEADINGS
from publisher.html.text import display_width, one_line

_MAX_WIDTH_PIXELS: Final = 600
#: The longest word that a phone shows on one line, in columns.
_MAX_WORD_COLUMNS: Final = 30
_MIN_WORDS_PER_IMAGE: Final = 30
_VAGUE_LINK_TEXTS: Final = frozenset(
    ["here", "click here", "read more", "more", "link", "this", "this link", "learn more"]
)
_FORBIDDEN_ELEMENTS: Final = ("script", "form", "iframe", "frame", "object", "embed", "link", "base", "input", "button")
_DUMMY_TEXT: Final = re.compile(
    r"lorem ipsum|\bTK ?TK\b|\bFIXME\b|\[(?:insert|headline|title|name|dek|your)\b[^\]]{0,40}\]|\bplaceholder text\b",
    re.IGNORECASE,
)
_TEMPLATE_CODE: Final = re.compile(r"\{\{.{0,80}?\}\}|\{%.{0,80}?%\}")
_LINK_URL: Final = re.compile(r"(?:https?://[^\s/]+|mailto:[^\s@]+@|tel:\+?\d)")
_UNSUBSCRIBE_WORDS: Final = re.compile(r"unsubscribe|leave this list|opt out", re.IGNORECASE)


def parse_html(source: str) -> Any:
    """Return the root of the document; like mail clients, the parser accepts invalid HTML."""
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        return lxml_html.document_fromstring(source.encode(), parser=parser)
    except etree.ParserError:
        return lxml_html.document_fromstring(b"<html></html>", parser=parser)


def check_html(source: str, stories: Mapping[str, tuple[str, ...]]) -> list[Finding]:
    """Return the violations in the HTML of an issue; STORIES has URL → names of its articles."""
    root = parse_html(source)
    mark_stories(root, stories, is_outside=_is_outside_of_stories)
    findings = list(_size_findings(source, root))
    for rule in _CHECKS:
        findings.extend(rule(root))
    findings.extend(check_clients(root))
    if not source.startswith("<!DOCTYPE html"):
        findings.append(finding("mail-doctype", f"it begins with {source[:20]!r}"))
    return findings


def link_targets(root: Any) -> list[str]:
    """Return the URLs of all links in order, without duplicates."""
    return list(dict.fromkeys(link.get("href", "").strip() for link in root.iter("a") if link.get("href")))


def headings(root: Any) -> list[str]:
    """Return the texts of all headings."""
    return [_spoken_text(heading) for heading in root.iter(*HEADINGS) if _spoken_text(heading)]


def _spoken_text(element: Any) -> str:
    """Return the text of an element for a screen reader: its text and the alt texts of its images."""
    parts = [element.text_content(), *(image.get("alt", "") for image in element.iter("img"))]
    return one_line(" ".join(parts))


def _is_outside_of_stories(element: Any) -> bool:
    """Return whether an element is in the head or the foot of an issue, and never in a story."""
    is_unsubscribe_link = element.tag == "a" and _UNSUBSCRIBE_WORDS.search(_spoken_text(element)) is not None
    return element.tag in ("h1", "address") or is_unsubscribe_link


def _size_findings(source: str, root: Any) -> Iterator[Finding]:
    size = len(source.encode())
    if size > MAX_HTML_BYTES:
        yield finding("html-size", f"{size:,} bytes; the maximum is {MAX_HTML_BYTES:,}")
    sheets = style_sheets(root)
    style = sum(len(sheet.encode()) for sheet in sheets)
    if style > MAX_STYLE_BYTES:
        yield finding("style-size", f"{style:,} bytes; the maximum is {MAX_STYLE_BYTES:,}")
    for sheet in sheets:
        for keyword in _nesting_rules(sheet):
            yield finding("style-nesting", f"@{keyword} contains another @ rule", entry="<style>")


@lru_cache(16)
def _nesting_rules(sheet: str) -> tuple[str, ...]:
    """Return the keyword of each media rule of a style sheet that contains another @ rule."""
    return tuple(
        rule.at_keyword
        for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True)
        if rule.type == "at-rule"
        and rule.lower_at_keyword == "media"
        and any(token.type == "at-keyword" for token in rule.content or ())
    )


def _document_findings(root: Any) -> Iterator[Finding]:
    body = root.find("body")
    elements = [root, *([body] if body is not None else [])]
    for element in elements:
        if not (element.get("lang") or "").strip():
            yield element_finding("mail-language", element, "no lang")
        if element.get("dir") not in ("ltr", "rtl"):
            yield element_finding("mail-direction", element, f"dir is {element.get('dir')!r}")
    title = root.find(".//title")
    if title is None or not one_line(title.text_content()):
        yield finding("mail-title", "no title")
    if not root.xpath("//meta[@name='color-scheme']"):
        yield finding("color-scheme", "no meta color-scheme")
    first = next(iter(body), None) if body is not None else None
    if first is None or "none" not in dict(declarations(first.get("style") or "")).get("display", ""):
        yield finding("preheader", "the first element of the body is not a hidden text")


def _heading_findings(root: Any) -> Iterator[Finding]:
    level = 0
    for heading in root.iter(*HEADINGS):
        own = int(heading.tag[1])
        if own > level + 1:
            yield element_finding("mail-heading", heading, f"h{own} after {f'h{level}' if level else 'none'}")
        level = own
    if not level:
        yield finding("mail-heading", "no heading")


def _table_findings(root: Any) -> Iterator[Finding]:
    for table in root.iter("table"):
        if table.get("role") not in ("presentation", "none", "table") and not table.xpath(".//th"):
            yield element_finding("layout-role", table, f"role is {table.get('role')!r}")


def _script_findings(root: Any) -> Iterator[Finding]:
    for element in root.iter(*_FORBIDDEN_ELEMENTS):
        yield element_finding("scripted", element, f"<{element.tag}>")
    for element in root.xpath("//*[@*[starts-with(name(), 'on')]]"):
        yield element_finding("scripted", element, "an event handler")
    if any("@import" in sheet for sheet in style_sheets(root)):
        yield finding("scripted", "@import", entry="<style>")


def _image_findings(root: Any) -> Iterator[Finding]:
    images = list(root.iter("img"))
    for image in images:
        source = image.get("src") or ""
        if image.get("alt") is None:
            yield element_finding("image-alt", image, f"no alt: {source}")
        if not (image.get("width") or "").isdigit():
            yield element_finding("image-width", image, f"width is {image.get('width')!r}: {source}")
        if not re.match(r"https?://", source):
            yield element_finding("image-url", image, source[:80] or "no src")
    body = root.find("body")
    words = len(body.text_content().split()) if body is not None else 0
    if images and words < _MIN_WORDS_PER_IMAGE * len(images):
        yield finding("words-per-image", f"{words} words, {len(images)} images")


def _contrast_findings(root: Any) -> Iterator[Finding]:
    for rule, dark in (("contrast", False), ("contrast-dark", True)):
        colours = Colours(root, dark=dark)
        if dark and not colours.is_dark:
            continue
        # Once for each article that a setting names: the rule may be silenced for it.
        seen: set[tuple[object, ...]] = set()
        for element in text_elements(root):
            low_contrast = colours.low_contrast(element)
            if low_contrast is not None and (key := (*low_contrast[:2], article_of(element))) not in seen:
                seen.add(key)
                text, background, ratio = low_contrast
                words = one_line(element.text_content())[:40]
                yield element_finding(rule, element, f"{text} on {background} is {ratio:.2f}: {words!r}")


def _pixels(value: str | None) -> float:
    match = re.fullmatch(r"\s*([\d.]+)(?:px)?\s*", value or "")
    return float(match[1]) if match else 0.0


def _overflow_findings(root: Any) -> Iterator[Finding]:
    for element in root.iter("table", "td", "img", "div", "p", "pre"):
        style = dict(declarations(element.get("style") or ""))
        for name, value, most in (
            ("width", element.get("width"), _MAX_WIDTH_PIXELS),
            ("width", style.get("width"), _MAX_WIDTH_PIXELS),
            ("min-width", style.get("min-width"), 320),
        ):
            if _pixels(value) > most:
                yield element_finding("overflow", element, f"{name} {value}")
        if style.get("white-space") in ("nowrap", "pre"):
            yield element_finding("overflow", element, f"white-space: {style['white-space']}")
    for element in text_elements(root):
        long = next((word for word in (element.text or "").split() if display_width(word) > _MAX_WORD_COLUMNS), None)
        if long is not None and not _is_breakable(element):
            yield element_finding("overflow", element, f"{long[:50]!r} cannot be broken")


def _is_breakable(element: Any) -> bool:
    while element is not None:
        style = dict(declarations(element.get("style") or ""))
        if style.get("overflow-wrap") in ("break-word", "anywhere") or style.get("word-wrap") == "break-word":
            return True
        if style.get("word-break") in ("break-all", "break-word"):
            return True
        element = element.getparent()
    return False


def _link_findings(root: Any) -> Iterator[Finding]:
    targets: dict[str, set[str]] = defaultdict(set)
    pairs: set[tuple[str, str]] = set()
    for link in root.iter("a"):
        href = (link.get("href") or "").strip()
        hidden = link.get("aria-hidden") == "true"
        words = one_line(link.get("aria-label") or "") or _spoken_text(link)
        if not href or href == "#" or not (words or hidden):
            yield element_finding("link-empty", link, f"{words!r} leads to {href!r}")
            continue
        if not _LINK_URL.match(href) and not href.startswith("@@"):
            yield element_finding("link-url", link, href[:80])
        if hidden:
            continue
        if words.casefold() in _VAGUE_LINK_TEXTS:
            yield element_finding("link-text", link, f"{words!r} leads to {href}")
        elif (words, href) in pairs:
            yield element_finding("link-duplicate", link, f"{words!r} leads to {href} twice")
        elif targets[words] and href not in targets[words]:
            yield element_finding("link-duplicate", link, f"{words!r} leads to {href} and to {min(targets[words])}")
        targets[words].add(href)
        pairs.add((words, href))


def _footer_findings(root: Any) -> Iterator[Finding]:
    links = [position for position, link in enumerate(root.iter("a")) if _UNSUBSCRIBE_WORDS.search(_spoken_text(link))]
    total = sum(1 for _ in root.iter("a"))
    if not links:
        yield finding("unsubscribe-link", "there is no unsubscribe link")
    elif total > 6 and (links[0] > 3 or links[-1] < total // 2):
        where = "near the top" if links[0] > 3 else "in the footer"
        yield finding("unsubscribe-link", f"there is no unsubscribe link {where}")
    address = root.find(".//address")
    if address is None or not one_line(address.text_content()):
        yield finding("postal-address", "no <address>")


def _text_findings(root: Any) -> Iterator[Finding]:
    for element in text_elements(root):
        text = one_line(" ".join(part for part in (element.text, *(child.tail for child in element)) if part))
        for rule, pattern in (("dummy-text", _DUMMY_TEXT), ("template-code", _TEMPLATE_CODE)):
            match = pattern.search(text)
            if match:
                yield element_finding(rule, element, repr(match[0]))


_CHECKS: Final[tuple[Callable[[Any], Iterator[Finding]], ...]] = (
    _document_findings,
    _heading_findings,
    _table_findings,
    _script_findings,
    _image_findings,
    _contrast_findings,
    _overflow_findings,
    _link_findings,
    _footer_findings,
    _text_findings,
)
