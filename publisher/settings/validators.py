"""Validators of text settings: each returns the value to use, or raises ValueError."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import AfterValidator

from publisher.cadence import find_zone
from publisher.model.hosts import ascii_host, ascii_url
from publisher.model.mailbox import parse_mailbox


def matching(pattern: re.Pattern[str], requirement: str) -> AfterValidator:
    """Accept text that a regular expression matches as a whole."""

    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise ValueError(requirement)
        return value

    return AfterValidator(check)


def one_line(value: str) -> str:
    """Reject line ends and control characters."""
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("must be one line without control characters")
    return value


def address(value: str) -> str:
    """Accept an address with or without a name; return RFC 5322 text with an ASCII domain."""
    return str(parse_mailbox(one_line(value)))


def sender(value: str) -> str:
    """Accept a sender address.

    Its local part must be ASCII: few servers accept others (RFC 6531).
    """
    mailbox = parse_mailbox(one_line(value))
    if not mailbox.address.isascii():
        raise ValueError("must have only ASCII characters before the @, as in news@example.org")
    return str(mailbox)


def host(value: str) -> str:
    """Accept a host name; return it in lower-case ASCII."""
    return ascii_host(one_line(value.strip())).lower()


def zone(value: str) -> str:
    """Accept a name of the tz database."""
    if find_zone(value) is None:
        raise ValueError("must be a time zone of the tz database, as in Europe/London or UTC")
    return value


def base_url(value: str) -> str:
    """Accept an absolute URL without query; return it with an ASCII host and no final slash."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an absolute URL, as in https://example.org, without ? or #")
    return ascii_url(value.rstrip("/"))


def http_url(value: str) -> str:
    """Accept an absolute http or https URL; return it with an ASCII host."""
    if not re.fullmatch(r"https?://[^\s\"'<>\\]+", value):
        raise ValueError("must be an absolute URL, as in https://example.org/page")
    return ascii_url(value)


def link(value: str) -> str:
    """Accept an http, https or mailto URL; return it with an ASCII host."""
    if value.startswith("mailto:") and re.fullmatch(r"mailto:[^\s<>\"@]+@[^\s<>\"]+", value):
        before, query_mark, query = value.partition("?")
        local, _, domain = before.rpartition("@")
        return f"{local}@{ascii_host(domain)}{query_mark}{query}" if local else value
    return http_url(value)


def slug(value: str) -> str:
    """Accept a name that is safe in a URL and a file name."""
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
    """Accept the number of articles in a feed."""
    if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000):
        raise ValueError('must be a whole number from 1 to 100000, or "all"')
    return value
