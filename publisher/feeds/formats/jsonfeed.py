"""Render JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from publisher.feeds.formats.archive_links import ArchiveLinks
from publisher.feeds.formats.xml_entry import BODY_PLACEHOLDER
from publisher.feeds.site_info import SiteInfo
from publisher.model.articles import Article, Enclosure
from publisher.model.feeds import FeedDefinition


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def escape_body(body: str) -> bytes:
    """Return text escaped for a JSON string, as ``json.dumps`` does.

    Sanitized text has no control characters except tab and line feed (RFC 8259 §7).
    """
    data = body.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return data.replace(b"\n", b"\\n").replace(b"\t", b"\\t")


def render_item(
    article: Article,
    site_info: SiteInfo,
    *,
    image: str | None,
    attachments: Sequence[Enclosure],
    brief: str,
    html_around: tuple[str, str],
) -> bytes:
    """Return an item, with a placeholder for the body in ``content_html``.

    Args:
        site_info: shared by all feeds of the site. Its language is omitted from items.
        image: the absolute URL of the image.
        attachments: the enclosures, with absolute URLs.
        brief: the summary, plain text.
        html_around: HTML before and after the body.
    """
    before, after = html_around
    item: dict[str, Any] = {
        "id": article.id,
        "url": article.link,
        "title": article.title,
        "content_html": "",
        "summary": brief,
        "image": image,
        "date_published": article.published.isoformat(),
        "date_modified": article.changed.isoformat(),
        "authors": [{"name": author.name, **({"url": author.url} if author.url else {})} for author in article.authors]
        or [{"name": site_info.author}],
        "tags": [label for kind, label in article.facets() if kind.value != "author"],
        "language": article.language if article.language != site_info.language else None,
        "attachments": [_attachment(enclosure) for enclosure in attachments],
        "_publisher": _publisher_extension(article),
    }
    shown = {name: value for name, value in item.items() if name == "content_html" or value}
    # The first match is the key: in a title, the quotes would be escaped.
    head, _, tail = _dumps(shown).partition('"content_html":""')
    content = escape_body(before) + BODY_PLACEHOLDER + escape_body(after)
    return head.encode() + b'"content_html":"' + content + b'"' + tail.encode()


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _attachment(enclosure: Enclosure) -> dict[str, Any]:
    return _without_empty(
        url=enclosure.url,
        mime_type=enclosure.type,
        title=enclosure.title,
        size_in_bytes=enclosure.length,
        duration_in_seconds=enclosure.duration,
    )


def _publisher_extension(article: Article) -> dict[str, Any]:
    """Return the properties that JSON Feed has no field for, as an extension."""
    image = article.image
    return _without_empty(
        topic=article.topic,
        region=article.region,
        brand=article.brand,
        image=_without_empty(
            alt=image.alt, caption=image.caption, credit=image.credit, width=image.width, height=image.height
        )
        if image
        else None,
        corrections=[
            {"date": correction.at.isoformat(), "note": correction.note} for correction in article.corrections
        ],
    )


def render_head_and_tail(
    definition: FeedDefinition, site_info: SiteInfo, archive_links: ArchiveLinks
) -> tuple[bytes, bytes]:
    """Return the bytes before and after the items."""
    hubs = [{"type": "WebSub", "url": hub} for hub in site_info.hubs]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": definition.title,
        "home_page_url": definition.home_page_url,
        "feed_url": archive_links.url(definition, "json"),
        "description": definition.description or definition.title,
        "icon": site_info.logo.url if site_info.logo else None,
        "favicon": site_info.icon,
        "authors": [{"name": site_info.author}],
        "language": definition.language,
        "next_url": archive_links.previous_url(definition, "json"),
        "hubs": hubs if archive_links.page is None else None,
        "_publisher": _without_empty(rights=site_info.rights),
    }
    return _dumps(_without_empty(**feed))[:-1].encode() + b',"items":[\n', b"\n]}\n"
