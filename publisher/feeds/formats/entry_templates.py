"""feedgen's XML for one entry, drawn once for each shape of entry and then filled.

The only user of feedgen, with ``render/feed.py``. Feedgen takes 100 times longer to draw an entry
than it takes to fill a drawn one, and all entries with as many authors, categories and so on are
drawn alike. A test holds that a filled shape is byte for byte what feedgen writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

__all__ = [
    "BODY_PLACEHOLDER",
    "EntryStructure",
    "declare_namespaces",
    "entry_templates",
    "escape_attribute",
    "escape_text",
]

#: Where an entry's body goes. XML cannot carry NUL, so nothing else in an entry is one.
BODY_PLACEHOLDER: Final = b"\x00"

_DC: Final = "http://purl.org/dc/elements/1.1/"
_MEDIA: Final = "http://search.yahoo.com/mrss/"
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"

#: Instants that stand in a drawn shape where an entry's own go.
_PUBLISHED: Final = datetime(2001, 1, 1, 1, 1, 1, tzinfo=UTC)
_CHANGED: Final = datetime(2002, 2, 2, 2, 2, 2, tzinfo=UTC)
_DATE_PLACEHOLDERS: Final = (
    (b"2001-01-01T01:01:01+00:00", b"{{published}}"),
    (b"Mon, 01 Jan 2001 01:01:01 +0000", b"{{published_rfc822}}"),
    (b"2002-02-02T02:02:02+00:00", b"{{changed}}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStructure:
    """What decides how an entry is drawn, apart from its text."""

    #: For each author, whether an address is known.
    authors: tuple[bool, ...] = ()
    #: How many categories carry each scheme's number.
    categories: tuple[int, ...] = ()
    has_summary: bool = False
    has_body: bool = False
    #: Which of url, type, width, height, length, credit, alt are known of the picture; empty for none.
    image: tuple[str, ...] = ()
    #: For each file that comes with it, which of length and title are known.
    enclosures: tuple[tuple[bool, bool], ...] = ()
    #: Whether it is in another language than the site.
    has_language: bool = False


class _RssNamespaces(BaseExtension):  # type: ignore[misc]
    """The namespaces at the root: what feedgen's own extensions declare is either too much or wrong."""

    def extend_ns(self) -> dict[str, str]:
        """Return prefix → namespace."""
        return {"dc": _DC, "media": _MEDIA}


class _AtomNamespaces(BaseExtension):  # type: ignore[misc]
    """Atom has authors of its own; an unused namespace would only draw questions."""

    def extend_ns(self) -> dict[str, str]:
        return {"media": _MEDIA}


class _EntryExtension(BaseEntryExtension):  # type: ignore[misc]
    """What feedgen leaves out of an entry.

    - A name-only RSS author vanishes: all authors stand joined in one ``dc:creator``, because
      reader programs keep only the first or the last of several.
    - An Atom link loses rel and type: the alternate link gets them back.
    - feedgen's media extension wraps one image in a group, an error, and knows no credit.
    """

    def __init__(self) -> None:
        self.structure = EntryStructure()

    def extend_rss(self, entry: Any) -> Any:
        if self.structure.authors:
            creator = etree.Element(f"{{{_DC}}}creator")
            creator.text = "{{creators}}"
            entry.insert(_index_of(entry, "guid"), creator)
        for number, (has_length, _) in enumerate(self.structure.enclosures):
            if has_length:
                # One at most, and none without its length (https://www.rssboard.org/rss-profile#element-channel-item-enclosure).
                enclosure = etree.Element("enclosure", url=f"{{{{enclosure_url{number}}}}}")
                enclosure.attrib["length"] = f"{{{{enclosure_length{number}}}}}"
                enclosure.attrib["type"] = f"{{{{enclosure_type{number}}}}}"
                entry.insert(_index_of(entry, "pubDate"), enclosure)
                break
        self._media(entry)
        return entry

    def extend_atom(self, entry: Any) -> Any:
        for link in entry.iterchildren("link"):
            link.attrib["rel"] = "alternate"
            link.attrib["type"] = "text/html"
        if self.structure.has_language:
            entry.attrib[_XML_LANG] = "{{language}}"
        for number, (has_length, has_title) in enumerate(self.structure.enclosures):
            link = etree.SubElement(entry, "link", href=f"{{{{enclosure_url{number}}}}}", rel="enclosure")
            link.attrib["type"] = f"{{{{enclosure_type{number}}}}}"
            if has_length:
                link.attrib["length"] = f"{{{{enclosure_length{number}}}}}"
            if has_title:
                link.attrib["title"] = f"{{{{enclosure_title{number}}}}}"
        self._media(entry)
        return entry

    def _media(self, entry: Any) -> None:
        known = self.structure.image
        if "url" not in known:
            return
        content = etree.SubElement(entry, f"{{{_MEDIA}}}content", url="{{image_url}}", medium="image")
        for name in ("type", "width", "height"):
            if name in known:
                content.attrib[name] = f"{{{{image_{name}}}}}"
        if "length" in known:
            content.attrib["fileSize"] = "{{image_length}}"
        if "alt" in known:
            etree.SubElement(content, f"{{{_MEDIA}}}description", type="plain").text = "{{image_alt}}"
        if "credit" in known:
            # The role vocabulary is lower-case (https://www.rssboard.org/media-rss#media-credit).
            etree.SubElement(content, f"{{{_MEDIA}}}credit", role="photographer").text = "{{image_credit}}"


def declare_namespaces(feed: FeedGenerator) -> None:
    """Declare at a feed's root what its entries use: only the feed's own extensions reach it."""
    feed.register_extension("rss_namespaces", _RssNamespaces, None, atom=False, rss=True)
    feed.register_extension("atom_namespaces", _AtomNamespaces, None, atom=True, rss=False)


def _index_of(entry: Any, tag: str) -> int:
    for number, child in enumerate(entry):
        if child.tag == tag:
            return number
    return len(entry)


@lru_cache(maxsize=1024)
def entry_templates(structure: EntryStructure) -> tuple[bytes, bytes]:
    """Return the RSS item and the Atom entry of a shape, as ``%``-templates of bytes."""
    feed = FeedGenerator()
    declare_namespaces(feed)
    feed.id("urn:x")
    feed.title("x")
    feed.link(href="http://x.invalid/")
    feed.description("x")
    feed.updated(_CHANGED)
    entry = FeedEntry()
    entry.id("{{id}}")
    entry.title("{{title}}")
    entry.link(href="{{link}}")
    entry.published(_PUBLISHED)
    entry.updated(_CHANGED)
    if structure.authors:
        entry.author(
            [
                {"name": f"{{{{author{n}}}}}", **({"uri": f"{{{{author_url{n}}}}}"} if has_url else {})}
                for n, has_url in enumerate(structure.authors)
            ]
        )
    if structure.has_summary:
        # Not description(): without a body that would become Atom's content too.
        entry.summary("{{summary}}", type="text")
    if structure.has_body:
        entry.content("{{body}}", type="html")
    entry.category(
        [
            {"term": f"{{{{category{n}}}}}", "scheme": f"{{{{scheme{scheme}}}}}"}
            for n, scheme in enumerate(structure.categories)
        ]
    )
    entry.register_extension("site_info", _EntryExtension)
    entry.site_info.structure = structure
    feed.entry([entry], replace=True)
    rss, atom = feed.rss_str(), feed.atom_str()
    return (
        _template(rss[rss.index(b"<item>") : rss.rindex(b"</channel>")]),
        _template(atom[atom.index(b"<entry") : atom.rindex(b"</feed>")]),
    )


def _template(data: bytes) -> bytes:
    for stand_in, token in _DATE_PLACEHOLDERS:
        data = data.replace(stand_in, token)
    return data.replace(b"%", b"%%").replace(b"{{", b"%(").replace(b"}}", b")b")


def escape_text(value: str) -> bytes:
    """Return text as it stands between two tags, escaped as lxml does."""
    return value.encode().replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def escape_attribute(value: str) -> bytes:
    """Return text as it stands in an attribute, escaped as lxml does."""
    return escape_text(value).replace(b'"', b"&quot;")


def fill_template(template: bytes, values: Mapping[bytes, bytes]) -> bytes:
    """Return a drawn shape with an entry's own text in it."""
    return template % values
