"""Rules of Media RSS (https://www.rssboard.org/media-rss), which stands in RSS and in Atom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from publisher.feeds.checks.content import is_http_url, is_integer_or_missing
from publisher.feeds.checks.rules import finding
from publisher.findings import Finding

__all__ = ["MEDIA", "media_findings"]

MEDIA: Final = "http://search.yahoo.com/mrss/"


def media_findings(parent: Any, entry: str) -> Iterator[Finding]:
    """Yield what is wrong with the media of an item or entry."""
    for group in parent.iterchildren(f"{{{MEDIA}}}group"):
        if len(group.findall(f"{{{MEDIA}}}content")) < 2:
            yield finding("media-group", "a group of one", entry=entry, line=group.sourceline)
    for content in parent.iter(f"{{{MEDIA}}}content"):
        if not is_http_url(content.get("url", "")):
            what = f"media:content url={content.get('url')!r}"
            yield finding("absolute-address", what, entry=entry, line=content.sourceline)
        for name in ("width", "height", "fileSize"):
            if not is_integer_or_missing(content.get(name)):
                what = f"{name}={content.get(name)!r}"
                yield finding("media-number", what, entry=entry, line=content.sourceline)
    for credit in parent.iter(f"{{{MEDIA}}}credit"):
        role = credit.get("role", "")
        if role != role.lower():
            yield finding("media-credit", f"role={role!r}", entry=entry, line=credit.sourceline)
