"""Check JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from publisher.feeds.checks.content import LANGUAGE, date_findings, html_findings, is_http_url, parse_rfc3339_date
from publisher.findings import Finding
from publisher.findings.feed_rules import finding

VERSION: Final = "https://jsonfeed.org/version/1.1"

_FEED_TYPES: Final[Mapping[str, type[Any]]] = {
    **dict.fromkeys(["version", "title", "description", "user_comment", "language"], str),
    **dict.fromkeys(["home_page_url", "feed_url", "next_url", "icon", "favicon"], str),
    **dict.fromkeys(["authors", "hubs", "items"], list),
    "expired": bool,
}
_ITEM_TYPES: Final[Mapping[str, type[Any]]] = {
    **dict.fromkeys(["id", "title", "content_html", "content_text", "summary", "language"], str),
    **dict.fromkeys(["url", "external_url", "image", "banner_image", "date_published", "date_modified"], str),
    **dict.fromkeys(["authors", "tags", "attachments"], list),
}
_URL_FIELDS: Final = frozenset(
    ["home_page_url", "feed_url", "next_url", "icon", "favicon", "url", "external_url", "image", "banner_image"]
)


def feed_findings(feed: dict[str, Any], url: str | None) -> Iterator[Finding]:
    """Yield the violations of a feed, without its items; see :func:`publisher.feeds.checks.feed.check_feed`."""
    if feed.get("version") != VERSION:
        yield finding("json-version", f"version {feed.get('version')!r}")
    for name in ("title", "items"):
        if name not in feed or feed[name] == "":
            yield finding("required", f"no {name}")
    yield from _value_findings(feed, _FEED_TYPES)
    own = feed.get("feed_url")
    if own is None or (url is not None and own != url):
        yield finding("self-link", f"feed_url is {own}, the feed is at {url}")
    language = feed.get("language")
    if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
        yield finding("language", f"language {language!r}")
    for hub in feed.get("hubs") or ():
        if not isinstance(hub, dict) or not hub.get("type") or not is_http_url(str(hub.get("url"))):
            yield finding("json-type", f"hub {hub!r}")


def item_findings(item: Any, now: datetime | None) -> Iterator[Finding]:
    """Yield the violations of an item."""
    if not isinstance(item, dict):
        yield finding("json-type", "an item that is not an object")
        return
    if not item.get("id"):
        yield finding("required", "no id")
    if "content_html" not in item and "content_text" not in item:
        yield finding("required", "neither content_html nor content_text")
    yield from _value_findings(item, _ITEM_TYPES)
    for name in ("date_published", "date_modified"):
        text = item.get(name)
        if text is not None:
            date = parse_rfc3339_date(text) if isinstance(text, str) else None
            yield from date_findings(f"{name} {text}", date, now)
    for attachment in item.get("attachments") or ():
        if (
            not isinstance(attachment, dict)
            or not is_http_url(str(attachment.get("url")))
            or "/" not in str(attachment.get("mime_type"))
        ):
            yield finding("json-type", "an attachment without url and mime_type")
        elif not isinstance(attachment.get("size_in_bytes", 1), int):
            yield finding("json-type", f"size_in_bytes {attachment['size_in_bytes']!r}")
    content = item.get("content_html")
    if isinstance(content, str):
        yield from html_findings(content)


def item_name(item: Any) -> str:
    """Return the name of an item in messages; empty if it is not an object."""
    if not isinstance(item, dict):
        return ""
    return str(item.get("title") or item.get("id") or "an item without a title")[:120]


def _value_findings(parent: dict[str, Any], kinds: Mapping[str, type[Any]]) -> Iterator[Finding]:
    for name, value in parent.items():
        kind = kinds.get(name)
        if kind is None:
            if not name.startswith("_"):
                yield finding("json-name", name)
        elif not isinstance(value, kind):
            yield finding("json-type", f"{name} is not of type {kind.__name__}")
        elif name in _URL_FIELDS and not is_http_url(value):
            yield finding("absolute-url", f"{name} {value[:80]}")
    for author in parent.get("authors") or ():
        if not isinstance(author, dict) or not (author.get("name") or author.get("url") or author.get("avatar")):
            yield finding("json-type", f"author {author!r}")
    for tag in parent.get("tags") or ():
        if not isinstance(tag, str):
            yield finding("json-type", f"tag {tag!r}")
