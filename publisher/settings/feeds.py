"""The settings of feeds: which there are, what is in them, who is told of them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from publisher.model.feeds import FeedFormat
from publisher.model.taxonomy import FacetKind, Query
from publisher.settings import checks
from publisher.settings.kinds import Limit, SettingsTable, Slug, Text, Url, make_query
from publisher.settings.schedules import Cadences, Zone

__all__ = ["AnnounceSettings", "CloudSettings", "CustomFeedSettings", "FeedSettings", "LogoSettings"]


class LogoSettings(SettingsTable):
    """The picture of a feed."""

    url: Url
    #: Pixels; RSS allows no more than 144 (https://www.rssboard.org/rss-specification#ltimagegtSubelementOfLtchannelgt).
    width: Annotated[int, Field(ge=1, le=144)] = 88
    #: Pixels; RSS allows no more than 400.
    height: Annotated[int, Field(ge=1, le=400)] = 31


class CloudSettings(SettingsTable):
    """An rssCloud server (https://www.rssboard.org/rsscloud-interface)."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 5337
    #: Where readers ask to be told.
    register_path: Annotated[str, StringConstraints(pattern=r"^/[^\s\"<>]*$")] = "/pleaseNotify"
    #: Where it is told that a feed has changed.
    ping_path: Annotated[str, StringConstraints(pattern=r"^/[^\s\"<>]*$")] = "/ping"
    protocol: Literal["http-post", "https-post"] = "http-post"

    @property
    def ping_url(self) -> str:
        """Where it is told that a feed has changed, absolute."""
        scheme = self.protocol.removesuffix("-post")
        return f"{scheme}://{self.host}:{self.port}{self.ping_path}"


class AnnounceSettings(SettingsTable):
    """Who is told of changed feeds."""

    #: WebSub hubs (https://www.w3.org/TR/websub/).
    hubs: tuple[Url, ...] = ()
    cloud: CloudSettings | None = None
    #: Seconds that one of them may take to answer.
    timeout: Annotated[int, Field(ge=1, le=60)] = 10


class CustomFeedSettings(SettingsTable):
    """A feed of the site's own: any article that carries one label of each kind named."""

    title: Text
    description: str = ""
    topic: tuple[Text, ...] = ()
    region: tuple[Text, ...] = ()
    brand: tuple[Text, ...] = ()
    tag: tuple[Text, ...] = ()
    author: tuple[Text, ...] = ()
    #: How many articles; the feeds' own limit by default.
    limit: Limit | None = None

    @property
    def query(self) -> Query:
        """What the channel or digest asks for."""
        return make_query(self.topic, self.region, self.brand, self.tag, self.author)


class FeedSettings(SettingsTable):
    """Which feeds are staged."""

    formats: tuple[FeedFormat, ...] = (FeedFormat.RSS, FeedFormat.ATOM, FeedFormat.JSON)
    #: The newest this many articles stand in a feed; "all" for every one.
    limit: Limit = 50
    #: One feed for each label of these kinds.
    by: tuple[Literal["topic", "region", "brand", "tag", "author"], ...] = (
        "topic",
        "region",
        "brand",
        "tag",
        "author",
    )
    #: Feeds of labels that the site may have; beyond it the labels of fewest articles wait.
    max_feeds: Annotated[int, Field(ge=1)] = 5_000
    #: Which of them keep their whole history, on archive pages (RFC 5005).
    archive: tuple[Literal["all", "channel", "topic", "region", "brand", "tag", "author"], ...] = ("all", "channel")
    #: Compressed twins beside each file, for web servers that hand them out.
    compress: tuple[Literal["gz", "br"], ...] = ("gz", "br")
    #: Where feeds/ can be reached; base_url + /feeds by default.
    url: Annotated[str, AfterValidator(checks.base_url)] | None = None
    #: A square picture that stands for the site in reader programs.
    icon: Url | None = None
    #: A picture that stands for a feed.
    logo: LogoSettings | None = None
    #: When a run looks after articles/, beside at once when something changes there; and on which clock.
    cadence: Cadences = ("*/15 * * * *",)
    zone: Zone | None = None
    #: Feeds that were renamed: path without suffix → its new one, or "gone" for a feed that is no more.
    moved: dict[str, str] = Field(default_factory=dict)
    #: The site's own feeds: the name of the file → what is in it.
    channels: dict[Slug, CustomFeedSettings] = Field(default_factory=dict)

    @cached_property
    def archived_kinds(self) -> frozenset[FacetKind]:
        """The kinds of feeds that have archive pages; the settings call custom feeds channels."""
        return frozenset(FacetKind.CUSTOM if name == "channel" else FacetKind(name) for name in self.archive)

    @field_validator("formats")
    @classmethod
    def _some(cls, value: tuple[FeedFormat, ...]) -> tuple[FeedFormat, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("must name at least one of rss, atom and json, each once")
        return value

    @field_validator("moved")
    @classmethod
    def _paths(cls, value: dict[str, str]) -> dict[str, str]:
        for old, new in value.items():
            for one in (old, new):
                if not re.fullmatch(r"[a-z]+/[^/\s\"<>?#]+|[^/\s\"<>?#]+", one) or one.startswith("."):
                    raise ValueError(f"{one}: must be a feed's path without suffix, as in topic/water, or gone")
            if new == old or new in value:
                raise ValueError(f"{old}: must lead straight to where the feed is now")
        return value

    @field_validator("channels")
    @classmethod
    def _not_ours(cls, value: dict[str, CustomFeedSettings]) -> dict[str, CustomFeedSettings]:
        ours = {
            "all",
            "archive",
            "gone",
            "index",
            "news-sitemap",
            "tombstones",
            "topic",
            "region",
            "brand",
            "tag",
            "author",
        } & set(value)
        if ours:
            raise ValueError(f"{', '.join(sorted(ours))}: the publisher stages files of that name itself")
        return value
