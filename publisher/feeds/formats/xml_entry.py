"""Templates of RSS and Atom entries, made by feedgen once for each structure of entries.

feedgen takes 100 times longer than filling a template, and entries with the same number of authors,
categories and so on have the same structure. A test verifies that a filled template has the bytes that
feedgen writes. Only this module and ``xml_frame.py`` use feedgen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from publisher.feeds.namespaces import DC, MEDIA, XML_LANG

#: The position of the body in an entry. XML cannot contain NUL, so it is unique.
BODY_PLACEHOLDER: Final = b"\x00"


#: Times in a template, replaced by those of the article.
_PUBLISHED: Final = datetime(2001, 1, 1, 1, 1, 1, tzinfo=UTC)
_CHANGED: Final = datetime(2002, 2, 2, 2, 2, 2, tzinfo=UTC)
_DATE_PLACEHOLDERS: Final = (
    (b"2001-01-01T01:01:01+00:00", b"{{published}}"),
    (b"Mon, 01 Jan 2001 01:01:01 +0000", b"{{published_rfc822}}"),
    (b"2002-02-02T02:02:02+00:00", b"{{changed}}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStructure:
    """The structure of an entry: which elements it has, without their text."""

    #: For each author, whether there is a URL.
    authors: tuple[bool, ...] = ()
    #: For each category, the number of its scheme.
    categories: tuple[int, ...] = ()
    has_summary: bool = False
    has_body: bool = False
    #: The known properties of the image: url, type, width, height, length, alt, credit; empty without an image.
    image: tuple[str, ...] = ()
    #: For each enclosure, whether the length and the title are known.
    enclosures: tuple[tuple[bool, bool], ...] = ()
    #: Whether the language is not that of the site.
    has_language: bool = False


class _RssNamespaces(BaseExtension):  # type: ignore[misc]
    """The namespaces of RSS: feedgen's own extensions declare unused or wrong ones."""

    def extend_ns(self) -> dict[str, str]:
        """Return prefix → namespace."""
        return {"dc": DC, "media": MEDIA}


class _AtomNamespaces(BaseExtension):  # type: ignore[misc]
    """The namespaces of Atom, which has author elements: validators warn about an unused dc namespace."""

    def extend_ns(self) -> dict[str, str]:
        return {"media": MEDIA}


class _EntryExtension(BaseEntryExtension):  # type: ignore[misc]
    """The elements that feedgen omits from entries.

    - feedgen drops RSS authors without an email address. One ``dc:creator`` has all names, because feed
      readers keep only the first or the last of several.
    - feedgen drops rel and type of Atom links.
    - feedgen's media extension puts a single image into a group, which is an error, and has no credit.
    """

    def __init__(self) -> None:
        self.structure = EntryStructure()

    def extend_rss(self, entry: Any) -> Any:
        if self.structure.authors:
            creator = etree.Element(f"{{{DC}}}creator")
            creator.text = "{{creators}}"
            entry.insert(_index_of(entry, "guid"), creator)
        for number, (has_length, _) in enumerate(self.structure.enclosures):
            if has_length:
                # One enclosure at most, with a length (https://www.rssboard.org/rss-profile#element-channel-item-enclosure).
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
            entry.attrib[XML_LANG] = "{{language}}"
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
        content = etree.SubElement(entry, f"{{{MEDIA}}}content", url="{{image_url}}", medium="image")
        for name in ("type", "width", "height"):
            if name in known:
                content.attrib[name] = f"{{{{image_{name}}}}}"
        if "length" in known:
            content.attrib["fileSize"] = "{{image_length}}"
        if "alt" in known:
            etree.SubElement(content, f"{{{MEDIA}}}description", type="plain").text = "{{image_alt}}"
        if "credit" in known:
            # The role vocabulary is lower-case (https://www.rssboard.org/media-rss#media-credit).
            etree.SubElement(content, f"{{{MEDIA}}}credit", role="photographer").text = "{{image_credit}}"


def declare_namespaces(feed: FeedGenerator) -> None:
    """Declare the namespaces of entries at the root of a feed; feedgen ignores those of entry extensions."""
    feed.register_extension("rss_namespaces", _RssNamespaces, None, atom=False, rss=True)
    feed.register_extension("atom_namespaces", _AtomNamespaces, None, atom=True, rss=False)


def _index_of(entry: Any, tag: str) -> int:
    for number, child in enumerate(entry):
        if child.tag == tag:
            return number
    return len(entry)


@lru_cache(maxsize=1024)
def entry_templates(structure: EntryStructure) -> tuple[bytes, bytes]:
    """Return the RSS item and the Atom entry of a structure, as ``%``-templates of bytes."""
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
        # Not description(): without a body, feedgen would also write it as the content of Atom.
        entry.summary("{{summary}}", type="text")
    if structure.has_body:
        entry.content("{{body}}", type="html")
    entry.category(
        [
            {"term": f"{{{{category{n}}}}}", "scheme": f"{{{{scheme{scheme}}}}}"}
            for n, scheme in enumerate(structure.categories)
        ]
    )
    entry.register_extension("publisher", _EntryExtension)
    entry.publisher.structure = structure
    feed.entry([entry], replace=True)
    rss, atom = feed.rss_str(), feed.atom_str()
    return (
        _template(rss[rss.index(b"<item>") : rss.rindex(b"</channel>")]),
        _template(atom[atom.index(b"<entry") : atom.rindex(b"</feed>")]),
    )


def _template(data: bytes) -> bytes:
    for date, placeholder in _DATE_PLACEHOLDERS:
        data = data.replace(date, placeholder)
    return data.replace(b"%", b"%%").replace(b"{{", b"%(").replace(b"}}", b")b")


def escape_text(value: str) -> bytes:
    """Return text escaped for element content, as lxml does."""
    return value.encode().replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def escape_attribute(value: str) -> bytes:
    """Return text escaped for an attribute, as lxml does."""
    return escape_text(value).replace(b'"', b"&quot;")
