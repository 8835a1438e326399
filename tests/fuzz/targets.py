"""Fuzz targets: the parsers of untrusted bytes. A target catches the documented errors of its parser only."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request

from publisher.articles.identity import record_keys, requested_time
from publisher.articles.parsers import PARSERS, ParsedRecord, ParserOptions
from publisher.articles.parsers.limits import apply_limits
from publisher.digests.mail_html import linked_text, mail_html
from publisher.errors import InvalidRecord, SettingsError
from publisher.feeds.checks.feed import check_feed
from publisher.html.sanitize import sanitize_html
from publisher.html.text import plain_text
from publisher.html.urls import absolute_urls, safe_url
from publisher.mail.bounces import read_report
from publisher.mail.mime import UnreadableMessage
from publisher.model.mailbox import parse_mailbox
from publisher.signing.keyring import Keyring
from publisher.signing.links import SignedLinks
from publisher.subscribers.addresses import parse_address, parse_named_address
from publisher.subscribers.list_parser import parse_csv, parse_json_lines
from publisher.web.forms import _read
from publisher.web.user_agents import is_automated, parse_user_agent

OPTIONS = ParserOptions(zone=ZoneInfo("Europe/London"), max_bytes=200_000, base_url="https://review.example")
KEYS = Keyring(key=b"k" * 32)
LINKS = SignedLinks(["k" * 32])
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def article(suffix: str) -> Callable[[bytes], None]:
    """Return a target for article files of a suffix."""

    def target(data: bytes) -> None:
        try:
            parsed = list(PARSERS[suffix](io.BytesIO(data), "x" + suffix, OPTIONS))
        except InvalidRecord:
            return
        for result in parsed:
            if isinstance(result, ParsedRecord):
                limited = apply_limits(result)
                record_keys(limited, "x" + suffix)
                requested_time(limited.record, OPTIONS.zone)
            failure = getattr(result, "failure", None)
            assert failure is None, failure.traceback

    return target


def subscribers_csv(data: bytes) -> None:
    """Parse a subscriber list as CSV."""
    try:
        list(parse_csv(io.StringIO(data.decode("utf-8", "replace"), newline=""), ["daily"], on_note=len))
    except SettingsError:
        return


def subscribers_jsonl(data: bytes) -> None:
    """Parse a subscriber list as JSON Lines."""
    try:
        list(parse_json_lines(io.StringIO(data.decode("utf-8", "replace")), ["daily"], on_note=len))
    except SettingsError:
        return


def bounce(data: bytes) -> None:
    """Parse a bounce message."""
    try:
        read_report(data)
    except UnreadableMessage:
        return


def feed(data: bytes) -> None:
    """Check a feed."""
    check_feed(data, url="https://review.example/feeds/all.rss", now=NOW)


def html(data: bytes) -> None:
    """Sanitise HTML for pages and for mail, and make plain text of it."""
    cleaned = absolute_urls(sanitize_html(data.decode("utf-8", "replace")), "https://review.example/")
    plain_text(cleaned)
    linked_text(mail_html(cleaned, "https://review.example/", 544), 1)


def tokens(data: bytes) -> None:
    """Read delivery tokens, feed tokens and signed links; none is valid."""
    text = data.decode("latin-1")
    assert KEYS.delivery_of_token(text) is None
    assert KEYS.subscriber_of_feed_token(text) is None
    assert LINKS.verify("confirm", text, NOW) is None


def addresses(data: bytes) -> None:
    """Parse email addresses and a URL."""
    text = data.decode("utf-8", "replace")
    for parse in (parse_address, parse_named_address, parse_mailbox):
        try:
            parse(text)  # type: ignore[operator]
        except ValueError:
            continue
    safe_url(text, "https://review.example/")


def forms(data: bytes) -> None:
    """Parse a submitted form; the first line is its content type."""
    kind, _, body = data.partition(b"\n")
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return sent.pop()

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [(b"content-type", kind)]}
    for is_strict in (True, False):
        sent[:] = [{"type": "http.request", "body": body, "more_body": False}]
        try:
            form = asyncio.run(_read(Request(scope, receive), is_strict=is_strict))
        except HTTPException:
            continue
        form.text("address")
        form.choices("digests")


def agents(data: bytes) -> None:
    """Parse a User-Agent header."""
    parse_user_agent(data[:500])
    is_automated(data[:500].decode("latin-1"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "article-md": article(".md"),
    "article-json": article(".json"),
    "article-jsonl": article(".jsonl"),
    "article-txt": article(".txt"),
    "subscribers-csv": subscribers_csv,
    "subscribers-jsonl": subscribers_jsonl,
    "bounce": bounce,
    "feed": feed,
    "html": html,
    "tokens": tokens,
    "addresses": addresses,
    "forms": forms,
    "agents": agents,
}
