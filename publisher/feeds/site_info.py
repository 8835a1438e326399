"""The site information that all entries and feeds contain. Imports little, for runs that have nothing to do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from publisher.model.feeds import FeedFormat

__all__ = ["REVISION", "Cloud", "Logo", "SiteInfo"]

#: Increase it when the rendering of entries changes: all entries are rendered again.
REVISION: Final = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The image of a feed."""

    url: str
    #: Pixels.
    width: int
    #: Pixels.
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The rssCloud server that feed readers register with (https://www.rssboard.org/rsscloud-interface)."""

    host: str
    port: int
    path: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInfo:
    """The site information that all entries and feeds contain."""

    title: str
    base_url: str
    #: The URL of feeds/, without a slash at the end.
    feeds_url: str
    language: str
    #: The author of articles without authors.
    author: str
    rights: str | None
    #: The seed of the feeds' IDs.
    namespace: uuid.UUID
    #: The URL of a square image.
    icon: str | None = None
    logo: Logo | None = None
    #: WebSub hubs that are notified of changes.
    hubs: tuple[str, ...] = ()
    cloud: Cloud | None = None
    #: The staged formats. Entries of the others are rendered, but not checked.
    formats: tuple[FeedFormat, ...] = tuple(FeedFormat)
