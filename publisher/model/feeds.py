"""Feed definitions and formats."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from publisher.model.taxonomy import FacetKind


class FeedFormat(StrEnum):
    """The formats a feed is staged in. The value is the file's suffix."""

    RSS = "rss"
    ATOM = "atom"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDefinition:
    """The definition of a feed."""

    #: The kind of label; also the folder under ``feeds/``.
    kind: FacetKind
    #: File name without suffix.
    slug: str
    title: str
    description: str
    language: str
    #: Absolute URL of the web page that the feed belongs to.
    home_page_url: str
    #: Absolute URL of the feed, without suffix.
    url: str
    #: Absolute URL of the archive pages, without page number and suffix; None without archive pages.
    archive_url: str | None = None
