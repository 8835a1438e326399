"""An article → its entry in every feed format, made once per revision.

What stands around the text is in the entry; the text itself is put in when a feed is joined, so
that it is kept once and not once a format.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Final

from publisher.markup import absolute_urls, direction, excerpt, plain_text, safe_url
from publisher.model import Article, FacetKind
from publisher.render import jsonfeed
from publisher.render.house import House
from publisher.render.shapes import HOLE, Shape, attribute, drawn, filled, text

__all__ = ["Entry", "render_entries", "render_entry"]

_SUMMARY_WORDS: Final = 55
_SCHEMES: Final = (FacetKind.TOPIC, FacetKind.REGION, FacetKind.BRAND, FacetKind.TAG)
_IMAGE_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An article in every format, with :data:`~publisher.render.shapes.HOLE` where the body goes."""

    #: The article's HTML with absolute addresses; None where the article's own is that already.
    body: str | None
    rss: bytes
    atom: bytes
    json: bytes


def around(article: Article, house: House) -> tuple[str, str]:
    """Return what a feed reader shows before and after an article's text: its picture, who wrote it."""
    before: list[str] = []
    after: list[str] = []
    turned = direction(article.title) == "rtl"
    foreign = article.language is not None and article.language != house.language
    if turned or foreign:
        attributes = (f' lang="{article.language}"' if foreign else "") + (' dir="rtl"' if turned else "")
        before.append(f"<div{attributes}>")
    image = article.image
    if image is not None and (source := image_url(article, house)):
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
    bios = dict.fromkeys(author.bio for author in article.authors if author.bio)
    after.extend(f"<p><em>{html.escape(bio, quote=False)}</em></p>" for bio in bios)
    if turned or foreign:
        after.append("</div>")
    return "".join(f"{part}\n" for part in before), "".join(f"\n{part}" for part in after)


def image_url(article: Article, house: House) -> str | None:
    """Return the absolute address of an article's picture, or None where it has none to show."""
    if article.image is None or article.image.url is None:
        return None
    return safe_url(article.image.url, house.base_url + "/")


def summary(article: Article) -> str:
    """Return the dek, or where there is none the first words of the body."""
    return article.dek or excerpt(plain_text(article.body), _SUMMARY_WORDS)


def render_entry(article: Article, house: House) -> Entry:
    """Return an article's entry in every format."""
    before, after = around(article, house)
    absolute = absolute_urls(article.body, article.link)
    brief = summary(article)
    source = image_url(article, house)
    facets = [(kind, label) for kind, label in article.facets() if kind in _SCHEMES]
    values: dict[bytes, bytes] = {
        b"id": text(article.id),
        b"title": text(article.title),
        b"link": attribute(article.link),
        b"published": article.published.isoformat().encode(),
        b"published_rfc822": format_datetime(article.published).encode(),
        b"changed": article.changed.isoformat().encode(),
        b"summary": text(brief),
        b"body": text(before) + HOLE + text(after),
    }
    names = [author.name for author in article.authors] or [house.author]
    values[b"creators"] = text(", ".join(names))
    for number, name in enumerate(names):
        values[b"author%d" % number] = text(name)
    for number, author in enumerate(article.authors):
        values[b"author_url%d" % number] = text(author.url or "")
    for number, kind in enumerate(_SCHEMES):
        values[b"scheme%d" % number] = attribute(f"{house.feeds_url}/{kind.value}/")
    for number, (_, label) in enumerate(facets):
        values[b"category%d" % number] = text(label)
    shape = Shape(
        authors=tuple(author.url is not None for author in article.authors) or (False,),
        categories=tuple(_SCHEMES.index(kind) for kind, _ in facets),
        has_summary=bool(brief),
        has_body=bool(before or absolute or after),
        image=_image_values(article, source, values),
    )
    rss, atom = drawn(shape)
    # The same label stands in an attribute in Atom and between tags in RSS; the link too.
    # A headline is plain text: "<b" as &lt; reads as markup to validators, as &#x3C; it does not
    # (https://www.rssboard.org/rss-profile#data-types-characterdata).
    rss_values = {**values, b"link": text(article.link), b"title": values[b"title"].replace(b"&lt;", b"&#x3C;")}
    atom_values = dict(values)
    for number, (_, label) in enumerate(facets):
        atom_values[b"category%d" % number] = attribute(label)
    return Entry(
        body=None if absolute == article.body else absolute,
        rss=filled(rss, rss_values),
        atom=filled(atom, atom_values),
        json=jsonfeed.render_item(
            article, house.language, image=source, brief=brief, author=house.author, before=before, after=after
        ),
    )


def render_entries(
    job: tuple[Sequence[Article], House],
) -> tuple[list[tuple[int, Entry]], list[tuple[Article, str]]]:
    """Return (arrival number, entry) of articles, and those that none could be made of, with the reason.

    Whatever is wrong with one article, the others get their entries.
    """
    articles, house = job
    entries, broken = [], []
    for article in articles:
        try:
            entries.append((article.seq, render_entry(article, house)))
        except Exception as error:
            broken.append((article, str(error)))
    return entries, broken


def _image_values(article: Article, source: str | None, values: dict[bytes, bytes]) -> tuple[str, ...]:
    """Put what is known of the picture among the values, and return what that is."""
    image = article.image
    if source is None or image is None:
        return ()
    suffix = source.rpartition("/")[2].partition("?")[0]
    found = {
        "url": source,
        "type": _IMAGE_TYPES.get("." + suffix.rpartition(".")[2].lower()),
        "width": str(image.width) if image.width else None,
        "height": str(image.height) if image.height else None,
        "alt": image.alt,
        "credit": image.credit,
    }
    known = {name: value for name, value in found.items() if value}
    for name, value in known.items():
        escape = text if name in ("alt", "credit") else attribute
        values[b"image_" + name.encode()] = escape(value)
    return tuple(known)
