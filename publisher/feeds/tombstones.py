"""The feed of tombstones: the withdrawn articles, with time and reason (RFC 6721)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from lxml import etree

from publisher.articles.corrections_store import Retraction
from publisher.feeds.namespaces import ATOM, TOMBSTONES, XML_LANG
from publisher.settings import Site

_PREFIXES: Final[Any] = {None: ATOM, "at": TOMBSTONES}


def render_tombstones(withdrawn: Sequence[Retraction], site: Site, url: str, namespace: uuid.UUID) -> bytes:
    """Return the Atom feed, with a tombstone for each withdrawn article and no entries.

    Tombstones have a feed of their own, because validators warn about every feed that declares the
    namespace.

    Args:
        withdrawn: at least one, the newest first.
        url: the URL of the feed.
        namespace: the seed of the feeds' IDs.
    """
    times = [datetime.fromtimestamp(article.retracted_at, site.tz).isoformat() for article in withdrawn]
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap=_PREFIXES)
    feed.set(XML_LANG, site.language)
    for name, text in (
        ("id", uuid.uuid5(namespace, "feed:tombstones").urn),
        ("title", f"{site.title}: withdrawn articles"),
        ("updated", times[0]),
    ):
        etree.SubElement(feed, f"{{{ATOM}}}{name}").text = text
    etree.SubElement(etree.SubElement(feed, f"{{{ATOM}}}author"), f"{{{ATOM}}}name").text = site.default_author
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="self", type="application/atom+xml", href=url)
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="alternate", type="text/html", href=f"{site.base_url}/")
    for hub in site.hubs:
        etree.SubElement(feed, f"{{{ATOM}}}link", rel="hub", href=hub)
    for article, when in zip(withdrawn, times, strict=True):
        deleted = etree.SubElement(feed, f"{{{TOMBSTONES}}}deleted-entry", ref=article.id, when=when)
        if article.reason is not None:
            etree.SubElement(deleted, f"{{{TOMBSTONES}}}comment").text = article.reason
    data: bytes = etree.tostring(feed, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
