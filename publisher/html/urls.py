"""URLs and slugs: safe links, absolute links, percent-encoding. Pure."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from urllib.parse import quote, urljoin

#: A start tag as nh3 writes it: attribute values always in double quotes.
_START_TAG = re.compile(r'<[a-z][^<>"]*(?:"[^"]*"[^<>"]*)*>')
_URL_ATTRIBUTE = re.compile(r' (href|src|cite|poster)="([^"]*)"')
_NOT_IN_SLUG = re.compile(r"[^\w]+")
_MAX_SLUG_BYTES = 80


def safe_url(value: str, base: str = "") -> str | None:
    """Return the URL joined to BASE, or None if it is not an http or https URL.

    Links with other schemes, such as ``javascript:`` and ``file:``, are unsafe.
    """
    try:
        joined = urljoin(base, value.strip())
    except ValueError:
        return None
    if not re.match(r"https?://[^/\s\"'<>\\]+", joined, re.IGNORECASE):
        return None
    return quote(joined, safe="!#$%&'()*+,/:;=?@[]~-._")


def absolute_urls(source: str, base: str) -> str:
    """Return sanitised HTML with every relative URL, also ``#fn1``, joined to BASE.

    Feed readers do not agree on the base URL of relative URLs, so feeds must not contain any.
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
    """Return a name for files and URLs: the label in lower case, with words joined by ``-``.

    Letters of every script are kept. A label without letters or digits becomes a short hash, and a label
    of more than 80 bytes is cut and gets the hash as its end, so that two labels do not collide.
    """
    text = unicodedata.normalize("NFKC", label).casefold()
    text = re.sub(r"['’ʼ]", "", text)
    slug = _NOT_IN_SLUG.sub("-", text).strip("-_")
    if slug and len(slug.encode()) <= _MAX_SLUG_BYTES:
        return slug
    short_hash = hashlib.sha256(label.encode()).hexdigest()[:8]
    head = slug.encode()[: _MAX_SLUG_BYTES - 9].decode(errors="ignore").rstrip("-_")
    return f"{head}-{short_hash}" if head else short_hash


def url_path(path: str) -> str:
    """Return a path percent-encoded for a URL (RFC 3986). Slashes are kept."""
    return quote(path, safe="/-._~@")
