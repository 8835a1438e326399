"""An article → its entry in every feed format, made once per revision.

What stands around the text is in the entry; the text itself is put in when a feed is joined, so
that it is kept once and not once a format.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Final

from publisher.feeds.formats import jsonfeed
from publisher.feeds.formats.entry_templates import (
    BODY_PLACEHOLDER,
    EntryStructure,
    entry_templates,
    escape_attribute,
    escape_text,
    fill_template,
)
from publisher.feeds.site_info import SiteInfo
from publisher.html.dates import long_date
from publisher.html.direction import text_direction
from publisher.html.text import excerpt, plain_text
from publisher.html.urls import absolute_urls, safe_url
from publisher.model.articles import Article, Correction, Enclosure
from publisher.model.media_types import media_type
from publisher.model.taxonomy import FacetKind

__all__ = ["Entry", "render_entry"]

_SUMMARY_WORDS: Final = 55
_CATEGORY_KINDS: Final = (FacetKind.TOPIC, FacetKind.REGION, FacetKind.BRAND, FacetKind.TAG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An article in every format, with :data:`~publisher.feeds.formats.entry_templates.BODY_PLACEHOLDER` where the body goes."""

    #: The article's HTML with absolute addresses; None where the article's own is that already.
    body: str | None
    rss: bytes
    atom: bytes
    json: bytes


def html_around_body(article: Article, site_info: SiteInfo) -> tuple[str, str]:
    """Return what a feed reader shows before and after an article's text: its picture, who wrote it."""
    before: list[str] = []
    after: list[str] = []
    turned = text_direction(article.title) == "rtl"
    foreign = article.language is not None and article.language != site_info.language
    if turned or foreign:
        attributes = (f' lang="{article.language}"' if foreign else "") + (' dir="rtl"' if turned else "")
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
    after.extend(_correction(one, article.language or site_info.language) for one in article.corrections)
    bios = dict.fromkeys(author.bio for author in article.authors if author.bio)
    after.extend(f"<p><em>{html.escape(bio, quote=False)}</em></p>" for bio in bios)
    if turned or foreign:
        after.append("</div>")
    return "".join(f"{part}\n" for part in before), "".join(f"\n{part}" for part in after)


def _correction(correction: Correction, language: str) -> str:
    """Return what readers are told of a correction."""
    day = long_date(correction.at, language).rpartition(", ")[2]
    return (
        f'<p><strong>Correction, <time datetime="{correction.at.isoformat()}">{day}</time>:</strong> '
        f"{html.escape(correction.note, quote=False)}</p>"
    )


def absolute_image_url(article: Article, site_info: SiteInfo) -> str | None:
    """Return the absolute address of an article's picture, or None where it has none to show."""
    if article.image is None or article.image.url is None:
        return None
    return safe_url(article.image.url, site_info.base_url + "/")


def entry_summary(article: Article) -> str:
    """Return the dek, or where there is none the first words of the body."""
    return article.dek or excerpt(plain_text(article.body), _SUMMARY_WORDS)


def render_entry(article: Article, site_info: SiteInfo) -> Entry:
    """Return an article's entry in every format."""
    before, after = html_around_body(article, site_info)
    absolute = absolute_urls(article.body, article.link)
    brief = entry_summary(article)
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
    # An RSS description is HTML, Atom's summary says that it is text. The same label stands in an
    # attribute in Atom and between tags in RSS; the link too.
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
        rss=fill_template(rss, rss_values),
        atom=fill_template(atom, atom_values),
        json=jsonfeed.render_item(
            article, site_info, image=source, attachments=attachments, brief=brief, around=(before, after)
        ),
    )


def _plain_text(line: str) -> bytes:
    """Return plain text that does not read as markup: ``<b`` as &lt; does to validators, as &#x3C; it does not.

    See https://www.rssboard.org/rss-profile#data-types-characterdata.
    """
    return escape_text(line).replace(b"&lt;", b"&#x3C;")


def _values(article: Article, site_info: SiteInfo) -> dict[bytes, bytes]:
    """Return what is the same in RSS and Atom: name in a drawn shape → text."""
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
    """Put what is known of the picture among the values, and return what that is."""
    image = article.image
    if source is None or image is None:
        return ()
    kind = media_type(source)
    found = {
        "url": source,
        "type": kind if kind and kind.startswith("image/") else None,
        "width": str(image.width) if image.width else None,
        "height": str(image.height) if image.height else None,
        "length": str(image.length) if image.length else None,
        "alt": image.alt,
        "credit": image.credit,
    }
    known = {name: value for name, value in found.items() if value}
    for name, value in known.items():
        escape = escape_text if name in ("alt", "credit") else escape_attribute
        values[b"image_" + name.encode()] = escape(value)
    return tuple(known)


def _attachments(article: Article, site_info: SiteInfo) -> list[Enclosure]:
    """Return the files that come with an article, at absolute addresses."""
    found = []
    for one in article.enclosures:
        url = safe_url(one.url, site_info.base_url + "/")
        if url is not None:
            found.append(replace(one, url=url))
    return found


def _enclosure_values(attachments: Sequence[Enclosure], values: dict[bytes, bytes]) -> tuple[tuple[bool, bool], ...]:
    """Put what is known of the files among the values, and return what that is."""
    for number, one in enumerate(attachments):
        values[b"enclosure_url%d" % number] = escape_attribute(one.url)
        values[b"enclosure_type%d" % number] = escape_attribute(one.type)
        values[b"enclosure_length%d" % number] = b"%d" % (one.length or 0)
        values[b"enclosure_title%d" % number] = escape_attribute(one.title or "")
    return tuple((one.length is not None, one.title is not None) for one in attachments)
