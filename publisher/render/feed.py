"""Articles → feed entries; entries under a feed's head → the bytes of a feed.

feedgen draws both, here and in ``render/shapes.py``, and nowhere else. An entry is made once per
revision of its article; a feed is its head, the entries joined, and its tail.
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from feedgen.feed import FeedGenerator

from publisher.markup import absolute_urls, direction, excerpt, plain_text, safe_url
from publisher.model import Article, Channel, FacetKind, FeedFormat
from publisher.render import jsonfeed
from publisher.render.shapes import HOLE, HouseExtension, Shape, attribute, drawn, filled, text

__all__ = ["MEDIA_TYPES", "REVISION", "Entry", "House", "joined", "render_entry"]

#: Raise it when the same article is to give other bytes than before: every entry is made anew.
REVISION: Final = "1"

MEDIA_TYPES: Final[Mapping[FeedFormat, str]] = {
    FeedFormat.RSS: "application/rss+xml",
    FeedFormat.ATOM: "application/atom+xml",
    FeedFormat.JSON: "application/feed+json",
}
#: What an empty feed says it was changed at: a feed must say something, and no clock may.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
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
#: RFC 822 names, whatever the process's locale says.
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every entry and feed of a site shares."""

    title: str
    base_url: str
    #: Where feeds/ can be reached, without a slash at the end.
    feeds_url: str
    language: str
    #: Who signs an article that names nobody.
    author: str
    rights: str | None
    #: The seed of the feeds' own ids.
    namespace: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An article in every format, with :data:`~publisher.render.shapes.HOLE` where the body goes."""

    #: HTML with absolute addresses: picture, text, and who wrote it.
    body: str
    rss: bytes
    atom: bytes
    json: bytes


def rfc822(moment: datetime) -> str:
    """Return the instant as RSS wants it (RFC 822 with a four-digit year and a numeric zone)."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S %z}"


def full_body(article: Article, house: House) -> str:
    """Return what a feed reader shows of an article: picture, text and bios, all addresses absolute."""
    parts = []
    image = article.image
    if image is not None and (source := image_url(article, house)):
        size = "".join(
            f' {name}="{value}"' for name, value in (("width", image.width), ("height", image.height)) if value
        )
        credit = f"Image: {image.credit}" if image.credit else ""
        caption = " ".join(part for part in (image.caption, credit) if part)
        parts.append(
            f'<figure><img src="{html.escape(source)}" alt="{html.escape(image.alt or "")}"{size}>'
            + (f"<figcaption>{html.escape(caption, quote=False)}</figcaption>" if caption else "")
            + "</figure>"
        )
    parts.append(absolute_urls(article.body, article.link))
    bios = dict.fromkeys(author.bio for author in article.authors if author.bio)
    parts.extend(f"<p><em>{html.escape(bio, quote=False)}</em></p>" for bio in bios)
    body = "\n".join(part for part in parts if part)
    turned = direction(article.title) == "rtl"
    foreign = article.language is not None and article.language != house.language
    if not body or not (turned or foreign):
        return body
    attributes = (f' lang="{article.language}"' if foreign else "") + (' dir="rtl"' if turned else "")
    return f"<div{attributes}>\n{body}\n</div>"


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
    body, brief = full_body(article, house), summary(article)
    source = image_url(article, house)
    facets = [(kind, label) for kind, label in article.facets() if kind in _SCHEMES]
    values: dict[bytes, bytes] = {
        b"id": text(article.id),
        b"title": text(article.title),
        b"link": attribute(article.link),
        b"published": article.published.isoformat().encode(),
        b"published_rfc822": rfc822(article.published).encode(),
        b"changed": article.changed.isoformat().encode(),
        b"summary": text(brief),
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
        has_body=bool(body),
        image=_image_values(article, source, values),
    )
    rss, atom = drawn(shape)
    # The same label stands in an attribute in Atom and between tags in RSS; the link too.
    rss_values = {**values, b"link": text(article.link)}
    atom_values = dict(values)
    for number, (_, label) in enumerate(facets):
        atom_values[b"category%d" % number] = attribute(label)
    return Entry(
        body=body,
        rss=filled(rss, rss_values),
        atom=filled(atom, atom_values),
        json=jsonfeed.render_item(article, language=house.language, image=source, brief=brief, author=house.author),
    )


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
    if house.rights:
        feed.rights(house.rights)
    return feed


def _rss_head(channel: Channel, house: House, changed: datetime) -> tuple[bytes, bytes]:
    feed = _generator(channel, FeedFormat.RSS, house, changed)
    feed.register_extension("house", HouseExtension, None, atom=False, rss=True)
    data: bytes = feed.rss_str()
    # feedgen asks the C library for the date, and with it for the process's locale: ours instead.
    start = data.index(b"<lastBuildDate>") + len(b"<lastBuildDate>")
    end = data.index(b"</lastBuildDate>")
    data = data[:start] + rfc822(changed).encode() + data[end:]
    at = data.rindex(b"</channel>")
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


def _atom_head(channel: Channel, house: House, changed: datetime) -> tuple[bytes, bytes]:
    feed = _generator(channel, FeedFormat.ATOM, house, changed)
    feed.register_extension("house", _AtomMedia, None, atom=True, rss=False)
    data: bytes = feed.atom_str()
    at = data.rindex(b"</feed>")
    return data[:at] + b"\n", b"\n" + data[at:] + b"\n"


class _AtomMedia(HouseExtension):
    def extend_ns(self) -> dict[str, str]:
        # Atom has authors of its own; an unused namespace would only draw questions.
        return {"media": super().extend_ns()["media"]}


def _json_head(channel: Channel, house: House, _: datetime) -> tuple[bytes, bytes]:
    return jsonfeed.head(channel, author=house.author)


_HEADS: Final[Mapping[FeedFormat, Callable[[Channel, House, datetime], tuple[bytes, bytes]]]] = {
    FeedFormat.RSS: _rss_head,
    FeedFormat.ATOM: _atom_head,
    FeedFormat.JSON: _json_head,
}
