"""The settings, key by key: types, defaults, what is allowed."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from publisher.model.digests import Digest
from publisher.model.taxonomy import FacetKind, Query
from publisher.settings import checks
from publisher.settings.delivery import BounceSettings, DeliverySettings, DkimSettings, SmtpSettings
from publisher.settings.feeds import AnnounceSettings, FeedSettings
from publisher.settings.kinds import Language, SettingsTable, Slug, Text
from publisher.settings.mail import DigestSettings, MailSettings
from publisher.settings.schedules import Schedule, ScheduleSettings, Zone, format_timetable
from publisher.settings.secrets import Secret
from publisher.settings.theme import ThemeSettings
from publisher.settings.web import WebSettings

__all__ = [
    "DatabaseSettings",
    "IngestSettings",
    "PathSettings",
    "Secret",
    "Site",
]


class PathSettings(SettingsTable):
    """Folders, relative to the site's own."""

    #: Where article records are dropped.
    articles: Text = "articles"
    #: Where feeds are staged.
    feeds: Text = "feeds"
    #: Where issues are staged.
    outbox: Text = "outbox"
    #: The site's own templates, looked at before the ones that come with the publisher.
    templates: Text = "templates"
    #: What is served at base_url: pictures and recordings that articles name, to be measured.
    media: Text = "media"


class DatabaseSettings(SettingsTable):
    """Where the store is."""

    #: An SQLAlchemy address, or a secret that holds one.
    url: str | Secret = "sqlite:///publisher.db"

    @field_validator("url")
    @classmethod
    def _known(cls, value: str | Secret) -> str | Secret:
        if isinstance(value, str) and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        return value


class IngestSettings(SettingsTable):
    """How article records are read."""

    #: A record larger than this many bytes is set aside.
    max_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 5_000_000
    #: Known tags, to part the run-together tags of a text export.
    tags: tuple[Text, ...] = ()


class Site(SettingsTable):
    """A site's settings, checked. ``root`` is the folder that holds ``publisher.toml``."""

    title: Text
    base_url: Annotated[str, AfterValidator(checks.base_url)]
    description: str = ""
    #: The seed of article ids. Base_url's host by default; set it before you move house.
    id: Text | None = None
    language: Language = "en"
    zone: Zone = "UTC"
    #: Named where an article has no author; the site's title by default.
    author: Text | None = None
    rights: str | None = None
    article_url: str = "/{year}/{month}/{slug}"
    paths: PathSettings = PathSettings()
    database: DatabaseSettings = DatabaseSettings()
    ingest: IngestSettings = IngestSettings()
    feeds: FeedSettings = FeedSettings()
    announce: AnnounceSettings = AnnounceSettings()
    digests: dict[Slug, DigestSettings] = Field(default_factory=dict)
    mail: MailSettings | None = None
    smtp: SmtpSettings | None = None
    delivery: DeliverySettings = DeliverySettings()
    bounces: BounceSettings = BounceSettings()
    #: Keys that sign every copy.
    dkim: tuple[DkimSettings, ...] = ()
    #: What readers' passes and the list of suppressed addresses are made with; publisher.key by default.
    secret: Secret | None = None
    theme: ThemeSettings = ThemeSettings()
    web: WebSettings = WebSettings()

    _root: Path = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Keep the folder that the settings were read from."""
        self._root = Path(context["root"])

    @model_validator(mode="after")
    def _mail_for_digests(self) -> Site:
        if self.digests and self.mail is None:
            raise ValueError("[mail] with a sender is needed where there are digests, and missing")
        return self

    @model_validator(mode="after")
    def _keys(self) -> Site:
        if len({one.selector for one in self.dkim}) < len(self.dkim):
            raise ValueError("dkim: each key needs a selector of its own")
        return self

    @field_validator("article_url")
    @classmethod
    def _pattern(cls, value: str) -> str:
        allowed = {"year", "month", "day", "slug", "topic", "id"}
        names = set(re.findall(r"\{([^{}]*)\}", value))
        if not value.startswith("/") or names - allowed or re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", value)):
            raise ValueError("must begin with / and may name {year} {month} {day} {slug} {topic} {id}")
        if not names & {"slug", "id"}:
            raise ValueError("must name {slug} or {id}, or articles would share an address")
        return value

    @property
    def root(self) -> Path:
        """The site's folder."""
        return self._root

    @cached_property
    def tz(self) -> ZoneInfo:
        """The newsroom's clock."""
        return ZoneInfo(self.zone)

    @property
    def host(self) -> str:
        """The host name of ``base_url``."""
        return urlsplit(self.base_url).hostname or "localhost"

    @property
    def feeds_url(self) -> str:
        """Where ``feeds/`` can be reached, without a slash at the end."""
        return self.feeds.url or f"{self.base_url}/feeds"

    @property
    def default_author(self) -> str:
        """Who signs an article that names nobody."""
        return self.author or self.title

    @property
    def newsletters_url(self) -> str:
        """Where the pages of newsletters begin, without a slash at the end."""
        return f"{self.base_url}/newsletters"

    @property
    def preferences_url(self) -> str:
        """Where a reader chooses what comes; a pass may stand in it as {copy}."""
        return (self.mail and self.mail.preferences) or f"{self.newsletters_url}/preferences"

    @property
    def issue_url(self) -> str:
        """Where an issue can be read, with {issue} and perhaps {digest} in it."""
        return (self.mail and self.mail.web_view) or f"{self.newsletters_url}/{{digest}}/{{issue}}/"

    @property
    def hub_url(self) -> str | None:
        """Where the site's own WebSub hub is; None where it has none."""
        return f"{self.base_url}/hub" if self.web.hub else None

    @property
    def hubs(self) -> tuple[str, ...]:
        """The WebSub hubs that stand in feeds: the site's own first."""
        own = self.hub_url
        return (*([own] if own else []), *(one for one in self.announce.hubs if one != own))

    @property
    def can_be_joined(self) -> bool:
        """Tell whether readers may join by themselves."""
        return self.web.join and bool(self.digests) and self.can_send

    @property
    def articles_dir(self) -> Path:
        """Where article records are dropped."""
        return self.root / self.paths.articles

    @property
    def feeds_dir(self) -> Path:
        """Where feeds are staged."""
        return self.root / self.paths.feeds

    @property
    def outbox_dir(self) -> Path:
        """Where issues are staged."""
        return self.root / self.paths.outbox

    @property
    def templates_dir(self) -> Path:
        """The site's own templates."""
        return self.root / self.paths.templates

    @property
    def maildir(self) -> Path:
        """Where copies go that no server takes."""
        return self.root / self.delivery.maildir

    @property
    def can_send(self) -> bool:
        """Tell whether the settings say how copies leave."""
        return self.smtp is not None or self.delivery.transport == "maildir"

    @property
    def delivers_locally(self) -> bool:
        """Tell whether mail stays on this machine."""
        return self.delivery.transport == "maildir"

    @property
    def media_dir(self) -> Path:
        """Pictures and recordings, as they are served at ``base_url``."""
        return self.root / self.paths.media

    @property
    def database_url(self) -> str:
        """The store's address, with a relative SQLite path joined to the site's folder."""
        url = self.database.url
        text = url.reveal(self.root) if isinstance(url, Secret) else url
        if text.startswith("sqlite:///"):
            return "sqlite:///" + str(self.root / text.removeprefix("sqlite:///"))
        return text.replace("postgresql://", "postgresql+psycopg://", 1)

    @cached_property
    def custom_feed_queries(self) -> tuple[tuple[str, Query], ...]:
        """The site's own feeds: slug, and what is in them."""
        return tuple((slug, one.query) for slug, one in self.feeds.channels.items())

    def limit(self, kind: FacetKind, slug: str) -> int | None:
        """How many articles the feed carries; None for every one."""
        limit: int | str | None = None
        if kind is FacetKind.CUSTOM and slug in self.feeds.channels:
            limit = self.feeds.channels[slug].limit
        limit = limit if limit is not None else self.feeds.limit
        return None if isinstance(limit, str) else limit

    def all_digests(self) -> tuple[Digest, ...]:
        """The newsletters, in the order of the settings."""
        return tuple(one.digest(slug) for slug, one in self.digests.items())

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """What runs by a timetable: the feeds, then the newsletters in the order of the settings."""
        feeds = ScheduleSettings(cadence=self.feeds.cadence, zone=self.feeds.zone)
        named = {"feeds": feeds, **{f"digest:{slug}": one for slug, one in self.digests.items()}}
        return tuple(
            Schedule(
                name=name,
                timetable=table,
                text=format_timetable(table),
                catch_up=one.catch_up,
                at_most_late=timedelta(hours=one.catch_up_hours),
            )
            for name, one in named.items()
            if (table := one.timetable(self.tz)) is not None
        )

    def fingerprint(self) -> str:
        """A hash of every setting that shows in a feed's bytes."""
        shown = self.model_dump(
            mode="json",
            include={
                "title",
                "base_url",
                "description",
                "language",
                "author",
                "rights",
                "feeds",
                "announce",
                "theme",
                "zone",
            },
            # When they are made does not show, nor what they were called.
            exclude={"feeds": {"cadence", "zone", "moved", "max_feeds"}},
        )
        shown["hubs"] = self.hubs
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
