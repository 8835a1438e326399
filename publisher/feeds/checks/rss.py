"""Check RSS 2.0 feeds (https://www.rssboard.org/rss-specification, https://www.rssboard.org/rss-profile)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from publisher.feeds.checks.content import (
    LANGUAGE,
    RELATIONS,
    date_findings,
    html_findings,
    is_absolute_url,
    is_http_url,
    is_integer_or_missing,
    parse_rfc822_date,
)
from publisher.feeds.checks.media_rss import media_findings
from publisher.feeds.namespaces import ATOM, CONTENT, DC
from publisher.findings import Finding
from publisher.findings.feed_rules import finding
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import FEED_TYPES

_CHANNEL_ELEMENTS: Final = frozenset(
    [
        "title",
        "link",
        "description",
        "language",
        "copyright",
        "managingEditor",
        "webMaster",
        "pubDate",
        "lastBuildDate",
        "category",
        "generator",
        "docs",
        "cloud",
        "ttl",
        "image",
        "rating",
        "textInput",
        "skipHours",
        "skipDays",
        "item",
    ]
)
_ITEM_ELEMENTS: Final = frozenset(
    ["title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source"]
)
_REPEATABLE: Final = frozenset(["category", "item"])
#: Feed readers use only the first or the last of several.
_SINGLE_EXTENSIONS: Final = frozenset([f"{{{DC}}}creator", f"{{{DC}}}language", f"{{{CONTENT}}}encoded"])
_LOOKS_LIKE_MARKUP = re.compile(r"</?[A-Za-z!]")
_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+(?: \(.+\))?")


def channel_findings(channel: Any, url: str | None, now: datetime | None) -> Iterator[Finding]:
    """Yield the violations of a channel, without its items; see :func:`publisher.feeds.checks.feed.check_feed`."""
    for name in ("title", "link", "description"):
        if not (channel.findtext(name) or "").strip():
            yield finding("required", f"the channel has no {name}", line=channel.sourceline)
    yield from _child_findings(channel, _CHANNEL_ELEMENTS)
    link = (channel.findtext("link") or "").strip()
    if link and not is_http_url(link):
        yield finding("absolute-url", f"link {link[:80]}", line=channel.sourceline)
    language = channel.findtext("language")
    if language is None or not LANGUAGE.fullmatch(language.strip()):
        yield finding("language", f"language {language!r}", line=channel.sourceline)
    seen_item = False
    for child in channel.iterchildren(tag="*"):
        seen_item = seen_item or child.tag == "item"
        if seen_item and child.tag != "item":
            yield finding("rss-order", f"<{_local_name(child.tag)}> after the first item", line=child.sourceline)
    if channel.find("textInput") is not None:
        yield finding("rss-text-input", "<textInput>", line=channel.sourceline)
    yield from _self_link_findings(channel, url)
    yield from _image_findings(channel)
    for name in ("pubDate", "lastBuildDate"):
        yield from _date_findings(channel, name, now)


def item_findings(item: Any, now: datetime | None) -> Iterator[Finding]:
    """Yield the violations of an item."""
    yield from _child_findings(item, _ITEM_ELEMENTS)
    title, description = item.findtext("title"), item.findtext("description")
    if not (title or "").strip() and not (description or "").strip():
        yield finding("required", "neither title nor description", line=item.sourceline)
    yield from _guid_findings(item)
    link = item.findtext("link")
    if link is not None and not is_http_url(link.strip()):
        yield finding("absolute-url", f"link {link[:80]}", line=item.sourceline)
    yield from _date_findings(item, "pubDate", now)
    yield from _enclosure_findings(item)
    yield from _author_findings(item)
    tags = [child.tag for child in item.iterchildren(tag="*")]
    encoded = f"{{{CONTENT}}}encoded"
    if encoded in tags and "description" in tags and tags.index(encoded) < tags.index("description"):
        yield finding("rss-description-first", "content:encoded comes first", line=item.sourceline)
    for text in (description, item.findtext(encoded)):
        yield from html_findings(text or "", item.sourceline)
    yield from media_findings(item)


def item_name(item: Any) -> str:
    """Return the name of an item in messages."""
    title: str = (item.findtext("title") or item.findtext("guid") or item.findtext("link") or "").strip()
    return title[:120] or "an item without a title"


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _child_findings(parent: Any, known: frozenset[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for child in parent.iterchildren(tag="*"):
        tag = child.tag
        if not tag.startswith("{") and tag not in known:
            yield finding("unknown-element", f"<{tag}>", line=child.sourceline)
        once = tag in _SINGLE_EXTENSIONS or (not tag.startswith("{") and tag not in _REPEATABLE)
        if once and tag in seen:
            yield finding("repeated", f"<{_local_name(tag)}>", line=child.sourceline)
        seen.add(tag)
        if tag == f"{{{ATOM}}}link" and child.get("rel", "alternate") not in RELATIONS:
            yield finding("link-relation", f"rel={child.get('rel')!r}", line=child.sourceline)


def _self_link_findings(channel: Any, url: str | None) -> Iterator[Finding]:
    own = [link for link in channel.findall(f"{{{ATOM}}}link") if link.get("rel") == "self"]
    if len(own) != 1:
        yield finding("self-link", f"{len(own)} links of rel=self", line=channel.sourceline)
        return
    href = own[0].get("href", "")
    if own[0].get("type") != FEED_TYPES[FeedFormat.RSS]:
        yield finding("self-link", f"its type is {own[0].get('type')!r}", line=own[0].sourceline)
    if not is_absolute_url(href) or (url is not None and href != url):
        yield finding("self-link", f"href is {href}, the feed is at {url}", line=own[0].sourceline)


def _image_findings(channel: Any) -> Iterator[Finding]:
    image = channel.find("image")
    if image is None:
        return
    for name in ("title", "link"):
        if (image.findtext(name) or "") != (channel.findtext(name) or ""):
            yield finding("rss-image", f"its {name} differs from the channel's", line=image.sourceline)
    if not is_http_url(image.findtext("url") or ""):
        yield finding("rss-image", "it has no URL", line=image.sourceline)
    for name, most in (("width", 144), ("height", 400)):
        text = image.findtext(name)
        if text is not None and (not is_integer_or_missing(text) or not 1 <= int(text) <= most):
            yield finding("rss-image", f"{name} {text}", line=image.sourceline)


def _date_findings(parent: Any, name: str, now: datetime | None) -> Iterator[Finding]:
    text = parent.findtext(name)
    if text is not None:
        yield from date_findings(f"{name} {text}", parse_rfc822_date(text.strip()), now, parent.sourceline)


def _guid_findings(item: Any) -> Iterator[Finding]:
    guid = item.find("guid")
    text = "" if guid is None else (guid.text or "").strip()
    if not text:
        yield finding("rss-guid", "no guid", line=item.sourceline)
    elif guid.get("isPermaLink", "true") != "false" and not is_http_url(text):
        yield finding("rss-guid", f"{text[:80]} is not a permalink", line=guid.sourceline)


def _enclosure_findings(item: Any) -> Iterator[Finding]:
    for enclosure in item.findall("enclosure"):
        length = enclosure.get("length")
        if not is_http_url(enclosure.get("url", "")):
            yield finding("rss-enclosure", f"url {enclosure.get('url')!r}", line=enclosure.sourceline)
        if length is None or not is_integer_or_missing(length) or int(length) == 0:
            yield finding("rss-enclosure", f"length {length!r}", line=enclosure.sourceline)
        if "/" not in enclosure.get("type", ""):
            yield finding("rss-enclosure", f"type {enclosure.get('type')!r}", line=enclosure.sourceline)


def _author_findings(item: Any) -> Iterator[Finding]:
    author = item.find("author")
    if author is None:
        return
    if item.find(f"{{{DC}}}creator") is not None:
        yield finding("rss-author", "author and dc:creator", line=author.sourceline)
    if not _EMAIL.fullmatch((author.text or "").strip()):
        yield finding("rss-author", f"author {author.text!r}", line=author.sourceline)


def raw_title_findings(data: bytes) -> Iterator[Finding]:
    """Yield titles that look like markup to a program that decodes them twice.

    This checks the bytes, because a parser returns the same text for ``&lt;`` and ``&#x3C;``.
    """
    line, counted_to = 1, 0
    for start, raw in _raw_titles(data):
        text = raw.decode("utf-8", "replace").replace("&lt;", "<")
        if markup := _LOOKS_LIKE_MARKUP.search(text):
            line, counted_to = line + data.count(b"\n", counted_to, start), start
            yield finding("plain-title", text[markup.start() :][:20], entry=text[:120], line=line)


def _raw_titles(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (position, bytes) of titles with an escaped ``<`` or a CDATA section."""
    at = 0
    while (start := data.find(b"<title>", at)) >= 0:
        begin = at = start + len(b"<title>")
        if data.startswith(b"<![CDATA[", begin):
            begin += len(b"<![CDATA[")
            end = data.find(b"]]></title>", begin)
            if end < 0:
                return
            yield start, data[begin:end]
            at = end
        else:
            end = data.find(b"<", begin)
            if data.startswith(b"</title>", end) and b"&lt;" in data[begin:end]:
                yield start, data[begin:end]
