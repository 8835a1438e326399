"""Article records as parsed and as stored. Frozen, keyword-only; aware datetimes only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from publisher.model.taxonomy import FacetKind

__all__ = ["Article", "Author", "Correction", "Enclosure", "Image", "Record", "require_aware"]


def require_aware(moment: datetime) -> datetime:
    """Return ``moment`` as it is; a naive one is refused at the door.

    Raises:
        ValueError: the datetime has no zone, so it names no instant.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Somebody who wrote an article."""

    #: The name as it is signed: ``Amara Okafor``.
    name: str
    #: One or two sentences about the author, plain text.
    bio: str | None = None
    #: The author's own page, absolute.
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An article's picture, or only its credit where the export carries no address."""

    #: Absolute address, or relative to the site; None where only the credit is known.
    url: str | None = None
    #: Who is to be named: ``Reuters / Ana Lima``.
    credit: str | None = None
    #: What a reader who cannot see it is told.
    alt: str | None = None
    #: A line under the picture, plain text.
    caption: str | None = None
    #: Pixels.
    width: int | None = None
    #: Pixels.
    height: int | None = None
    #: Bytes, where that is known.
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that comes with an article: a recording, a document."""

    #: Absolute address, or relative to the site.
    url: str
    #: Its media type, as in ``audio/mpeg``.
    type: str
    #: Bytes. RSS cannot name a file whose length is not known (RSS 2.0, <enclosure>).
    length: int | None = None
    #: What it is, plain text.
    title: str | None = None
    #: Seconds that it plays.
    duration: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Something that was put right in an article, for its readers to see."""

    at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One article as a reader of exports found it: everything but an identity.

    Text fields are plain text, cleaned of what XML cannot carry; ``body`` is sanitised HTML.
    """

    #: The headline; never empty.
    title: str
    #: When it was published, as the record says: a day (in the site's zone) or an instant.
    date: date | datetime
    #: The summary paragraph under the headline.
    dek: str | None = None
    #: Sanitised HTML; addresses in it may still be relative.
    body: str = ""
    authors: tuple[Author, ...] = ()
    topic: str | None = None
    region: str | None = None
    brand: str | None = None
    tags: tuple[str, ...] = ()
    image: Image | None = None
    #: Files that come with it; the first one is the one that RSS can name.
    enclosures: tuple[Enclosure, ...] = ()
    #: The export's own identifier, if it has one. Trusted before ``url`` and the file name.
    external_id: str | None = None
    #: Where the article can be read, absolute, if the record says.
    url: str | None = None
    #: The last part of the address, if the record says.
    slug: str | None = None
    #: When it was last changed in a way that readers should notice.
    updated: datetime | None = None
    #: BCP 47 language of the article, where it is not the site's.
    language: str | None = None
    #: From when on it is no longer published.
    expires: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse instants without a zone."""
        for moment in (self.date, self.updated, self.expires):
            if isinstance(moment, datetime):
                require_aware(moment)

    def facets(self) -> tuple[tuple[FacetKind, str], ...]:
        """Every (kind, label) that the record belongs to, each once, in a fixed order."""
        found: list[tuple[FacetKind, str]] = []
        for kind, label in (
            (FacetKind.TOPIC, self.topic),
            (FacetKind.REGION, self.region),
            (FacetKind.BRAND, self.brand),
        ):
            if label:
                found.append((kind, label))
        found.extend((FacetKind.TAG, tag) for tag in self.tags)
        found.extend((FacetKind.AUTHOR, author.name) for author in self.authors)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Article(Record):
    """A record with an identity. ``id`` never changes, whatever the record does."""

    #: ``urn:uuid:…`` or ``tag:…``; the guid of every feed entry.
    id: str
    #: Arrival number in the store: 1 for the first article ever read.
    seq: int
    #: Where it can be read, absolute.
    link: str
    #: The instant of publication: distinct from that of any other article of the same day.
    published: datetime
    #: The instant of the last significant change; equal to ``published`` if there was none.
    changed: datetime
    #: What was put right in it, oldest first.
    corrections: tuple[Correction, ...] = ()

    def __post_init__(self) -> None:
        """Refuse instants without a zone."""
        # Not super(): a dataclass with slots is another class than the one that is written here.
        Record.__post_init__(self)
        require_aware(self.published)
        require_aware(self.changed)
