"""Assemble feeds from their heads and rendered entries.

Only this module, which renders the heads, and ``xml_entry.py`` use feedgen.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from publisher.feeds.formats import jsonfeed
from publisher.feeds.formats.archive_links import NO_ARCHIVE, ArchiveLinks
from publisher.feeds.formats.xml_entry import BODY_PLACEHOLDER, declare_namespaces, escape_text
from publisher.feeds.namespaces import ATOM, HISTORY
from publisher.feeds.site_info import SiteInfo
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.media_types import FEED_TYPES
from publisher.model.taxonomy import FacetKind

#: The time of change of an empty feed: feeds must have one, and bytes must not depend on the clock.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def render_frame(
    definition: FeedDefinition,
    form: FeedFormat,
    site_info: SiteInfo,
    changed: datetime | None,
    archive_links: ArchiveLinks = NO_ARCHIVE,
) -> tuple[bytes, bytes]:
    """Return the bytes before and after the entries of a feed; joined, they are a feed without entries.

    CHANGED is the newest change of an entry; None in an empty feed.
    """
    if form is FeedFormat.JSON:
        return jsonfeed.render_head_and_tail(definition, site_info, archive_links)
    changed = changed or _EPOCH
    feed = _feed_generator(definition, form, site_info, changed, archive_links)
    if form is FeedFormat.RSS:
        data, end = _rss(feed, site_info, changed, is_archive=archive_links.page is not None), b"</channel>"
    else:
        data, end = _atom(feed, site_info), b"</feed>"
    at = data.rindex(end)
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


def join_feed(form: FeedFormat, frame: tuple[bytes, bytes], entries: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Yield the bytes of a feed: head, ENTRIES (body, entry with the placeholder of the body) in order, tail."""
    between = b",\n" if form is FeedFormat.JSON else b"\n"
    head, tail = frame
    yield head
    first = True
    for body, entry in entries:
        yield (b"" if first else between) + complete_entry(form, body, entry)
        first = False
    yield tail


def complete_entry(form: FeedFormat, body: str, entry: bytes) -> bytes:
    """Return an entry with the body of its article."""
    escape: Callable[[str], bytes] = jsonfeed.escape_body if form is FeedFormat.JSON else escape_text
    return entry.replace(BODY_PLACEHOLDER, escape(body), 1)


class _HeadExtension(BaseExtension):  # type: ignore[misc]
    """The elements that feedgen omits from heads: hubs and archive links in RSS, ``fh:archive`` in both.

    The namespace is declared only if it is used, because validators warn about unused ones.
    """

    def __init__(self) -> None:
        self.links: list[tuple[str, str, str | None]] = []
        self.is_archive = False

    def extend_ns(self) -> dict[str, str]:
        return {"fh": HISTORY} if self.is_archive else {}

    def extend_rss(self, rss: Any) -> Any:
        self._extend(rss[0], f"{{{ATOM}}}link")
        return rss

    def extend_atom(self, feed: Any) -> Any:
        self._extend(feed, "link")
        return feed

    def _extend(self, parent: Any, tag: str) -> None:
        own = next(child for child in parent.iterchildren(tag) if child.get("rel") == "self")
        for rel, href, kind in reversed(self.links):
            link = etree.Element(tag, href=href, rel=rel)
            if kind is not None:
                link.attrib["type"] = kind
            own.addnext(link)
        if self.is_archive:
            etree.SubElement(parent, f"{{{HISTORY}}}archive")


def _feed_generator(
    definition: FeedDefinition, form: FeedFormat, site_info: SiteInfo, changed: datetime, archive_links: ArchiveLinks
) -> FeedGenerator:
    kind = FEED_TYPES[form]
    feed = FeedGenerator()
    # The ID of a feed never changes: those of custom feeds were made when their kind was called "channel".
    name = "channel" if definition.kind is FacetKind.CUSTOM else definition.kind.value
    feed.id(uuid.uuid5(site_info.namespace, f"feed:{name}/{definition.slug}").urn)
    feed.title(definition.title)
    feed.description(definition.description or definition.title)
    feed.link(href=archive_links.url(definition, form.value), rel="self", type=kind)
    # feedgen writes the last link as the channel's, so the home page comes last.
    feed.link(href=definition.home_page_url, rel="alternate", type="text/html")
    feed.language(definition.language)
    feed.author({"name": site_info.author})
    feed.updated(changed)
    feed.lastBuildDate(changed)
    feed.generator("Publisher")
    declare_namespaces(feed)
    feed.register_extension("publisher", _HeadExtension, None, atom=True, rss=True)
    feed.publisher.is_archive = archive_links.page is not None
    if archive_links.page is None:
        feed.publisher.links += [("hub", hub, None) for hub in site_info.hubs]
    else:
        feed.publisher.links.append(("current", f"{definition.url}.{form.value}", kind))
    previous = archive_links.previous_url(definition, form.value)
    if previous is not None:
        feed.publisher.links.append(("prev-archive", previous, kind))
    if site_info.rights:
        feed.rights(site_info.rights)
    return feed


def _rss(feed: FeedGenerator, site_info: SiteInfo, changed: datetime, *, is_archive: bool) -> bytes:
    """Return an RSS feed without items."""
    if site_info.logo is not None:
        # feedgen uses the title and link of the channel, which validators require.
        feed.image(url=site_info.logo.url, width=str(site_info.logo.width), height=str(site_info.logo.height))
    if site_info.cloud is not None and not is_archive:
        cloud = site_info.cloud
        # registerProcedure is only for XML-RPC, but required.
        feed.cloud(cloud.host, str(cloud.port), cloud.register_path, "", cloud.protocol)
    data: bytes = feed.rss_str()
    # feedgen formats the date in the locale of the process; replace it.
    start = data.index(b"<lastBuildDate>") + len(b"<lastBuildDate>")
    return data[:start] + format_datetime(changed).encode() + data[data.index(b"</lastBuildDate>") :]


def _atom(feed: FeedGenerator, site_info: SiteInfo) -> bytes:
    """Return an Atom feed without entries."""
    if site_info.icon is not None:
        feed.icon(site_info.icon)
    if site_info.logo is not None:
        feed.logo(site_info.logo.url)
    return bytes(feed.atom_str())
