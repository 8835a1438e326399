"""Article records as parsed, and articles as stored. Datetimes must be aware."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from publisher.model.taxonomy import FacetKind


def require_aware(moment: datetime) -> datetime:
    """Return MOMENT unchanged if it is an aware datetime.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """An author of an article."""

    #: The name as in the byline: ``Amara Okafor``.
    name: str
    #: One or two sentences about the author, plain text.
    bio: str | None = None
    #: Absolute URL of the author's own page.
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An article's image, or only its credit if the record has no URL."""

    #: Absolute URL, or relative to the site; None if only the credit is known.
    url: str | None = None
    #: Copyright holder or photographer: ``Reuters / Ana Lima``.
    credit: str | None = None
    #: Text alternative (the ``alt`` attribute).
    alt: str | None = None
    #: Caption, plain text.
    caption: str | None = None
    #: Pixels.
    width: int | None = None
    #: Pixels.
    height: int | None = None
    #: Size of the file in bytes, if known.
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that belongs to an article, such as an audio recording or a document."""

    #: Absolute URL, or relative to the site.
    url: str
    #: Media type, as in ``audio/mpeg``.
    type: str
    #: Size in bytes. RSS 2.0 requires it: without it, the enclosure is not in the RSS feed.
    length: int | None = None
    #: Plain text.
    title: str | None = None
    #: Playing time in seconds.
    duration: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A public correction of an article."""

    at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One article as parsed from a file, without an ID.

    Text fields are plain text without characters that XML forbids; ``body`` is sanitised HTML.
    """

    #: The headline; never empty.
    title: str
    #: The publication time of the record: a day in the site's time zone, or an aware datetime.
    date: date | datetime
    #: The summary paragraph under the headline.
    dek: str | None = None
    #: Sanitised HTML; URLs in it may be relative.
    body: str = ""
    authors: tuple[Author, ...] = ()
    topic: str | None = None
    region: str | None = None
    brand: str | None = None
    tags: tuple[str, ...] = ()
    image: Image | None = None
    #: Attached files. RSS allows one, and uses the first.
    enclosures: tuple[Enclosure, ...] = ()
    #: The ID in the export, if any. It has priority over ``url`` and the file name.
    external_id: str | None = None
    #: Absolute URL of the article, if the record has one.
    url: str | None = None
    #: Last part of the URL path, if the record has one.
    slug: str | None = None
    #: Time of the last significant change.
    updated: datetime | None = None
    #: BCP 47 language of the article, if it differs from the site's.
    language: str | None = None
    #: Expiry time, at which the article is withdrawn.
    expires: datetime | None = None

    def __post_init__(self) -> None:
        """Require aware datetimes."""
        for moment in (self.date, self.updated, self.expires):
            if isinstance(moment, datetime):
                require_aware(moment)

    def facets(self) -> tuple[tuple[FacetKind, str], ...]:
        """Return the (kind, label) pairs of the record, each once, in a fixed order."""
        single = ((FacetKind.TOPIC, self.topic), (FacetKind.REGION, self.region), (FacetKind.BRAND, self.brand))
        pairs = [(kind, label) for kind, label in single if label]
        pairs.extend((FacetKind.TAG, tag) for tag in self.tags)
        pairs.extend((FacetKind.AUTHOR, author.name) for author in self.authors)
        return tuple(dict.fromkeys(pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Article(Record):
    """A record with a permanent ID."""

    #: ``urn:uuid:…`` or ``tag:…``; the guid of feed entries. It never changes.
    id: str
    #: Arrival number in the database: 1 for the first article.
    seq: int
    #: Absolute URL of the article.
    link: str
    #: Publication time, different for each article.
    published: datetime
    #: Time of the last significant change; equal to ``published`` if there was none.
    changed: datetime
    #: Oldest first.
    corrections: tuple[Correction, ...] = ()

    def __post_init__(self) -> None:
        """Require aware datetimes."""
        # Not super(): with slots=True, the dataclass decorator creates a new class.
        Record.__post_init__(self)
        require_aware(self.published)
        require_aware(self.changed)
