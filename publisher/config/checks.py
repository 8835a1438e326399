"""What a setting's text must look like. Each check returns the text or says what is allowed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

__all__ = ["address", "base_url", "http_url", "link", "one_line", "zone"]


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
