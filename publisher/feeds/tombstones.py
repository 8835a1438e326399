"""The feed of tombstones: which articles were withdrawn, when and why (RFC 6721)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lxml import etree

__all__ = ["Tombstone", "render_tombstones"]

_ATOM: Final = "http://www.w3.org/2005/Atom"
_TOMBSTONES: Final = "http://purl.org/atompub/tombstones/1.0"
_PREFIXES: Final[Any] = {None: _ATOM, "at": _TOMBSTONES}
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """An entry that is no more."""

    #: The entry's id.
    ref: str
    when: datetime
    #: For everybody to read; None where none is given.
    reason: str | None


def render_tombstones(
    stones: Sequence[Tombstone],
    *,
    title: str,
    address: str,
    home: str,
    author: str,
    language: str,
    namespace: uuid.UUID,
    hubs: Sequence[str],
) -> bytes:
    """Return the feed: no entries, a tombstone for each article that was withdrawn.

    It stands apart from the other feeds, because validators know no tombstones and warn of them
    even where the namespace is merely declared.

    Args:
        stones: at least one, the newest first.
        title: the feed's.
        address: where it can be reached.
        home: the page that it belongs to.
        author: who signs it.
        language: BCP 47.
        namespace: the seed of the feeds' ids.
        hubs: WebSub hubs that are told of changes.
    """
    feed = etree.Element(f"{{{_ATOM}}}feed", nsmap=_PREFIXES)
    feed.set(_LANG, language)
    for name, text in (
        ("id", uuid.uuid5(namespace, "feed:tombstones").urn),
        ("title", title),
        ("updated", stones[0].when.isoformat()),
    ):
        etree.SubElement(feed, f"{{{_ATOM}}}{name}").text = text
    etree.SubElement(etree.SubElement(feed, f"{{{_ATOM}}}author"), f"{{{_ATOM}}}name").text = author
    etree.SubElement(feed, f"{{{_ATOM}}}link", rel="self", type="application/atom+xml", href=address)
    etree.SubElement(feed, f"{{{_ATOM}}}link", rel="alternate", type="text/html", href=home)
    for hub in hubs:
        etree.SubElement(feed, f"{{{_ATOM}}}link", rel="hub", href=hub)
    for stone in stones:
        deleted = etree.SubElement(feed, f"{{{_TOMBSTONES}}}deleted-entry", ref=stone.ref, when=stone.when.isoformat())
        if stone.reason is not None:
            etree.SubElement(deleted, f"{{{_TOMBSTONES}}}comment").text = stone.reason
    data: bytes = etree.tostring(feed, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
