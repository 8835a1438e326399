"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from typing import Any

from publisher.model import Article, Channel

__all__ = ["escape", "head", "render_item"]


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def escape(body: str) -> bytes:
    """Return text as it stands between the quotes of a JSON string, as ``json.dumps`` writes it.

    Cleaned text carries no other control characters than tab and line feed (RFC 8259 §7).
    """
    data = body.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return data.replace(b"\n", b"\\n").replace(b"\t", b"\\t")


def render_item(
    article: Article, language: str, *, image: str | None, brief: str, author: str, before: str, after: str
) -> bytes:
    """Return an item, with a hole in ``content_html`` where the article's text goes.

    Args:
        article: what the item is about.
        language: the site's; named in the item only where the article's is another.
        image: the absolute address of its picture.
        brief: its summary, plain text.
        author: who signs where nobody does.
        before: HTML before the text.
        after: HTML after it.
    """
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
        or [{"name": author}],
        "tags": [label for kind, label in article.facets() if kind.value != "author"],
        "language": article.language if article.language != language else None,
    }
    shown = {name: value for name, value in item.items() if name == "content_html" or value}
    # The first empty content_html is the key itself: in a title its quotes would be escaped.
    head, _, tail = _dumps(shown).partition('"content_html":""')
    return b"".join((head.encode(), b'"content_html":"', escape(before), b"\x00", escape(after), b'"', tail.encode()))


def head(channel: Channel, *, author: str) -> tuple[bytes, bytes]:
    """Return what stands before and behind the items."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.home,
        "feed_url": f"{channel.address}.json",
        "description": channel.description or channel.title,
        "authors": [{"name": author}],
        "language": channel.language,
    }
    return _dumps(feed)[:-1].encode() + b',"items":[\n', b"\n]}\n"
