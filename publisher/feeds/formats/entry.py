"""Render the entry of an article in every feed format, once per revision.

An entry contains everything but the body, which is inserted when a feed is assembled. So the database
stores the body once, and not once for each format.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Final

from publisher.feeds.formats import jsonfeed
from publisher.feeds.formats.xml_entry import (
    BODY_PLACEHOLDER,
    EntryStructure,
    entry_templates,
    escape_attribute,
    escape_text,
)
from publisher.feeds.site_info import SiteInfo
from publisher.html.dates import long_date
from publisher.html.direction import text_direction
from publisher.html.text import excerpt, plain_text
from publisher.html.urls import absolute_urls, safe_url
from publisher.model.articles import Article, Correction, Enclosure
from publisher.model.media_types import media_type
from publisher.model.taxonomy import FacetKind

_SUMMARY_WORDS: Final = 55
_CATEGORY_KINDS: Final = (FacetKind.TOPIC, FacetKind.REGION, FacetKind.BRAND, FacetKind.TAG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The entry of an article in every format, each with a BODY_PLACEHOLDER in place of the body."""

    #: The article's HTML with absolute URLs; None if the article's own HTML has no others.
    body: str | None
    rss: bytes
    atom: bytes
    json: bytes


def html_around_body(article: Article, site_info: SiteInfo) -> tuple[str, str]:
    """Return the HTML before and after the body of an article: image, corrections, authors' bios."""
    before: list[str] = []
    after: list[str] = []
    is_rtl = text_direction(article.title) == "rtl"
    is_other_language = article.language is not None and article.language != site_info.language
    if is_rtl or is_other_language:
        attributes = (f' lang="{article.language}"' if is_other_language else "") + (' dir="rtl"' if is_rtl else "")
        before.append(f"<div{attributes}>")
    image = article.image
    if image is not None and (source := absolute_image_url(article, site_info)):
        size = "".join(
            f' {name}="{value}"' for name, value in (("width", image.width), ("height", image.height)) if value
        )
        credit = f"Image: {image.credit}" if image.credit else ""
        caption = " ".join(part for part in (image.caption, credit) if part)
        before.append(
            f'<figure><img src="{html.escape(source)}" alt="{html.escape(image.alt or "")}"{size}>'
            + (f"<figcaption>{html.escape(caption, quote=False)}</figcaption>" if caption else "")
            + "</figure>"
        )
    after.extend(_correction(correction, article.language or site_info.language) for correction in article.corrections)
    bios = dict.fromkeys(author.bio for author in article.authors if author.bio)
    after.extend(f"<p><em>{html.escape(bio, quote=False)}</em></p>" for bio in bios)
    if is_rtl or is_other_language:
        after.append("</div>")
    return "".join(f"{part}\n" for part in before), "".join(f"\n{part}" for part in after)


def _correction(correction: Correction, language: str) -> str:
    """Return the HTML of a correction."""
    day = long_date(correction.at, language).rpartition(", ")[2]
    return (
        f'<p><strong>Correction, <time datetime="{correction.at.isoformat()}">{day}</time>:</strong> '
        f"{html.escape(correction.note, quote=False)}</p>"
    )


def absolute_image_url(article: Article, site_info: SiteInfo) -> str | None:
    """Return the absolute URL of an article's image, or None if it has none."""
    if article.image is None or article.image.url is None:
        return None
    return safe_url(article.image.url, site_info.base_url + "/")


def render_entry(article: Article, site_info: SiteInfo) -> Entry:
    """Return the entry of an article in every format."""
    before, after = html_around_body(article, site_info)
    absolute = absolute_urls(article.body, article.link)
    brief = article.dek or excerpt(plain_text(article.body), _SUMMARY_WORDS)
    source = absolute_image_url(article, site_info)
    attachments = _attachments(article, site_info)
    facets = [(kind, label) for kind, label in article.facets() if kind in _CATEGORY_KINDS]
    values = _values(article, site_info)
    values[b"body"] = escape_text(before) + BODY_PLACEHOLDER + escape_text(after)
    structure = EntryStructure(
        authors=tuple(author.url is not None for author in article.authors) or (False,),
        categories=tuple(_CATEGORY_KINDS.index(kind) for kind, _ in facets),
        has_summary=bool(brief),
        has_body=bool(before or absolute or after),
        image=_image_values(article, source, values),
        enclosures=_enclosure_values(attachments, values),
        has_language=article.language not in (None, site_info.language),
    )
    rss, atom = entry_templates(structure)
    # An RSS description is HTML, an Atom summary of type text is not. RSS has labels and links as text,
    # Atom has them in attributes.
    rss_values = {
        **values,
        b"link": escape_text(article.link),
        b"summary": escape_text(html.escape(brief, quote=False)),
    }
    atom_values = {**values, b"summary": _plain_text(brief)}
    for number, (_, label) in enumerate(facets):
        rss_values[b"category%d" % number] = escape_text(label)
        atom_values[b"category%d" % number] = escape_attribute(label)
    return Entry(
        body=None if absolute == article.body else absolute,
        rss=rss % rss_values,
        atom=atom % atom_values,
        json=jsonfeed.render_item(
            article, site_info, image=source, attachments=attachments, brief=brief, html_around=(before, after)
        ),
    )


def _plain_text(line: str) -> bytes:
    """Return escaped text with &#x3C; for ``<``: validators take &lt; in RSS titles for markup.

    See https://www.rssboard.org/rss-profile#data-types-characterdata.
    """
    return escape_text(line).replace(b"&lt;", b"&#x3C;")


def _values(article: Article, site_info: SiteInfo) -> dict[bytes, bytes]:
    """Return the values that RSS and Atom share: name in the entry template → escaped text."""
    names = [author.name for author in article.authors] or [site_info.author]
    values: dict[bytes, bytes] = {
        b"id": escape_text(article.id),
        b"title": _plain_text(article.title),
        b"link": escape_attribute(article.link),
        b"published": article.published.isoformat().encode(),
        b"published_rfc822": format_datetime(article.published).encode(),
        b"changed": article.changed.isoformat().encode(),
        b"language": escape_attribute(article.language or site_info.language),
        b"creators": escape_text(", ".join(names)),
    }
    for number, name in enumerate(names):
        values[b"author%d" % number] = escape_text(name)
    for number, author in enumerate(article.authors):
        values[b"author_url%d" % number] = escape_text(author.url or "")
    for number, kind in enumerate(_CATEGORY_KINDS):
        values[b"scheme%d" % number] = escape_attribute(f"{site_info.feeds_url}/{kind.value}/")
    return values


def _image_values(article: Article, source: str | None, values: dict[bytes, bytes]) -> tuple[str, ...]:
    """Add the properties of the image to VALUES, and return their names."""
    image = article.image
    if source is None or image is None:
        return ()
    kind = media_type(source)
    properties = {
        "url": source,
        "type": kind if kind and kind.startswith("image/") else None,
        "width": str(image.width) if image.width else None,
        "height": str(image.height) if image.height else None,
        "length": str(image.length) if image.length else None,
        "alt": image.alt,
        "credit": image.credit,
    }
    known = {name: value for name, value in properties.items() if value}
    for name, value in known.items():
        escape = escape_text if name in ("alt", "credit") else escape_attribute
        values[b"image_" + name.encode()] = escape(value)
    return tuple(known)


def _attachments(article: Article, site_info: SiteInfo) -> list[Enclosure]:
    """Return the enclosures of an article, with absolute URLs."""
    urls = [safe_url(enclosure.url, site_info.base_url + "/") for enclosure in article.enclosures]
    return [replace(enclosure, url=url) for enclosure, url in zip(article.enclosures, urls, strict=True) if url]


def _enclosure_values(attachments: Sequence[Enclosure], values: dict[bytes, bytes]) -> tuple[tuple[bool, bool], ...]:
    """Add the properties of the enclosures to VALUES, and return whether each has a length and a title."""
    for number, enclosure in enumerate(attachments):
        values[b"enclosure_url%d" % number] = escape_attribute(enclosure.url)
        values[b"enclosure_type%d" % number] = escape_attribute(enclosure.type)
        values[b"enclosure_length%d" % number] = b"%d" % (enclosure.length or 0)
        values[b"enclosure_title%d" % number] = escape_attribute(enclosure.title or "")
    return tuple((enclosure.length is not None, enclosure.title is not None) for enclosure in attachments)
