"""What a setting's text must look like. Each check returns the text or says what is allowed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

__all__ = ["address", "base_url", "colour", "http_url", "language", "limit", "link", "one_line", "slug", "zone"]


def one_line(value: str) -> str:
    """Refuse line ends and control characters."""
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("must be one line without control characters")
    return value


def address(value: str) -> str:
    """Accept ``news@example.org`` and ``The Review <news@example.org>``."""
    from email.utils import parseaddr

    _, address = parseaddr(one_line(value))
    if not re.fullmatch(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+", address):
        raise ValueError("must be an e-mail address, as in news@example.org or The Review <news@example.org>")
    return value


def zone(value: str) -> str:
    """Accept a name of the tz database."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone of the tz database, as in Europe/London or UTC") from None
    return value


def base_url(value: str) -> str:
    """Accept an absolute address to build others on; return it without a slash at the end."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an absolute address, as in https://example.org, without ? or #")
    return value.rstrip("/")


def http_url(value: str) -> str:
    """Accept an absolute http or https address."""
    if not re.fullmatch(r"https?://[^\s\"'<>\\]+", value):
        raise ValueError("must be an absolute address, as in https://example.org/page")
    return value


def link(value: str) -> str:
    """Accept an http, https or mailto address."""
    if value.startswith("mailto:") and re.fullmatch(r"mailto:[^\s<>\"]+@[^\s<>\"]+", value):
        return value
    return http_url(value)


def slug(value: str) -> str:
    """Accept a name that can stand in an address and on a disk."""
    if len(value) > 80 or not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", value):
        raise ValueError("must be a short name of a-z, 0-9 and single hyphens, as in weekly-review")
    return value


def language(value: str) -> str:
    """Accept a language tag."""
    if not re.fullmatch(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("must be a BCP 47 language tag, as in en or pt-BR")
    return value


def colour(value: str) -> str:
    """Accept a colour."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError("must be a colour as in #9b2335")
    return value.lower()


def limit(value: object) -> object:
    """Accept how many articles a feed carries."""
    if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000):
        raise ValueError('must be a whole number from 1 to 100000, or "all"')
    return value
