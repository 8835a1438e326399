"""Check Media RSS elements in RSS and Atom (https://www.rssboard.org/media-rss)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from publisher.feeds.checks.content import is_http_url, is_integer_or_missing
from publisher.feeds.namespaces import MEDIA
from publisher.findings import Finding
from publisher.findings.feed_rules import finding


def media_findings(parent: Any) -> Iterator[Finding]:
    """Yield the violations in the media elements of an item or entry."""
    for group in parent.iterchildren(f"{{{MEDIA}}}group"):
        if len(group.findall(f"{{{MEDIA}}}content")) < 2:
            yield finding("media-group", "a group with fewer than two media:content", line=group.sourceline)
    for content in parent.iter(f"{{{MEDIA}}}content"):
        if not is_http_url(content.get("url", "")):
            yield finding("absolute-url", f"media:content url={content.get('url')!r}", line=content.sourceline)
        for name in ("width", "height", "fileSize"):
            if not is_integer_or_missing(content.get(name)):
                yield finding("media-number", f"{name}={content.get(name)!r}", line=content.sourceline)
    for credit in parent.iter(f"{{{MEDIA}}}credit"):
        role = credit.get("role", "")
        if role != role.lower():
            yield finding("media-credit", f"role={role!r}", line=credit.sourceline)
