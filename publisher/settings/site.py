"""The settings of a site: keys, types, defaults, allowed values."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from publisher.errors import SettingsError
from publisher.model.digests import CatchUp, Digest, SendPolicy
from publisher.model.taxonomy import FacetKind, Query
from publisher.settings import validators
from publisher.settings.checks import CheckSettings
from publisher.settings.delivery import BounceSettings, DeliverySettings, DkimSettings, SmtpSettings
from publisher.settings.feeds import AnnounceSettings, FeedSettings
from publisher.settings.field_types import Language, SettingsTable, Slug, Text
from publisher.settings.mail import DigestSettings, MailSettings
from publisher.settings.schedules import Schedule, ScheduleSettings, Zone, format_timetable
from publisher.settings.secrets import Secret
from publisher.settings.theme import ThemeSettings
from publisher.settings.web import WebSettings


class PathSettings(SettingsTable):
    """Folders, relative to the site's folder."""

    #: Folder of article records.
    articles: Text = "articles"
    #: Folder of staged feeds.
    feeds: Text = "feeds"
    #: Folder of staged issues.
    outbox: Text = "outbox"
    #: The site's own templates, which override the built-in ones.
    templates: Text = "templates"
    #: Files that are served at base_url: images and audio of articles, whose size is read here.
    media: Text = "media"


class DatabaseSettings(SettingsTable):
    """The database."""

    #: An SQLAlchemy URL, or a secret with one.
    url: str | Secret = "sqlite:///publisher.db"

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str | Secret) -> str | Secret:
        if isinstance(value, str) and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        return value


class IngestSettings(SettingsTable):
    """Parsing of article records."""

    #: Larger records are rejected (bytes).
    max_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 5_000_000
    #: Known tags, to split the run-together tags of a text export.
    tags: tuple[Text, ...] = ()


def _catch_up(settings: ScheduleSettings) -> CatchUp:
    """Return which missed slots are run; one draft at a time waits for approval."""
    is_reviewed = isinstance(settings, DigestSettings) and settings.send is SendPolicy.REVIEW
    return CatchUp.LATEST if is_reviewed and settings.catch_up is CatchUp.ALL else settings.catch_up


class Site(SettingsTable):
    """The validated settings of a site. ``root`` is the folder of ``publisher.toml``."""

    title: Text
    base_url: Annotated[str, AfterValidator(validators.base_url)]
    description: str = ""
    #: The seed of article IDs, base_url's host by default; set it before you change the host.
    id: Text | None = None
    language: Language = "en"
    zone: Zone = "UTC"
    #: Author of articles that name none; the site's title by default.
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
    #: DKIM keys; each signs every message.
    dkim: tuple[DkimSettings, ...] = ()
    #: The secret behind delivery tokens and the hashes of the suppression list; publisher.key by default.
    secret: Secret | None = None
    theme: ThemeSettings = ThemeSettings()
    web: WebSettings = WebSettings()
    checks: CheckSettings = CheckSettings()

    _root: Path = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Store the folder that the settings were read from."""
        self._root = Path(context["root"])

    @model_validator(mode="after")
    def _check_tables(self) -> Site:
        if self.digests and self.mail is None:
            raise ValueError("digests need a sender; add [mail] with sender")
        if len({key.selector for key in self.dkim}) < len(self.dkim):
            raise ValueError("dkim: two keys have the same selector; give each its own")
        for silence in self.checks.silences:
            from publisher.findings.silence import check_scope

            try:
                check_scope(silence, self.digests)
            except ValueError as error:
                raise ValueError(f"checks.silence: {error}") from error
        return self

    @field_validator("article_url")
    @classmethod
    def _check_article_url(cls, value: str) -> str:
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
        """The site's time zone."""
        return ZoneInfo(self.zone)

    @property
    def host(self) -> str:
        """The host name of ``base_url``."""
        return urlsplit(self.base_url).hostname or "localhost"

    @property
    def feeds_url(self) -> str:
        """The URL of ``feeds/`` without a final slash."""
        return self.feeds.url or f"{self.base_url}/feeds"

    @property
    def default_author(self) -> str:
        """The author of articles that name none."""
        return self.author or self.title

    @property
    def newsletters_url(self) -> str:
        """The URL of the newsletter pages without a final slash."""
        return f"{self.base_url}/newsletters"

    @property
    def preferences_url(self) -> str:
        """The URL of the preferences page; may contain {copy} for a delivery token."""
        return (self.mail and self.mail.preferences) or f"{self.newsletters_url}/preferences"

    @property
    def issue_url(self) -> str:
        """The URL of an issue's web view, with {issue} and perhaps {digest}."""
        return (self.mail and self.mail.web_view) or f"{self.newsletters_url}/{{digest}}/{{issue}}/"

    def issue_page_url(self, digest: str, name: str) -> str:
        """Return the URL of an issue's web page."""
        return self.issue_url.replace("{digest}", digest).replace("{issue}", quote(name))

    @property
    def hub_url(self) -> str | None:
        """The URL of the site's own WebSub hub; None for no hub."""
        return f"{self.base_url}/hub" if self.web.hub else None

    @property
    def hubs(self) -> tuple[str, ...]:
        """The WebSub hubs in feeds, the site's own first."""
        own = self.hub_url
        return (*([own] if own else []), *(hub for hub in self.announce.hubs if hub != own))

    @property
    def notifies_hubs(self) -> bool:
        """Whether hubs or an rssCloud server are notified of changed feeds."""
        return bool(self.hubs or self.announce.cloud)

    @property
    def accepts_subscriptions(self) -> bool:
        """Whether people can subscribe by a form."""
        return self.web.join and bool(self.digests) and self.can_send

    @property
    def articles_dir(self) -> Path:
        """The folder of article records."""
        return self.root / self.paths.articles

    @property
    def feeds_dir(self) -> Path:
        """The folder of staged feeds."""
        return self.root / self.paths.feeds

    @property
    def outbox_dir(self) -> Path:
        """The folder of staged issues."""
        return self.root / self.paths.outbox

    @property
    def templates_dir(self) -> Path:
        """The folder of the site's own templates."""
        return self.root / self.paths.templates

    @property
    def maildir(self) -> Path:
        """The Maildir for messages that no server gets."""
        return self.root / self.delivery.maildir

    @property
    def can_send(self) -> bool:
        """Whether the settings say how messages are sent."""
        return self.smtp is not None or self.delivery.transport == "maildir"

    @property
    def delivers_locally(self) -> bool:
        """Whether messages stay on this machine."""
        return self.delivery.transport == "maildir"

    @property
    def media_dir(self) -> Path:
        """The folder of images and audio that are served at ``base_url``."""
        return self.root / self.paths.media

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, with a relative SQLite path joined to the site's folder."""
        url = self.database.url
        text = url.reveal(self.root) if isinstance(url, Secret) else url
        if text.startswith("sqlite:///"):
            return "sqlite:///" + str(self.root / text.removeprefix("sqlite:///"))
        return text.replace("postgresql://", "postgresql+psycopg://", 1)

    @cached_property
    def custom_feed_queries(self) -> tuple[tuple[str, Query], ...]:
        """(slug, query) of each custom feed."""
        return tuple((slug, feed.query) for slug, feed in self.feeds.channels.items())

    def limit(self, kind: FacetKind, slug: str) -> int | None:
        """Return the number of articles in a feed; None for all."""
        feed = self.feeds.channels.get(slug) if kind is FacetKind.CUSTOM else None
        limit = feed.limit if feed is not None and feed.limit is not None else self.feeds.limit
        return None if isinstance(limit, str) else limit

    def digest(self, slug: str) -> Digest:
        """Return the definition of a newsletter.

        Raises:
            SettingsError: there is no such newsletter.
        """
        if slug not in self.digests:
            raise SettingsError(f"there is no digest {slug!r}. publisher.toml has: {', '.join(self.digests) or 'none'}")
        return self.digests[slug].digest(slug)

    def all_digests(self) -> tuple[Digest, ...]:
        """Return the newsletters, in the order of the settings."""
        return tuple(digest.digest(slug) for slug, digest in self.digests.items())

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules: the feeds, then the newsletters in the order of the settings."""
        feeds = ScheduleSettings(cadence=self.feeds.cadence, zone=self.feeds.zone)
        named = {"feeds": feeds, **{f"digest:{slug}": one for slug, one in self.digests.items()}}
        return tuple(
            Schedule(
                name=name,
                timetable=table,
                text=format_timetable(table),
                catch_up=_catch_up(one),
                at_most_late=timedelta(hours=one.catch_up_hours),
            )
            for name, one in named.items()
            if (table := one.timetable(self.tz)) is not None
        )

    def fingerprint(self) -> str:
        """Return a hash of every setting that changes a feed's bytes."""
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
            # Cadence and former names do not change bytes.
            exclude={"feeds": {"cadence", "zone", "moved", "max_feeds"}},
        )
        shown["hubs"] = self.hubs
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
