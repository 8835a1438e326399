"""The records that everything else is about: frozen, keyword-only, aware datetimes only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

__all__ = [
    "ALL",
    "Article",
    "Author",
    "CatchUp",
    "Channel",
    "Correction",
    "DeliveryState",
    "Digest",
    "Edition",
    "Enclosure",
    "FacetKind",
    "FeedFormat",
    "Image",
    "Issue",
    "LatePolicy",
    "LetterKind",
    "Query",
    "Record",
    "SendPolicy",
    "SubscriptionState",
    "UncertainPolicy",
    "Utm",
    "aware",
]


class FacetKind(StrEnum):
    """What a feed can be about. The value is the folder under ``feeds/``."""

    ALL = "all"
    CHANNEL = "channel"
    TOPIC = "topic"
    REGION = "region"
    BRAND = "brand"
    TAG = "tag"
    AUTHOR = "author"


class FeedFormat(StrEnum):
    """The formats a feed is staged in. The value is the file's suffix."""

    RSS = "rss"
    ATOM = "atom"
    JSON = "json"


class SendPolicy(StrEnum):
    """Whether an issue waits for a person (``review``) or may leave by itself (``auto``)."""

    REVIEW = "review"
    AUTO = "auto"


class SubscriptionState(StrEnum):
    """Whether a subscriber may be mailed. Only ``active`` may; the later a state, the safer it is."""

    #: Subscribed.
    ACTIVE = "active"
    #: Asked to subscribe, or was added, and has not confirmed.
    UNCONFIRMED = "unconfirmed"
    #: Left, was removed, or never agreed.
    UNSUBSCRIBED = "unsubscribed"
    #: The address must not be mailed: it bounced, complained or was blocked.
    SUPPRESSED = "suppressed"


class DeliveryState(StrEnum):
    """Where a reader's copy of an issue is. Each is written down before the next step is taken."""

    #: Waits for its turn.
    QUEUED = "queued"
    #: A sender has taken it; nothing of the message has left.
    SENDING = "sending"
    #: The message is leaving, and no answer is known.
    HANDED_OVER = "handed over"
    #: A server has taken it, and answers for it.
    ACCEPTED = "accepted"
    #: Refused for now; it is tried again.
    DEFERRED = "deferred"
    #: Refused for good.
    FAILED = "failed"
    #: The connection ended between the message and the answer: nobody knows (RFC 1047).
    UNCERTAIN = "uncertain"
    #: The reader left, or was taken off the list, before her turn came.
    SUPPRESSED = "suppressed"


class CatchUp(StrEnum):
    """What becomes of slots that were missed, because nothing ran or clocks were put forward."""

    #: The newest of them is made up for; it stands for all.
    LATEST = "latest"
    #: None is.
    NONE = "none"
    #: Each is, oldest first.
    ALL = "all"


class LatePolicy(StrEnum):
    """What becomes of a copy that comes too late for the morning that it was made for."""

    SEND = "send"
    DROP = "drop"


class LetterKind(StrEnum):
    """What a mail to one person is about that is no newsletter."""

    #: Somebody, perhaps she, wants newsletters to be sent to her.
    JOIN = "join"
    #: The same of somebody who has them already.
    KNOWN = "known"
    #: The newest issue, for who has just joined.
    WELCOME = "welcome"
    #: Her mail is to go to another address: to the old one, and to the new one.
    LEAVING_ADDRESS = "leaving address"
    NEW_ADDRESS = "new address"
    #: All that is known of her is to be shown to her.
    DOWNLOAD = "download"
    #: All that is known of her is to be erased.
    ERASE = "erase"


class UncertainPolicy(StrEnum):
    """What becomes of a copy of which nobody knows whether it was taken."""

    #: It is listed by name and waits for a person.
    HOLD = "hold"
    #: It is sent again, under the same Message-ID.
    RESEND = "resend"
    #: It counts as delivered.
    SKIP = "skip"


def aware(moment: datetime) -> datetime:
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

    def __post_init__(self) -> None:
        """Refuse instants without a zone."""
        for moment in (self.date, self.updated):
            if isinstance(moment, datetime):
                aware(moment)

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
        aware(self.published)
        aware(self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which articles are asked for: any of the labels of a kind, in all kinds that are named."""

    wanted: tuple[tuple[FacetKind, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A feed's definition."""

    #: The folder under ``feeds/``, and what the feed is about.
    kind: FacetKind
    #: The file's name without its suffix.
    slug: str
    title: str
    description: str
    language: str
    #: The absolute address of the page that the feed belongs to.
    home: str
    #: The absolute address of the feed itself, without its suffix.
    address: str
    #: Where its archive pages are, without page and suffix; None where it has none.
    archive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Utm:
    """What is added to a digest's links to articles (utm_source, utm_medium, utm_campaign)."""

    source: str
    medium: str = "email"
    #: A Jinja2 template.
    campaign: str = "{{ digest.slug }}-{{ number }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A newsletter's definition."""

    slug: str
    title: str
    query: Query = field(default_factory=Query)
    #: No issue carries more articles than this.
    at_most: int = 10
    #: No issue is made of fewer new articles than this.
    at_least: int = 1
    #: An article dated more than so many days before it was first read is no news.
    news_days: int = 14
    #: The folder under ``templates/digest/``.
    template: str = "magazine"
    #: A Jinja2 template of the subject line.
    subject: str = "{{ digest.title }}: {{ lead.title }}"
    #: A Jinja2 template of what mail programs show after the subject.
    preheader: str = "{{ lead.dek or lead.excerpt }}"
    #: Topic, region or brand: what the stories after the lead are grouped by.
    group_by: FacetKind | None = None
    #: Labels of the groups in their order; the others follow.
    sections: tuple[str, ...] = ()
    #: True where an issue carries whole articles, False where it carries their beginnings.
    full_text: bool = False
    #: Stories after so many, the lead counted, are brief.
    briefs_after: int = 12
    #: Bytes that an issue's HTML may take.
    size_limit: int = 90 * 1024
    utm: Utm | None = None
    #: When a copy is due on its reader's own clock; None for as soon as the issue may be sent.
    deliver_at: time | None = None
    send: SendPolicy = SendPolicy.REVIEW
    #: True where readers get articles that they have had in an issue of another digest.
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What readers of one selection get of an issue: rendered once, with tokens for what differs."""

    #: Arrival numbers, in their order.
    articles: tuple[int, ...]
    #: What makes its tokens its own.
    mark: str
    html: bytes
    text: bytes
    #: Its own: it may name its lead. None where it was made before editions had one.
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One immutable edition of a digest, unique on (digest, slot)."""

    digest: str
    #: The instant it stands for, to the minute.
    slot: datetime
    #: The folder under ``outbox/DIGEST/``: the slot on the newsroom's clock.
    name: str
    #: 1 for a digest's first issue.
    number: int
    subject: str
    #: Ids of its articles, in their order.
    articles: tuple[str, ...]
    #: What is staged: file name → bytes.
    files: dict[str, bytes]
    #: Its text with tokens, once per distinct set of articles that readers get.
    editions: tuple[Edition, ...]
    #: How many errors the preflight found.
    errors: int


#: The facet that every article belongs to.
ALL = (FacetKind.ALL, "all")
