"""Reduce sanitized HTML to what all mail clients support, and convert it to plain text with numbered links. Pure."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from publisher.html.elements import replace_elements
from publisher.html.sanitize import paragraphs_to_html
from publisher.html.text import one_line, plain_text
from publisher.html.urls import absolute_urls, safe_url

if TYPE_CHECKING:
    import nh3

_TAGS: Final = {
    *["blockquote", "br", "h3", "h4", "hr", "img", "li", "ol", "p", "pre", "ul"],
    *["table", "tbody", "td", "th", "thead", "tr"],
    *["a", "b", "code", "em", "i", "s", "strong", "sub", "sup", "u"],
}
_CLASSES: Final = {
    "p": "text ink",
    "li": "bullet ink",
    "blockquote": "quote soft",
    "h3": "inner ink",
    "h4": "inner ink",
    "pre": "code ink",
    "table": "data",
    "td": "cell ink",
    "th": "cell ink",
    "a": "link accent",
    "img": "picture muted",
}
#: Elements that become paragraphs in mail.
_TO_PARAGRAPH: Final = re.compile(
    r"<(/?)(?:address|article|aside|caption|dd|details|div|dl|dt|figcaption|figure|footer|header|section|summary)\b[^<>]*>"
)
_HEADING: Final = re.compile(r"<(/?)h([1-6])\b[^<>]*>")
_SOURCE: Final = re.compile(r'\ssrc="([^"]*)"')
_EMPTY: Final = re.compile(r"<(p|li|h3|h4|blockquote)\b[^<>]*>\s*</\1>")
_IMAGE: Final = re.compile(r"<img\b[^<>]*>")
_ATTRIBUTE: Final = re.compile(r'\s([a-z]+)="([^"]*)"')
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)\b[^<>]*>")
_LINK: Final = re.compile(r'\shref="([^"]*)"')
_MAIL_TABLE: Final = '<table class="data" role="table" width="100%" cellpadding="0" cellspacing="0">'
_BETWEEN_CELLS: Final = re.compile(r"</t[dh]>\s*<t[dh]\b[^<>]*>")
_ITEM: Final = re.compile(r"<li\b[^<>]*>(?:\s*<p\b[^<>]*>)?")
_ROW: Final = re.compile(r"<tr\b[^<>]*>\s*(?:<t[dh]\b[^<>]*>)?")
#: Mark the lines of a list or table. Articles contain no control characters.
_ITEM_MARK: Final = "\x02"
_ROW_MARK: Final = "\x03"
#: libxml2 drops text 256 elements deep.
_MAX_DEPTH: Final = 30
_VOID: Final = frozenset(["br", "hr", "img"])


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    import nh3

    return nh3.Cleaner(
        tags=_TAGS,
        attributes={
            "*": {"dir", "lang"},
            "a": {"href"},
            "img": {"src", "alt", "width", "height"},
            "ol": {"start"},
            "td": {"colspan", "rowspan"},
            "th": {"colspan", "rowspan", "scope"},
        },
        # One attribute a tag: the order of several differs between processes.
        set_tag_attribute_values={tag: {"class": name} for tag, name in _CLASSES.items()},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def mail_html(source: str, base: str, width: int) -> str:
    """Return an article's HTML for mail: without IDs and players, with paragraphs and tables as only blocks.

    Headings become lower than the article's title, players become links, images fit the column.

    Args:
        source: sanitized HTML.
        width: the width of the column, in pixels.
    """
    source = replace_elements(source, ("video", "audio"), _player_link)
    source = _TO_PARAGRAPH.sub(lambda match: f"<{match[1]}p>", source)
    source = _HEADING.sub(lambda match: f"<{match[1]}h{3 if int(match[2]) < 3 else 4}>", source)
    cleaned = _cleaner().clean(absolute_urls(source, base))
    cleaned = cleaned.replace('<table class="data">', _MAIL_TABLE)
    cleaned = cleaned.replace('<th class="cell ink">', '<th scope="col" class="cell ink">')
    cleaned = _IMAGE.sub(lambda match: _image(match[0], width), cleaned)
    while (without_empty := _EMPTY.sub("", cleaned)) != cleaned:
        cleaned = without_empty
    if _depth(cleaned) > _MAX_DEPTH:
        plain = paragraphs_to_html(plain_text(cleaned).split("\n"))
        return _cleaner().clean(plain)
    return cleaned.strip()


def _player_link(name: str, element: str) -> str:
    match = _SOURCE.search(element)
    address = html.unescape(match[1]) if match else ""
    shown = address.rpartition("/")[2].partition("?")[0] or address
    verb = "Watch" if name == "video" else "Listen"
    return f'<p><a href="{html.escape(address)}">{verb}: {html.escape(shown)}</a></p>' if address else ""


def _image(tag: str, width: int) -> str:
    """Return the image at most as wide as the column, or its alt text if mail clients cannot fetch it."""
    attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(tag)}
    source = safe_url(attributes.get("src", ""))
    if source is None:
        return html.escape(attributes.get("alt", ""))
    size = ""
    if attributes.get("width", "").isdigit() and int(attributes["width"]):
        shown = min(width, int(attributes["width"]))
        size = f' width="{shown}"'
        if attributes.get("height", "").isdigit() and int(attributes["height"]):
            size += f' height="{max(1, round(shown * int(attributes["height"]) / int(attributes["width"])))}"'
    alt = html.escape(one_line(attributes.get("alt", "")))
    return f'<img class="{_CLASSES["img"]}" src="{html.escape(source)}" alt="{alt}"{size}>'


def _depth(source: str) -> int:
    deepest = depth = 0
    for match in _TAG.finditer(source):
        if match[2] in _VOID:
            continue
        depth += -1 if match[1] else 1
        deepest = max(deepest, depth)
    return deepest


def linked_text(source: str, first: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paragraphs of HTML as plain text with numbers of links (``[3]``), and the URLs of the links.

    A list is one paragraph with a line for each item, a table has a line for each row.

    Args:
        source: HTML of :func:`mail_html`.
        first: the number of the first link.
    """
    numbers: dict[str, int] = {}

    def with_number(_: str, element: str) -> str:
        tag, _, text = element.partition(">")
        link = _LINK.search(tag)
        if link is None:
            return element
        number = numbers.setdefault(html.unescape(link[1]), first + len(numbers))
        return f"{text.rpartition('<')[0]} [{number}]"

    source = replace_elements(source, ("pre",), lambda _, element: element.replace("\n", "<br>"))
    source = _BETWEEN_CELLS.sub(" | ", source.replace("\n", " "))
    source = _ITEM.sub(f"<li>{_ITEM_MARK}- ", source)
    source = _ROW.sub(f"<tr>{_ROW_MARK}", source)
    paragraphs: list[str] = []
    before = ""
    for line in plain_text(replace_elements(source, ("a",), with_number)).split("\n"):
        mark = line[:1] if line[:1] in (_ITEM_MARK, _ROW_MARK) else ""
        text = line.removeprefix(mark).strip()
        if mark and mark == before:
            paragraphs[-1] += "\n" + text
        elif text:
            paragraphs.append(text)
            before = mark
    return tuple(paragraphs), tuple(numbers)
