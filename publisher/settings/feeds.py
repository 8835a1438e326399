"""Settings of feeds: formats, content, archives, notifications."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from publisher.model.feeds import FeedFormat
from publisher.model.taxonomy import FacetKind
from publisher.settings import validators
from publisher.settings.field_types import ArticleQuerySettings, Limit, SettingsTable, Slug, Text, Url
from publisher.settings.schedules import Cadences, Zone

_UrlPath = Annotated[
    str, validators.matching(re.compile(r"/[^\s\"<>]*"), "must be a path that begins with /, as in /ping")
]

_LABEL_KINDS: Final = ("topic", "region", "brand", "tag", "author")


class LogoSettings(SettingsTable):
    """The image of a feed."""

    url: Url
    #: Pixels; RSS allows no more than 144 (https://www.rssboard.org/rss-specification#ltimagegtSubelementOfLtchannelgt).
    width: Annotated[int, Field(ge=1, le=144)] = 88
    #: Pixels; RSS allows no more than 400.
    height: Annotated[int, Field(ge=1, le=400)] = 31


class CloudSettings(SettingsTable):
    """An rssCloud server (https://www.rssboard.org/rsscloud-interface)."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 5337
    #: Path at which feed readers register for notifications.
    register_path: _UrlPath = "/pleaseNotify"
    #: Path that is notified of a changed feed.
    ping_path: _UrlPath = "/ping"
    protocol: Literal["http-post", "https-post"] = "http-post"

    @property
    def ping_url(self) -> str:
        """The URL that is notified of a changed feed."""
        scheme = self.protocol.removesuffix("-post")
        return f"{scheme}://{self.host}:{self.port}{self.ping_path}"


class AnnounceSettings(SettingsTable):
    """Servers to notify of changed feeds."""

    #: WebSub hubs (https://www.w3.org/TR/websub/).
    hubs: tuple[Url, ...] = ()
    cloud: CloudSettings | None = None
    #: Timeout of a notification in seconds.
    timeout: Annotated[int, Field(ge=1, le=60)] = 10


class CustomFeedSettings(ArticleQuerySettings):
    """A custom feed: articles with a label of each kind that is named."""

    title: Text
    description: str = ""
    #: Number of articles; ``feeds.limit`` by default.
    limit: Limit | None = None


class FeedSettings(SettingsTable):
    """Which feeds are staged, and how."""

    formats: tuple[FeedFormat, ...] = (FeedFormat.RSS, FeedFormat.ATOM, FeedFormat.JSON)
    #: Number of articles in a feed, the newest first; "all" for no limit.
    limit: Limit = 50
    #: A feed for each label of these kinds.
    by: tuple[Literal["topic", "region", "brand", "tag", "author"], ...] = _LABEL_KINDS
    #: Maximum number of feeds for labels; labels with the fewest articles get none.
    max_feeds: Annotated[int, Field(ge=1)] = 5_000
    #: Kinds of feeds with archive pages (RFC 5005).
    archive: tuple[Literal["all", "channel", "topic", "region", "brand", "tag", "author"], ...] = ("all", "channel")
    #: Precompressed files beside each feed.
    compress: tuple[Literal["gz", "br"], ...] = ("gz", "br")
    #: The URL of feeds/; base_url + /feeds by default.
    url: Annotated[str, AfterValidator(validators.base_url)] | None = None
    #: A square image for the site in feed readers.
    icon: Url | None = None
    #: The image of a feed.
    logo: LogoSettings | None = None
    #: When to read articles/, in addition to at once after a change; and the time zone of the cadence.
    cadence: Cadences = ("*/15 * * * *",)
    zone: Zone | None = None
    #: Renamed feeds: path without suffix → new path, or "gone" for a removed feed.
    moved: dict[str, str] = Field(default_factory=dict)
    #: Custom feeds, by slug.
    channels: dict[Slug, CustomFeedSettings] = Field(default_factory=dict)

    @cached_property
    def archived_kinds(self) -> frozenset[FacetKind]:
        """The kinds of feeds with archive pages; custom feeds are "channel" in the settings."""
        return frozenset(FacetKind.CUSTOM if name == "channel" else FacetKind(name) for name in self.archive)

    @field_validator("formats")
    @classmethod
    def _check_formats(cls, value: tuple[FeedFormat, ...]) -> tuple[FeedFormat, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("must name at least one of rss, atom and json, each once")
        return value

    @field_validator("moved")
    @classmethod
    def _check_moved(cls, value: dict[str, str]) -> dict[str, str]:
        for old, new in value.items():
            for path in (old, new):
                if not re.fullmatch(r"[a-z]+/[^/\s\"<>?#]+|[^/\s\"<>?#]+", path) or path.startswith("."):
                    raise ValueError(f"{path}: must be a feed's path without suffix, as in topic/water, or gone")
            if new == old or new in value:
                raise ValueError(f"{old}: must name the current path of the feed")
        return value

    @field_validator("channels")
    @classmethod
    def _check_names(cls, value: dict[str, CustomFeedSettings]) -> dict[str, CustomFeedSettings]:
        names = {"all", "archive", "gone", "index", "news-sitemap", "tombstones", *_LABEL_KINDS}
        if reserved := names & set(value):
            raise ValueError(
                f"{', '.join(sorted(reserved))}: the publisher stages files of that name itself; choose another name"
            )
        return value
