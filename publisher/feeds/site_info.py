"""What every entry and feed of a site shares. Light: a run with nothing to do imports no more."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from publisher.model.feeds import FeedFormat

__all__ = ["REVISION", "Cloud", "Logo", "SiteInfo"]

#: Raise it when the same article is to give other bytes than before: every entry is made anew.
REVISION: Final = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The picture of a feed."""

    url: str
    #: Pixels.
    width: int
    #: Pixels.
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Where a reader program asks to be told of changes (https://www.rssboard.org/rsscloud-interface)."""

    host: str
    port: int
    path: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInfo:
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
    #: A square picture that stands for the site.
    icon: str | None = None
    logo: Logo | None = None
    #: WebSub hubs that are told of changes.
    hubs: tuple[str, ...] = ()
    cloud: Cloud | None = None
    #: Those that are staged: entries of the others are made, and not looked at.
    formats: tuple[FeedFormat, ...] = tuple(FeedFormat)
