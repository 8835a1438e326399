"""Feed definitions and formats."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from publisher.model.taxonomy import FacetKind

__all__ = ["FeedDefinition", "FeedFormat"]


class FeedFormat(StrEnum):
    """The formats a feed is staged in. The value is the file's suffix."""

    RSS = "rss"
    ATOM = "atom"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDefinition:
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
