"""Text and HTML, pure: cleaning, sanitising, absolute addresses, direction, plain text.

The only user of nh3. Nothing here reads a file, a socket or a clock.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin

from publisher.elements import limit_attributes, limit_depth

if TYPE_CHECKING:
    import nh3

__all__ = [
    "MAX_DEPTH",
    "absolute_urls",
    "clean_characters",
    "direction",
    "display_width",
    "excerpt",
    "language_direction",
    "one_line",
    "paragraphs_to_html",
    "plain_text",
    "safe_url",
    "sanitise",
    "slugify",
    "stands_in",
    "url_path",
    "wrap",
]

#: What no XML 1.0 document can carry (https://www.w3.org/TR/xml/#charsets), C1 controls and
#: the other noncharacters of the basic plane, which are never meant either.
_UNCARRIABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_ASCII_CONTROLS: Final = bytes(number for number in (*range(32), 127) if chr(number) not in "\t\n\r")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|\x85|\u2028|\u2029")
_SPACES = re.compile(r"\s+")

_TAGS: Final = {
    *[
        "a",
        "abbr",
        "address",
        "article",
        "aside",
        "audio",
        "b",
        "bdi",
        "bdo",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
    ],
    *[
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
    ],
    *[
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "section",
        "small",
        "source",
        "span",
        "strong",
        "sub",
        "summary",
    ],
    *["sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "u", "ul", "var", "video", "wbr"],
}
#: ``style`` and ``class`` are left out on purpose: foreign style poisons the inliner and
#: breaks readers' layouts.
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
#: Elements inside each other; what is deeper keeps its text and loses its tags.
MAX_DEPTH: Final = 100
_LONG_TAG: Final = 500
_MAX_ATTRIBUTES: Final = 100
_SCHEMES: Final = {"http", "https", "mailto", "tel"}

#: What a line may be broken between: a wide character, a word, white space.
_PIECE = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]"
    r"|[^\s\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]+"
    r"|\s+"
)
_FRAME = re.compile(r"(<(?:iframe|embed)\b[^<>]*>)(?:\s*</(?:iframe|embed)\s*>)?", re.IGNORECASE)
_FRAME_SOURCE = re.compile(r"""\ssrc\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s<>"']+))""", re.IGNORECASE)
#: A start tag as nh3 writes it: attribute values always in double quotes.
_START_TAG = re.compile(r'<[a-z][^<>"]*(?:"[^"]*"[^<>"]*)*>')
_URL_ATTRIBUTE = re.compile(r' (href|src|cite|poster)="([^"]*)"')
_ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)\b[^<>"]*(?:"[^"]*"[^<>"]*)*>')
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    ]
)
_RTL_LANGUAGES: Final = frozenset(
    ["ar", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"]
)
_NOT_IN_SLUG = re.compile(r"[^\w]+")
_LONGEST_SLUG = 80


def clean_characters(text: str) -> tuple[str, int, int]:
    r"""Return the text with characters that no feed can carry taken out.

    Line ends become ``\n`` and the text is composed (NFC), both without a word.

    Returns:
        The text; how many control characters and noncharacters were dropped; how many lone
        surrogates were replaced by U+FFFD.
    """
    if text.isascii():
        # The usual case of a long body: a hundred times faster than the pattern.
        raw = text.encode()
        kept = raw.translate(None, _ASCII_CONTROLS)
        dropped = len(raw) - len(kept)
        if b"\r" in kept:
            kept = kept.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return kept.decode(), dropped, 0
    text, replaced = _SURROGATE.subn("\ufffd", text)
    text = unicodedata.normalize("NFC", text)
    text = _LINE_ENDS.sub("\n", text)
    text, dropped = _UNCARRIABLE.subn("", text)
    return text, dropped, replaced


def one_line(text: str) -> str:
    """Return the text on one line, single spaces between words, U+00A0 counted as a space."""
    return _SPACES.sub(" ", text).strip()


def sanitise(source: str) -> str:
    """Return the HTML that feeds and pages may carry: well-formed, no script, no style.

    ``dir``, ``lang`` and ``id`` (footnotes) are kept; addresses with a scheme other than
    http, https, mailto and tel are dropped. Relative addresses stay relative. An embedded frame (a
    video) becomes a link to it: taken out without a word, the article would lack a part.
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
    address = html.unescape(source[1] or source[2] or source[3] or "").strip()
    if address.startswith("//"):
        address = "https:" + address
    if safe_url(address) is None:
        return ""
    shown = address.partition("://")[2].partition("?")[0]
    return f'<p><a href="{html.escape(address)}">{html.escape(shown)}</a></p>'


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


def safe_url(value: str, base: str = "") -> str | None:
    """Return the address made absolute against ``base``, or None where it may not be linked to.

    Only http and https pass: a headline must not open ``javascript:`` or ``file:``.
    """
    try:
        joined = urljoin(base, value.strip())
    except ValueError:
        return None
    if not re.match(r"https?://[^/\s\"'<>\\]+", joined, re.IGNORECASE):
        return None
    return quote(joined, safe="!#$%&'()*+,/:;=?@[]~-._")


def absolute_urls(source: str, base: str) -> str:
    """Return sanitised HTML with every relative address, ``#fn1`` included, joined to ``base``.

    Readers resolve relative addresses against whatever they please, so feeds carry none.
    """

    def joined(match: re.Match[str]) -> str:
        name, value = match.groups()
        try:
            absolute = urljoin(base, html.unescape(value))
        except ValueError:
            return ""
        return f' {name}="{html.escape(absolute)}"'

    def in_tag(match: re.Match[str]) -> str:
        return _URL_ATTRIBUTE.sub(joined, match[0])

    return _START_TAG.sub(in_tag, source)


def paragraphs_to_html(paragraphs: Iterable[str]) -> str:
    """Return plain paragraphs as HTML. Text is text: ``<b>`` is shown, not obeyed."""
    return "\n".join(
        f'<p dir="rtl">{html.escape(text, quote=False)}</p>'
        if not text.isascii() and direction(text) == "rtl"
        else f"<p>{html.escape(text, quote=False)}</p>"
        for text in paragraphs
    )


def plain_text(source: str) -> str:
    """Return the text of sanitised HTML, one line a block, nothing between blocks twice."""

    def gap(match: re.Match[str]) -> str:
        return "\n" if match[2] in _BLOCKS else ""

    lines = html.unescape(_ANY_TAG.sub(gap, source)).split("\n")
    return "\n".join(line for line in map(one_line, lines) if line)


def excerpt(text: str, words: int) -> str:
    """Return the first ``words`` words on one line, with ``…`` where something was cut."""
    found = text.split(maxsplit=words)
    if len(found) <= words:
        return " ".join(found)
    return " ".join(found[:words]).rstrip(",;:–—-") + "…"


def direction(text: str) -> str:
    """Return ``rtl`` or ``ltr`` by the first strong character (Unicode UAX #9, rules P2 and P3)."""
    if text.isascii():
        return "ltr"
    for character in text:
        strong = unicodedata.bidirectional(character)
        if strong == "L":
            return "ltr"
        if strong in ("R", "AL"):
            return "rtl"
    return "ltr"


def language_direction(tag: str) -> str:
    """Return ``rtl`` or ``ltr`` for a BCP 47 language, by its script subtag if it has one."""
    parts = tag.lower().split("-")
    if any(part in ("arab", "hebr", "thaa", "nkoo", "syrc", "adlm") for part in parts[1:]):
        return "rtl"
    return "rtl" if parts[0] in _RTL_LANGUAGES and "latn" not in parts else "ltr"


def stands_in(phrase: str, text: str) -> bool:
    """Tell whether the text has the phrase as whole words; a regex would take 20 times as long."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        before, after = text[at - 1 : at], text[end : end + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            return True
        at = text.find(phrase, at + 1)
    return False


def slugify(label: str) -> str:
    """Return a file and address name for a label: lower case, words joined by ``-``.

    Letters of every script are kept. A label without letters or digits, and what passes 80
    bytes, gets a short hash of the label instead, so that no two of them collide by accident.
    """
    text = unicodedata.normalize("NFKC", label).casefold()
    text = re.sub(r"['’ʼ]", "", text)
    slug = _NOT_IN_SLUG.sub("-", text).strip("-_")
    if slug and len(slug.encode()) <= _LONGEST_SLUG:
        return slug
    mark = hashlib.sha256(label.encode()).hexdigest()[:8]
    head = slug.encode()[: _LONGEST_SLUG - 9].decode(errors="ignore").rstrip("-_")
    return f"{head}-{mark}" if head else mark


def url_path(path: str) -> str:
    """Return a path percent-encoded for an address (RFC 3986), slashes kept."""
    return quote(path, safe="/-._~@")


def display_width(text: str) -> int:
    """Return how many terminal columns the text takes (Unicode UAX #11; marks take none)."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in ("W", "F")
        else 1
        for character in text
    )


def wrap(text: str, width: int = 72) -> str:
    """Return the text wrapped to ``width`` columns, wide characters counted as two; its own line ends stay.

    A word longer than a line (an address) stays whole: broken, it could not be followed.
    Scripts without spaces are broken between wide characters.
    """
    if "\n" in text:
        return "\n".join(wrap(line, width) for line in text.split("\n"))
    lines: list[str] = []
    line, used = "", 0
    for piece in _PIECE.findall(text):
        word = " " if piece.isspace() else piece
        taken = display_width(word)
        if used + taken > width and line:
            lines.append(line.rstrip())
            line, used = "", 0
        if word != " " or line:
            line, used = line + word, used + taken
    return "\n".join([*lines, line.rstrip()] if line.strip() else lines)
