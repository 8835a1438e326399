"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from publisher.feeds.formats.archive_links import ArchiveLinks
from publisher.feeds.site_info import SiteInfo
from publisher.model.articles import Article, Enclosure
from publisher.model.feeds import FeedDefinition

__all__ = ["escape_body", "render_head_and_tail", "render_item"]


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def escape_body(body: str) -> bytes:
    """Return text as it stands between the quotes of a JSON string, as ``json.dumps`` writes it.

    Cleaned text carries no other control characters than tab and line feed (RFC 8259 §7).
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
    around: tuple[str, str],
) -> bytes:
    """Return an item, with a hole in ``content_html`` where the article's text goes.

    Args:
        article: what the item is about.
        house: what all feeds of the site share; its language is named only where the article's is another.
        image: the absolute address of its picture.
        attachments: the files that come with it, at absolute addresses.
        brief: its summary, plain text.
        around: HTML before and after the text.
    """
    before, after = around
    item: dict[str, Any] = {
        "id": article.id,
        "url": article.link,
        "title": article.title,
        "content_html": "",
        "summary": brief,
        "image": image,
        "date_published": article.published.isoformat(),
        "date_modified": article.changed.isoformat(),
        "authors": [{"name": one.name, **({"url": one.url} if one.url else {})} for one in article.authors]
        or [{"name": site_info.author}],
        "tags": [label for kind, label in article.facets() if kind.value != "author"],
        "language": article.language if article.language != site_info.language else None,
        "attachments": [_attachment(one) for one in attachments],
        "_publisher": _publisher_extension(article),
    }
    shown = {name: value for name, value in item.items() if name == "content_html" or value}
    # The first empty content_html is the key itself: in a title its quotes would be escaped.
    render_head_and_tail, _, tail = _dumps(shown).partition('"content_html":""')
    return b"".join(
        (
            render_head_and_tail.encode(),
            b'"content_html":"',
            escape_body(before),
            b"\x00",
            escape_body(after),
            b'"',
            tail.encode(),
        )
    )


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _attachment(one: Enclosure) -> dict[str, Any]:
    return _without_empty(
        url=one.url,
        mime_type=one.type,
        title=one.title,
        size_in_bytes=one.length,
        duration_in_seconds=one.duration,
    )


def _publisher_extension(article: Article) -> dict[str, Any]:
    """Return what JSON Feed has no field for, as its extensions are named: with an underscore."""
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
        corrections=[{"date": one.at.isoformat(), "note": one.note} for one in article.corrections],
    )


def render_head_and_tail(
    channel: FeedDefinition, site_info: SiteInfo, archive_links: ArchiveLinks
) -> tuple[bytes, bytes]:
    """Return what stands before and behind the items."""
    hubs = [{"type": "WebSub", "url": hub} for hub in site_info.hubs]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.home,
        "feed_url": archive_links.address(channel, "json"),
        "description": channel.description or channel.title,
        "icon": site_info.logo.url if site_info.logo else None,
        "favicon": site_info.icon,
        "authors": [{"name": site_info.author}],
        "language": channel.language,
        "next_url": archive_links.previous_url(channel, "json"),
        "hubs": hubs if archive_links.page is None else None,
        "_publisher": _without_empty(rights=site_info.rights),
    }
    return _dumps(_without_empty(**feed))[:-1].encode() + b',"items":[\n', b"\n]}\n"
