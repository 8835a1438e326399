"""Entries under a feed's head → the bytes of a feed.

feedgen draws the heads here and the entries in ``render/shapes.py``, and nothing anywhere else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from feedgen.feed import FeedGenerator

from publisher.model import Channel, FeedFormat
from publisher.render import jsonfeed
from publisher.render.house import House
from publisher.render.shapes import HOLE, declare_namespaces, text

__all__ = ["MEDIA_TYPES", "joined"]

MEDIA_TYPES: Final[Mapping[FeedFormat, str]] = {
    FeedFormat.RSS: "application/rss+xml",
    FeedFormat.ATOM: "application/atom+xml",
    FeedFormat.JSON: "application/feed+json",
}
#: What an empty feed says it was changed at: a feed must say something, and no clock may.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def joined(
    channel: Channel, form: FeedFormat, house: House, changed: datetime | None, entries: Iterable[tuple[str, bytes]]
) -> Iterator[bytes]:
    """Yield a feed's bytes: head, entries with their bodies, tail.

    Args:
        channel: what the feed is.
        form: which format.
        house: what all feeds of the site share.
        changed: the newest change of an entry; None in an empty feed.
        entries: (body, entry with a hole) in order.
    """
    head, tail = _HEADS[form](channel, house, changed or _EPOCH)
    escape: Callable[[str], bytes] = jsonfeed.escape if form is FeedFormat.JSON else text
    between = b",\n" if form is FeedFormat.JSON else b"\n"
    yield head
    first = True
    for body, entry in entries:
        yield (b"" if first else between) + entry.replace(HOLE, escape(body), 1)
        first = False
    yield tail


def _generator(channel: Channel, form: FeedFormat, house: House, changed: datetime) -> FeedGenerator:
    address = f"{channel.address}.{form.value}"
    feed = FeedGenerator()
    feed.id(uuid.uuid5(house.namespace, f"feed:{channel.kind.value}/{channel.slug}").urn)
    feed.title(channel.title)
    feed.description(channel.description or channel.title)
    feed.link(href=address, rel="self", type=MEDIA_TYPES[form])
    # RSS takes the last link for the channel's own, so the home page comes last.
    feed.link(href=channel.home, rel="alternate", type="text/html")
    feed.language(channel.language)
    feed.author({"name": house.author})
    feed.updated(changed)
    feed.lastBuildDate(changed)
    feed.generator("Publisher")
    declare_namespaces(feed)
    if house.rights:
        feed.rights(house.rights)
    return feed


def _rss_head(channel: Channel, house: House, changed: datetime) -> tuple[bytes, bytes]:
    feed = _generator(channel, FeedFormat.RSS, house, changed)
    data: bytes = feed.rss_str()
    # feedgen asks the C library for the date, and with it for the process's locale: ours instead.
    start = data.index(b"<lastBuildDate>") + len(b"<lastBuildDate>")
    end = data.index(b"</lastBuildDate>")
    data = data[:start] + format_datetime(changed).encode() + data[end:]
    at = data.rindex(b"</channel>")
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


def _atom_head(channel: Channel, house: House, changed: datetime) -> tuple[bytes, bytes]:
    feed = _generator(channel, FeedFormat.ATOM, house, changed)
    data: bytes = feed.atom_str()
    at = data.rindex(b"</feed>")
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


def _json_head(channel: Channel, house: House, _: datetime) -> tuple[bytes, bytes]:
    return jsonfeed.head(channel, author=house.author)


_HEADS: Final[Mapping[FeedFormat, Callable[[Channel, House, datetime], tuple[bytes, bytes]]]] = {
    FeedFormat.RSS: _rss_head,
    FeedFormat.ATOM: _atom_head,
    FeedFormat.JSON: _json_head,
}
