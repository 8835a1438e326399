"""OPML 2.0 (http://opml.org/spec2.opml): a list of all feeds for import into a feed reader."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from lxml import etree

from publisher.model.feeds import FeedDefinition
from publisher.model.taxonomy import FacetKind

#: Facet kind → heading, in the order of display.
HEADINGS = {
    FacetKind.ALL: "Everything",
    FacetKind.CUSTOM: "Selections",
    FacetKind.TOPIC: "Topics",
    FacetKind.REGION: "Regions",
    FacetKind.BRAND: "Blogs",
    FacetKind.TAG: "Tags",
    FacetKind.AUTHOR: "Authors",
}


def render_opml(title: str, definitions: Sequence[FeedDefinition], suffix: str) -> bytes:
    """Return the OPML document with the feeds in one format.

    Args:
        definitions: the feeds, in the order of their groups.
        suffix: the format to subscribe to, ``rss`` or ``atom``.
    """
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    for kind, group in groupby(definitions, key=lambda definition: definition.kind):
        heading = etree.SubElement(body, "outline", text=HEADINGS[kind])
        for definition in group:
            etree.SubElement(
                heading,
                "outline",
                text=definition.title,
                title=definition.title,
                type="rss",
                xmlUrl=f"{definition.url}.{suffix}",
                htmlUrl=definition.home_page_url,
                description=definition.description,
                language=definition.language,
            )
    data: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data
