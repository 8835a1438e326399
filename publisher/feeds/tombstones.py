"""The feed of tombstones: the withdrawn articles, with time and reason (RFC 6721)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lxml import etree

from publisher.feeds.namespaces import ATOM, TOMBSTONES, XML_LANG

_PREFIXES: Final[Any] = {None: ATOM, "at": TOMBSTONES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A withdrawn entry."""

    #: The entry's ID.
    ref: str
    when: datetime
    #: Public; None if there is none.
    reason: str | None


def render_tombstones(
    tombstones: Sequence[Tombstone],
    *,
    title: str,
    url: str,
    home_page_url: str,
    author: str,
    language: str,
    namespace: uuid.UUID,
    hubs: Sequence[str],
) -> bytes:
    """Return the Atom feed, with a tombstone for each withdrawn article and no entries.

    Tombstones have a feed of their own, because validators warn about every feed that declares the
    namespace.

    Args:
        tombstones: at least one, the newest first.
        title: of the feed.
        url: the URL of the feed.
        home_page_url: the URL of the site's home page.
        author: the author of the feed.
        language: BCP 47.
        namespace: the seed of the feeds' IDs.
        hubs: WebSub hubs that are notified of changes.
    """
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap=_PREFIXES)
    feed.set(XML_LANG, language)
    for name, text in (
        ("id", uuid.uuid5(namespace, "feed:tombstones").urn),
        ("title", title),
        ("updated", tombstones[0].when.isoformat()),
    ):
        etree.SubElement(feed, f"{{{ATOM}}}{name}").text = text
    etree.SubElement(etree.SubElement(feed, f"{{{ATOM}}}author"), f"{{{ATOM}}}name").text = author
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="self", type="application/atom+xml", href=url)
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="alternate", type="text/html", href=home_page_url)
    for hub in hubs:
        etree.SubElement(feed, f"{{{ATOM}}}link", rel="hub", href=hub)
    for tombstone in tombstones:
        deleted = etree.SubElement(
            feed, f"{{{TOMBSTONES}}}deleted-entry", ref=tombstone.ref, when=tombstone.when.isoformat()
        )
        if tombstone.reason is not None:
            etree.SubElement(deleted, f"{{{TOMBSTONES}}}comment").text = tombstone.reason
    data: bytes = etree.tostring(feed, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
