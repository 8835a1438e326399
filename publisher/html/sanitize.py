"""Sanitise HTML for feeds and web pages. Only this module and ``digests.mail_html`` use nh3. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from publisher.html.direction import text_direction
from publisher.html.elements import BLOCK_ELEMENTS, limit_attributes, limit_depth
from publisher.html.urls import safe_url

if TYPE_CHECKING:
    import nh3

_TAGS: Final = {
    *BLOCK_ELEMENTS,
    *["caption", "col", "colgroup", "tbody", "tfoot", "thead"],
    *["audio", "img", "source", "video"],
    *["rp", "rt", "ruby"],
    *["a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q", "s", "samp"],
    *["small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr"],
}
#: Without ``style`` and ``class``: foreign styles break the CSS inliner and the layout of feed readers.
_ATTRIBUTES: Final = {
    "*": {"dir", "lang", "id", "title"},
    "a": {"href", "hreflang"},
    "img": {"src", "alt", "width", "height"},
    "audio": {"src", "controls"},
    "video": {"src", "controls", "poster", "width", "height"},
    "source": {"src", "type"},
    "blockquote": {"cite"},
    "q": {"cite"},
    "ins": {"datetime"},
    "del": {"datetime"},
    "time": {"datetime"},
    "ol": {"start", "reversed", "type"},
    "col": {"span"},
    "colgroup": {"span"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "headers", "scope"},
}
#: Nesting depth of elements. Deeper elements lose their tags and keep their text.
MAX_DEPTH: Final = 100
#: Characters. Shorter tags cannot have too many attributes.
_LONG_TAG: Final = 500
_MAX_ATTRIBUTES: Final = 100
_SCHEMES: Final = {"http", "https", "mailto", "tel"}
_FRAME = re.compile(r"(<(?:iframe|embed)\b[^<>]*>)(?:\s*</(?:iframe|embed)\s*>)?", re.IGNORECASE)
_FRAME_SOURCE = re.compile(r"""\ssrc\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s<>"']+))""", re.IGNORECASE)


def sanitize_html(source: str) -> str:
    """Return HTML that is safe in feeds and pages: well-formed, without scripts and styles.

    ``dir``, ``lang`` and ``id`` (for footnotes) are kept. URLs with a scheme other than http, https,
    mailto and tel are removed. Relative URLs stay relative. An embedded frame, such as a video, becomes a
    link to its URL.
    """
    source, _ = limit_depth(source, MAX_DEPTH)
    source, _ = limit_attributes(source, _LONG_TAG, _MAX_ATTRIBUTES)
    if "<" in source and _FRAME.search(source):
        source = _FRAME.sub(_frame_link, source)
    return _cleaner().clean(source)


def _frame_link(match: re.Match[str]) -> str:
    source = _FRAME_SOURCE.search(match[1])
    if source is None:
        return match[0]
    url = html.unescape(source[1] or source[2] or source[3] or "").strip()
    if url.startswith("//"):
        url = "https:" + url
    if safe_url(url) is None:
        return ""
    label = url.partition("://")[2].partition("?")[0]
    return f'<p><a href="{html.escape(url)}">{html.escape(label)}</a></p>'


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    import nh3

    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        clean_content_tags={"script", "style"},
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def paragraphs_to_html(paragraphs: Iterable[str]) -> str:
    """Return plain-text paragraphs as HTML. Markup in the text is escaped."""
    return "\n".join(
        f'<p dir="rtl">{html.escape(text, quote=False)}</p>'
        if not text.isascii() and text_direction(text) == "rtl"
        else f"<p>{html.escape(text, quote=False)}</p>"
        for text in paragraphs
    )
