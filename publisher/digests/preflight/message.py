"""Check a message: headers, MIME parts, placeholders, plain text. ``page.py`` checks the HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from publisher.digests.preflight.html_part import check_html, headings, link_targets, parse_html
from publisher.findings import Finding
from publisher.findings.mail_rules import finding
from publisher.html.text import display_width
from publisher.mail.placeholders import PLACEHOLDER_NAMES, placeholders_in

_REQUIRED_HEADERS: Final = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Id",
    "List-Unsubscribe",
    "MIME-Version",
)
_MAX_LINE_BYTES: Final = 998
_MAX_SUBJECT_LENGTH: Final = 78
_MAX_TEXT_COLUMNS: Final = 78
#: Tolerance for the Date header.
_MAX_CLOCK_SKEW: Final = timedelta(minutes=10)
_WHOLE_PLACEHOLDER: Final = re.compile(rf"@@(?:{'|'.join(PLACEHOLDER_NAMES)})\.[0-9a-f]{{12}}@@")
_PARTIAL_PLACEHOLDER: Final = re.compile(rf"@@(?:{'|'.join(PLACEHOLDER_NAMES)})\b|\.[0-9a-f]{{1,12}}@@")
_UNSUBSCRIBE_URLS: Final = re.compile(r"<(?:https?://|mailto:)[^<>\s]+>(?:,\s*<(?:https?://|mailto:)[^<>\s]+>)*")


def check_message(
    data: bytes,
    *,
    now: datetime | None = None,
    variants: Sequence[tuple[str, str]] = (),
    stories: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> list[Finding]:
    """Return the violations of a message, by the rules that need no browser.

    Args:
        now: the current time; None to skip the check of the Date.
        variants: HTML and plain text of each variant, with placeholders.
        stories: URL → names of the articles in the issue, which findings in their stories carry.
    """
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    findings = [*_header_findings(message, data, now), *_line_findings(data)]
    text, source = _part(message, "text/plain"), _part(message, "text/html")
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    if text is None or source is None or kinds.index("text/plain") > kinds.index("text/html"):
        findings.append(finding("text-part", f"the parts are {', '.join(kinds) or 'none'}"))
    findings += _content_findings(text, source, tuple(stories.items()))
    for html, plain in variants:
        findings += _variant_findings(html, plain)
    return findings


@lru_cache(8)
def _content_findings(
    text: str | None, source: str | None, stories: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[Finding, ...]:
    """Return the violations of plain text and HTML. An issue is checked as a draft and again when it is approved."""
    findings: list[Finding] = []
    if source is not None:
        findings += check_html(source, dict(stories))
        findings += _unfilled_findings(source, "HTML")
    if text is not None:
        findings += _unfilled_findings(text, "plain text")
        findings += _width_findings(text)
    if text is not None and source is not None:
        findings += _completeness_findings(text, source)
    return tuple(findings)


def _part(message: Message, kind: str) -> str | None:
    for part in message.walk():
        if part.get_content_type() == kind:
            assert isinstance(part, EmailMessage)
            return str(part.get_content())
    return None


def html_of(data: bytes) -> str | None:
    """Return the HTML of a message, or None."""
    return _part(message_from_bytes(data, policy=policy.default), "text/html")


def _raw_values(data: bytes, name: str) -> list[str]:
    """Return the raw values of a header, unfolded and not decoded."""
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head).decode("latin-1")
    return [
        line.partition(":")[2].strip()
        for line in re.split(r"\r?\n", unfolded)
        if line.partition(":")[0].lower() == name.lower()
    ]


def _header_findings(message: EmailMessage, data: bytes, now: datetime | None) -> Iterator[Finding]:
    for name in _REQUIRED_HEADERS:
        count = len(_raw_values(data, name))
        if count != 1:
            yield finding("header-missing", f"{count} of {name}", entry=name)
    subject = str(message["Subject"] or "").strip()
    if not subject:
        yield finding("subject-empty", "it is empty", entry="Subject")
    elif len(subject) > _MAX_SUBJECT_LENGTH:
        yield finding("subject-length", f"{len(subject)} characters: {subject}", entry="Subject")
    yield from _unsubscribe_findings(data)
    sender = _sender_domain(message)
    id_domain = str(message["Message-ID"] or "").strip("<> ").rpartition("@")[2].lower()
    if sender != id_domain:
        yield finding(
            "message-id", f"its domain is {id_domain or 'missing'}, the sender's is {sender}", entry="Message-ID"
        )
    if str(message["Precedence"] or "") != "bulk" or not message["Auto-Submitted"]:
        yield finding("bulk", f"Precedence is {message['Precedence']}", entry="Precedence")
    yield from _date_findings(_raw_values(data, "Date"), now)


def _sender_domain(message: EmailMessage) -> str:
    """Return the domain of the From header; empty if it has no address."""
    addresses = getattr(message["From"], "addresses", ())
    return addresses[0].domain.lower() if addresses else ""


def _unsubscribe_findings(data: bytes) -> Iterator[Finding]:
    values = _raw_values(data, "List-Unsubscribe")
    value = values[0] if values else ""
    if values and not _UNSUBSCRIBE_URLS.fullmatch(value):
        yield finding("unsubscribe-header", value[:100] or "it is empty", entry="List-Unsubscribe")
    post = _raw_values(data, "List-Unsubscribe-Post")
    if post != ["List-Unsubscribe=One-Click"] or "<https://" not in value:
        yield finding("one-click", post[0] if post else "it is missing", entry="List-Unsubscribe-Post")


def _date_findings(values: list[str], now: datetime | None) -> Iterator[Finding]:
    if not values or now is None:
        return
    try:
        date = parsedate_to_datetime(values[0])
    except ValueError:
        yield finding("header-missing", f"{values[0]!r} is not a date", entry="Date")
        return
    if date.tzinfo is not None and date > now + _MAX_CLOCK_SKEW:
        yield finding("future-mail", values[0], entry="Date")


def _line_findings(data: bytes) -> Iterator[Finding]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line.rstrip(b"\r")) > _MAX_LINE_BYTES or not line.isascii():
            message = f"line {number} of the message has {len(line):,} bytes"
            yield finding("header-line", message if line.isascii() else f"line {number} is not ASCII")
            return


def _unfilled_findings(text: str, part: str) -> Iterator[Finding]:
    unfilled = placeholders_in(text)
    if unfilled:
        yield finding("placeholder-left", f"{', '.join(dict.fromkeys(unfilled))} in the {part}")
    yield from _partial_findings(text, part)


def _partial_findings(text: str, part: str) -> Iterator[Finding]:
    partial = _PARTIAL_PLACEHOLDER.search(_WHOLE_PLACEHOLDER.sub("", text))
    if partial is not None:
        yield finding("placeholder-split", f"{partial[0]!r} in the {part}")


def _variant_findings(html: str, plain: str) -> Iterator[Finding]:
    """Yield the violations of a variant with placeholders."""
    for text, part, least in ((html, "HTML", 2), (plain, "plain text", 1)):
        yield from _partial_findings(text, f"{part} with placeholders")
        if placeholders_in(text).count("unsubscribe") < least:
            yield finding("unsubscribe-link", f"too few placeholders for it in the {part}")


def _width_findings(text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        width = display_width(line)
        if width > _MAX_TEXT_COLUMNS and not re.search(r"\S{40}", line):
            yield finding("text-width", f"line {number} takes {width} columns")
            return


def _without_spaces(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


def _completeness_findings(text: str, source: str) -> Iterator[Finding]:
    root = parse_html(source)
    compact = _without_spaces(text)
    for words in headings(root):
        if _without_spaces(words) not in compact:
            yield finding("text-complete", f"the heading {words[:60]!r} is missing")
    for address in link_targets(root):
        if _without_spaces(address) not in compact:
            yield finding("text-complete", f"{address} is missing")
