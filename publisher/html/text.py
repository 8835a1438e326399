"""Plain text: clean, wrap and shorten it, extract it from HTML, and count things in words. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from publisher.html.elements import BLOCK_ELEMENTS

#: Characters that XML 1.0 does not allow (https://www.w3.org/TR/xml/#charsets), C1 controls and the other
#: noncharacters of the basic multilingual plane.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_ASCII_CONTROLS: Final = bytes(number for number in (*range(32), 127) if chr(number) not in "\t\n\r")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|\x85|\u2028|\u2029")
_SPACES = re.compile(r"\s+")

#: Units between which a line may be broken: a wide character, a word, white space.
_PIECE = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]"
    r"|[^\s\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]+"
    r"|\s+"
)
_ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)\b[^<>"]*(?:"[^"]*"[^<>"]*)*>')


def clean_characters(text: str) -> tuple[str, int, int]:
    r"""Remove characters that feeds cannot contain; normalise line ends and Unicode (NFC).

    Returns:
        The text; the number of dropped control characters and noncharacters; the number of lone
        surrogates that were replaced by U+FFFD.
    """
    if text.isascii():
        # bytes.translate is about a hundred times as fast as the regular expression.
        raw = text.encode()
        kept = raw.translate(None, _ASCII_CONTROLS)
        dropped = len(raw) - len(kept)
        if b"\r" in kept:
            kept = kept.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return kept.decode(), dropped, 0
    text, replaced = _SURROGATE.subn("\ufffd", text)
    text = unicodedata.normalize("NFC", text)
    text = _LINE_ENDS.sub("\n", text)
    text, dropped = _FORBIDDEN.subn("", text)
    return text, dropped, replaced


def one_line(text: str) -> str:
    """Return the text on one line with single spaces. U+00A0 counts as a space."""
    return _SPACES.sub(" ", text).strip()


def printable(text: str) -> str:
    """Return the text with spaces in place of line ends and control characters, which a terminal would execute."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def plain_text(source: str) -> str:
    """Return the text of sanitised HTML, with one line per block and no empty lines."""

    def gap(match: re.Match[str]) -> str:
        return "\n" if match[2] in BLOCK_ELEMENTS else ""

    lines = html.unescape(_ANY_TAG.sub(gap, source)).split("\n")
    return "\n".join(line for line in map(one_line, lines) if line)


def excerpt(text: str, words: int) -> str:
    """Return the first WORDS words on one line, with ``…`` if the text is longer."""
    parts = text.split(maxsplit=words)
    if len(parts) <= words:
        return " ".join(parts)
    return " ".join(parts[:words]).rstrip(",;:–—-") + "…"


def count_phrase(count: int, noun: str) -> str:
    """Return ``1 file``, ``12,000 files``, ``2 deliveries``."""
    many = noun[:-1] + "ies" if noun.endswith(("py", "ry")) else noun + "s"
    return f"{count:,} {noun if count == 1 else many}"


def truncate(text: str, most: int) -> str:
    """Return the first MOST characters of a text, the last of them ``…`` if the text is longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def contains_phrase(phrase: str, text: str) -> bool:
    """Return whether the text contains the phrase as whole words."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        before, after = text[at - 1 : at], text[end : end + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            return True
        at = text.find(phrase, at + 1)
    return False


def display_width(text: str) -> int:
    """Return the number of terminal columns of a text (UAX #11; combining marks take none)."""
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
    """Return the text wrapped to WIDTH columns; its own line ends are kept.

    A word longer than a line, such as a URL, is not broken. Scripts without spaces are broken between
    wide characters.
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
