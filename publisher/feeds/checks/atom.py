"""Check Atom 1.0 feeds (RFC 4287)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from publisher.feeds.checks.content import (
    LANGUAGE,
    RELATIONS,
    date_findings,
    html_findings,
    is_absolute_url,
    parse_rfc3339_date,
)
from publisher.feeds.checks.media_rss import media_findings
from publisher.feeds.namespaces import ATOM, XML_LANG
from publisher.findings import Finding
from publisher.findings.feed_rules import finding
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import FEED_TYPES

_COMMON_ELEMENTS: Final = frozenset(["author", "category", "contributor", "id", "link", "rights", "title", "updated"])
_FEED_ELEMENTS: Final = _COMMON_ELEMENTS | {"entry", "generator", "icon", "logo", "subtitle"}
_ENTRY_ELEMENTS: Final = _COMMON_ELEMENTS | {"content", "published", "source", "summary"}
_REPEATABLE: Final = frozenset(["author", "category", "contributor", "entry", "link"])


def _qualified(tag: str) -> str:
    return f"{{{ATOM}}}{tag}"


def _text(parent: Any, tag: str) -> str:
    return (parent.findtext(_qualified(tag)) or "").strip()


def feed_findings(feed: Any, url: str | None, now: datetime | None) -> Iterator[Finding]:
    """Yield the violations of a feed, without its entries; see :func:`publisher.feeds.checks.feed.check_feed`."""
    yield from _common_findings(feed, _FEED_ELEMENTS, now)
    own = [link for link in feed.findall(_qualified("link")) if link.get("rel") == "self"]
    if len(own) != 1:
        yield finding("self-link", f"{len(own)} links of rel=self", line=feed.sourceline)
    elif own[0].get("type") != FEED_TYPES[FeedFormat.ATOM]:
        yield finding("self-link", f"its type is {own[0].get('type')!r}", line=own[0].sourceline)
    elif url is not None and own[0].get("href") != url:
        message = f"href is {own[0].get('href')}, the feed is at {url}"
        yield finding("self-link", message, line=own[0].sourceline)
    language = feed.get(XML_LANG)
    if language is None or not LANGUAGE.fullmatch(language):
        yield finding("language", f"xml:lang={language!r}", line=feed.sourceline)
    for name in ("icon", "logo"):
        text = _text(feed, name)
        if text and not is_absolute_url(text):
            yield finding("absolute-url", f"{name} {text[:80]}", line=feed.sourceline)


def entry_findings(entry: Any, now: datetime | None, *, feed_has_author: bool) -> Iterator[Finding]:
    """Yield the violations of an entry."""
    yield from _common_findings(entry, _ENTRY_ELEMENTS, now)
    language = entry.get(XML_LANG)
    if language is not None and not LANGUAGE.fullmatch(language):
        yield finding("language", f"xml:lang={language!r}", line=entry.sourceline)
    if not feed_has_author and entry.find(_qualified("author")) is None:
        yield finding("atom-author", "no author", line=entry.sourceline)
    published, updated = parse_rfc3339_date(_text(entry, "published")), parse_rfc3339_date(_text(entry, "updated"))
    if published is not None and updated is not None and published > updated:
        yield finding("date", "published after it was updated", line=entry.sourceline)
    has_alternate = any(link.get("rel", "alternate") == "alternate" for link in entry.findall(_qualified("link")))
    content = entry.find(_qualified("content"))
    if content is None and not has_alternate:
        yield finding("required", "neither content nor an alternate link", line=entry.sourceline)
    for element in (content, entry.find(_qualified("summary")), entry.find(_qualified("title"))):
        if element is None:
            continue
        kind = element.get("type", "text")
        if kind not in ("text", "html", "xhtml") and (element.tag != _qualified("content") or "/" not in kind):
            yield finding("atom-content-type", f"type={kind!r}", line=element.sourceline)
        if kind == "html":
            yield from html_findings(element.text or "", element.sourceline)
    yield from media_findings(entry)


def entry_name(entry: Any) -> str:
    """Return the name of an entry in messages."""
    return (_text(entry, "title") or _text(entry, "id"))[:120] or "an entry without a title"


def id_and_link(entry: Any) -> tuple[str, str]:
    """Return the ID of an entry, and the URL of its page; either may be empty."""
    links = entry.findall(_qualified("link"))
    return _text(entry, "id"), next(
        (link.get("href", "") for link in links if link.get("rel", "alternate") == "alternate"), ""
    )


def _common_findings(parent: Any, known: frozenset[str], now: datetime | None) -> Iterator[Finding]:
    for tag in ("id", "title", "updated"):
        if not _text(parent, tag):
            yield finding("required", f"no {tag}", line=parent.sourceline)
    yield from _child_findings(parent, known)
    own = _text(parent, "id")
    if own and not is_absolute_url(own):
        yield finding("atom-id", f"id {own[:80]}", line=parent.sourceline)
    for tag in ("updated", "published"):
        if text := _text(parent, tag):
            yield from date_findings(f"{tag} {text}", parse_rfc3339_date(text), now, parent.sourceline)
    yield from _link_findings(parent)


def _child_findings(parent: Any, known: frozenset[str]) -> Iterator[Finding]:
    counts = Counter(child.tag for child in parent.iterchildren(tag="*"))
    for tag, count in counts.items():
        if not tag.startswith(f"{{{ATOM}}}"):
            continue
        short = tag.rpartition("}")[2]
        if short not in known:
            yield finding("unknown-element", f"<{short}>", line=parent.sourceline)
        elif count > 1 and short not in _REPEATABLE:
            yield finding("repeated", f"<{short}>", line=parent.sourceline)
    for author in parent.findall(_qualified("author")):
        if not _text(author, "name"):
            yield finding("required", "an author without a name", line=author.sourceline)


def _link_findings(parent: Any) -> Iterator[Finding]:
    alternates: Counter[tuple[str | None, str | None]] = Counter()
    for link in parent.findall(_qualified("link")):
        rel, href = link.get("rel", "alternate"), link.get("href", "")
        if rel not in RELATIONS:
            yield finding("link-relation", f"rel={rel!r}", line=link.sourceline)
        if not is_absolute_url(href):
            yield finding("absolute-url", f"link {href[:80]}", line=link.sourceline)
        if rel == "alternate":
            alternates[link.get("type"), link.get("hreflang")] += 1
    for (kind, _), count in alternates.items():
        if count > 1:
            yield finding("atom-alternate", f"{count} alternate links of type {kind}", line=parent.sourceline)
