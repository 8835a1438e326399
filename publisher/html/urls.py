"""URLs and slugs: safe links, absolute links, percent-encoding. Pure."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from urllib.parse import quote, urljoin

__all__ = ["absolute_urls", "safe_url", "slugify", "url_path"]
#: A start tag as nh3 writes it: attribute values always in double quotes.
_START_TAG = re.compile(r'<[a-z][^<>"]*(?:"[^"]*"[^<>"]*)*>')
_URL_ATTRIBUTE = re.compile(r' (href|src|cite|poster)="([^"]*)"')
_NOT_IN_SLUG = re.compile(r"[^\w]+")
_LONGEST_SLUG = 80


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
