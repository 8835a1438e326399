"""OPML 2.0 (http://opml.org/spec2.opml): every feed, for a reader program to take at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from lxml import etree

from publisher.model.feeds import FeedDefinition
from publisher.model.taxonomy import FacetKind

__all__ = ["HEADINGS", "render_opml"]

#: Facet kind → what people call the group, in the order in which groups are shown.
HEADINGS = {
    FacetKind.ALL: "Everything",
    FacetKind.CUSTOM: "Selections",
    FacetKind.TOPIC: "Topics",
    FacetKind.REGION: "Regions",
    FacetKind.BRAND: "Blogs",
    FacetKind.TAG: "Tags",
    FacetKind.AUTHOR: "Authors",
}


def render_opml(title: str, channels: Sequence[FeedDefinition], suffix: str) -> bytes:
    """Return the list of the channels' feeds in one format.

    Args:
        title: the list's own title.
        channels: in the order of their groups.
        suffix: the format to subscribe to, ``rss`` or ``atom``.
    """
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    for kind, group in groupby(channels, key=lambda channel: channel.kind):
        heading = etree.SubElement(body, "outline", text=HEADINGS[kind])
        for channel in group:
            etree.SubElement(
                heading,
                "outline",
                text=channel.title,
                title=channel.title,
                type="rss",
                xmlUrl=f"{channel.address}.{suffix}",
                htmlUrl=channel.home,
                description=channel.description,
                language=channel.language,
            )
    data: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
