"""Entries under a feed's head → the bytes of a feed.

feedgen draws the heads here and the entries in ``render/shapes.py``, and nothing anywhere else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from publisher.feeds.formats import jsonfeed
from publisher.feeds.formats.archive_links import NO_ARCHIVE, ArchiveLinks
from publisher.feeds.formats.entry_templates import BODY_PLACEHOLDER, declare_namespaces, escape_text
from publisher.feeds.site_info import SiteInfo
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.media_types import FEED_TYPES
from publisher.model.taxonomy import FacetKind

__all__ = ["complete_entry", "join_feed", "render_frame"]

_ATOM: Final = "http://www.w3.org/2005/Atom"
_HISTORY: Final = "http://purl.org/syndication/history/1.0"
#: What an empty feed says it was changed at: a feed must say something, and no clock may.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def render_frame(
    channel: FeedDefinition,
    form: FeedFormat,
    site_info: SiteInfo,
    changed: datetime | None,
    archive_links: ArchiveLinks = NO_ARCHIVE,
) -> tuple[bytes, bytes]:
    """Return what stands before and behind a feed's entries; together they are a feed without any.

    Args:
        channel: what the feed is.
        form: which format.
        house: what all feeds of the site share.
        changed: the newest change of an entry; None in an empty feed.
        archive_links: where the document stands in the feed's history.
    """
    return _FRAMES[form](channel, site_info, changed or _EPOCH, archive_links)


def join_feed(form: FeedFormat, around: tuple[bytes, bytes], entries: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Yield a feed's bytes: head, entries with their bodies, tail.

    Args:
        form: which format.
        around: its :func:`frame`.
        entries: (body, entry with a hole) in order.
    """
    between = b",\n" if form is FeedFormat.JSON else b"\n"
    head, tail = around
    yield head
    first = True
    for body, entry in entries:
        yield (b"" if first else between) + complete_entry(form, body, entry)
        first = False
    yield tail


def complete_entry(form: FeedFormat, body: str, entry: bytes) -> bytes:
    """Return an entry with its article's text in the hole."""
    escape: Callable[[str], bytes] = jsonfeed.escape_body if form is FeedFormat.JSON else escape_text
    return entry.replace(BODY_PLACEHOLDER, escape(body), 1)


class _HeadExtension(BaseExtension):  # type: ignore[misc]
    """What feedgen leaves out of a head: hubs and the history in RSS, ``fh:archive`` in both.

    The namespace is declared where it is used alone: validators ask what an unused one is for.
    """

    def __init__(self) -> None:
        self.links: list[tuple[str, str, str | None]] = []
        self.is_archive = False

    def extend_ns(self) -> dict[str, str]:
        return {"fh": _HISTORY} if self.is_archive else {}

    def extend_rss(self, rss: Any) -> Any:
        channel = rss[0]
        at = next(number for number, child in enumerate(channel) if child.get("rel") == "self") + 1
        for rel, href, kind in reversed(self.links):
            link = etree.Element(f"{{{_ATOM}}}link", href=href, rel=rel)
            if kind is not None:
                link.attrib["type"] = kind
            channel.insert(at, link)
        self._mark(channel)
        return rss

    def extend_atom(self, feed: Any) -> Any:
        own = next(child for child in feed.iterchildren("link") if child.get("rel") == "self")
        for rel, href, kind in reversed(self.links):
            link = etree.Element("link", href=href, rel=rel)
            if kind is not None:
                link.attrib["type"] = kind
            own.addnext(link)
        self._mark(feed)
        return feed

    def _mark(self, parent: Any) -> None:
        if self.is_archive:
            etree.SubElement(parent, f"{{{_HISTORY}}}archive")


def _feed_generator(
    channel: FeedDefinition, form: FeedFormat, site_info: SiteInfo, changed: datetime, archive_links: ArchiveLinks
) -> FeedGenerator:
    kind = FEED_TYPES[form]
    feed = FeedGenerator()
    # The ID of a feed never changes: those of custom feeds were made when their kind was called "channel".
    name = "channel" if channel.kind is FacetKind.CUSTOM else channel.kind.value
    feed.id(uuid.uuid5(site_info.namespace, f"feed:{name}/{channel.slug}").urn)
    feed.title(channel.title)
    feed.description(channel.description or channel.title)
    feed.link(href=archive_links.address(channel, form.value), rel="self", type=kind)
    # RSS takes the last link for the channel's own, so the home page comes last.
    feed.link(href=channel.home, rel="alternate", type="text/html")
    feed.language(channel.language)
    feed.author({"name": site_info.author})
    feed.updated(changed)
    feed.lastBuildDate(changed)
    feed.generator("Publisher")
    declare_namespaces(feed)
    feed.register_extension("history", _HeadExtension, None, atom=True, rss=True)
    feed.history.is_archive = archive_links.page is not None
    if archive_links.page is None:
        feed.history.links += [("hub", hub, None) for hub in site_info.hubs]
    else:
        feed.history.links.append(("current", f"{channel.address}.{form.value}", kind))
    previous = archive_links.previous_url(channel, form.value)
    if previous is not None:
        feed.history.links.append(("prev-archive", previous, kind))
    if site_info.rights:
        feed.rights(site_info.rights)
    return feed


def _rss_frame(
    channel: FeedDefinition, site_info: SiteInfo, changed: datetime, archive_links: ArchiveLinks
) -> tuple[bytes, bytes]:
    feed = _feed_generator(channel, FeedFormat.RSS, site_info, changed, archive_links)
    if site_info.logo is not None:
        # Title and link are the channel's own: a validator asks for that.
        feed.image(url=site_info.logo.url, width=str(site_info.logo.width), height=str(site_info.logo.height))
    if site_info.cloud is not None and archive_links.page is None:
        cloud = site_info.cloud
        # registerProcedure is for XML-RPC alone, and has to be there all the same.
        feed.cloud(cloud.host, str(cloud.port), cloud.path, "", cloud.protocol)
    data: bytes = feed.rss_str()
    # feedgen asks the C library for the date, and with it for the process's locale: ours instead.
    start = data.index(b"<lastBuildDate>") + len(b"<lastBuildDate>")
    end = data.index(b"</lastBuildDate>")
    data = data[:start] + format_datetime(changed).encode() + data[end:]
    at = data.rindex(b"</channel>")
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


def _atom_frame(
    channel: FeedDefinition, site_info: SiteInfo, changed: datetime, archive_links: ArchiveLinks
) -> tuple[bytes, bytes]:
    feed = _feed_generator(channel, FeedFormat.ATOM, site_info, changed, archive_links)
    if site_info.icon is not None:
        feed.icon(site_info.icon)
    if site_info.logo is not None:
        feed.logo(site_info.logo.url)
    data: bytes = feed.atom_str()
    at = data.rindex(b"</feed>")
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


def _json_frame(
    channel: FeedDefinition, site_info: SiteInfo, _: datetime, archive_links: ArchiveLinks
) -> tuple[bytes, bytes]:
    return jsonfeed.render_head_and_tail(channel, site_info, archive_links)


_FRAMES: Final[
    Mapping[FeedFormat, Callable[[FeedDefinition, SiteInfo, datetime, ArchiveLinks], tuple[bytes, bytes]]]
] = {
    FeedFormat.RSS: _rss_frame,
    FeedFormat.ATOM: _atom_frame,
    FeedFormat.JSON: _json_frame,
}
