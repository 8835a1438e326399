"""Checks that all feed formats share: HTML, dates, URLs, titles, link relations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from html.parser import HTMLParser
from typing import Final

from publisher.findings import Finding
from publisher.findings.feed_rules import finding
from publisher.html.elements import VOID_ELEMENTS

#: A simplified language tag (https://www.rfc-editor.org/rfc/rfc5646#section-2.1).
LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
#: The link relations of https://www.iana.org/assignments/link-relations that feeds may use.
RELATIONS: Final = frozenset(
    [
        "about",
        "alternate",
        "author",
        "canonical",
        "cite-as",
        "collection",
        "copyright",
        "current",
        "describedby",
        "edit",
        "edit-media",
        "enclosure",
        "first",
        "hub",
        "icon",
        "item",
        "last",
        "latest-version",
        "license",
        "next",
        "next-archive",
        "payment",
        "prev-archive",
        "previous",
        "preview",
        "privacy-policy",
        "publication",
        "related",
        "replies",
        "search",
        "self",
        "service",
        "shortlink",
        "sponsored",
        "successor-version",
        "tag",
        "up",
        "via",
    ]
)
_UNSAFE: Final = frozenset(
    [
        *["base", "body", "head", "html", "link", "meta", "noscript", "script", "slot", "style", "template", "title"],
        *["applet", "canvas", "embed", "frame", "frameset", "iframe", "math", "object", "svg"],
        *["button", "form", "input", "option", "select", "textarea"],
        *["plaintext", "xmp"],
    ]
)
_URL_ATTRIBUTES: Final = frozenset(
    ["action", "background", "cite", "data", "formaction", "href", "longdesc", "poster", "src"]
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SAFE_SCHEMES: Final = frozenset(["http", "https", "mailto", "tel"])
_RFC822 = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"\d{4} \d\d:\d\d(?::\d\d)? [+-]\d{4}"
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


class _MarkupChecker(HTMLParser):
    """Collects the problems of an article's HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSAFE:
            self.problems.append(("html-safe", f"<{tag}>"))
        for name, value in attrs:
            self._attribute(tag, name, value or "")
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID_ELEMENTS:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag in self.open:
            self.problems.append(("html-closed", f"</{tag}> before </{self.open[-1]}>"))
            while self.open.pop() != tag:
                pass
        else:
            self.problems.append(("html-closed", f"</{tag}> without <{tag}>"))

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on") or name in ("style", "srcdoc"):
            self.problems.append(("html-safe", f"<{tag} {name}>"))
        if name not in _URL_ATTRIBUTES:
            return
        scheme = _SCHEME.match(value.strip())
        if scheme is None:
            self.problems.append(("absolute-url", f'<{tag} {name}="{value[:80]}">'))
        elif scheme[1].lower() not in _SAFE_SCHEMES:
            self.problems.append(("html-safe", f'<{tag} {name}="{scheme[1].lower()}:">'))


@lru_cache(maxsize=4)
def _markup_problems(source: str) -> tuple[tuple[str, str], ...]:
    # The cache helps because each text is checked three times in a row, once for each format.
    if "<" not in source:
        return ()
    checker = _MarkupChecker()
    checker.feed(source)
    checker.close()
    return (*checker.problems, *(("html-closed", f"<{tag}> is never closed") for tag in checker.open))


def html_findings(source: str, line: int | None = None) -> Iterator[Finding]:
    """Yield the violations of an article's HTML."""
    for rule, message in _markup_problems(source):
        yield finding(rule, message, line=line)


def date_findings(
    label: str, date: datetime | None, now: datetime | None, line: int | None = None
) -> Iterator[Finding]:
    """Yield the violation of a date that LABEL names with its text; DATE is None if the text is not a date."""
    if date is None:
        yield finding("date", label, line=line)
    elif now is not None and date > now:
        yield finding("future-date", label, line=line)


def is_absolute_url(url: str) -> bool:
    """Return whether a URL is absolute."""
    return _SCHEME.match(url) is not None


def is_http_url(url: str) -> bool:
    """Return whether a text is an http or https URL without spaces."""
    return re.fullmatch(r"https?://[^\s<>\"]+", url, re.IGNORECASE) is not None


def is_integer_or_missing(text: str | None) -> bool:
    """Return whether a text is a non-negative integer, or None."""
    return text is None or re.fullmatch(r"[0-9]+", text) is not None


def parse_rfc822_date(text: str) -> datetime | None:
    """Return the time of an RFC 822 date with a numeric zone, or None if the text is not one."""
    if not _RFC822.fullmatch(text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # "-0000" means that the zone is unknown.
    return date if date.tzinfo is not None else None


def parse_rfc3339_date(text: str) -> datetime | None:
    """Return the time of an RFC 3339 date, or None if the text is not one."""
    try:
        return datetime.fromisoformat(text) if _RFC3339.fullmatch(text) else None
    except ValueError:
        return None
