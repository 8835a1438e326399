"""The feed directory (feeds/index.html), feed autodiscovery links, and pages of withdrawn articles."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from publisher.feeds.opml import HEADINGS
from publisher.html.dates import long_date
from publisher.html.direction import text_direction
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.media_types import FEED_TYPES
from publisher.settings import Site
from publisher.templating.environment import render_template

_FORMAT_NAMES = {FeedFormat.RSS: "RSS", FeedFormat.ATOM: "Atom", FeedFormat.JSON: "JSON"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The title and URL of an article in the feed directory."""

    title: str
    link: str

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return text_direction(self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedListing:
    """A feed in the feed directory."""

    definition: FeedDefinition
    #: The short name: ``Water``, under the heading of topics.
    name: str
    #: The description; empty if the name is sufficient.
    about: str
    #: Number of articles, including those beyond the limit of the feed.
    articles: int
    #: The newest headlines.
    latest: tuple[Headline, ...]


def dump_headlines(headlines: Sequence[Headline]) -> str:
    """Return headlines as JSON for the database."""
    return json.dumps([[headline.title, headline.link] for headline in headlines], ensure_ascii=False)


def load_headlines(text: str) -> tuple[Headline, ...]:
    """Return the headlines of a JSON text of :func:`dump_headlines`."""
    return tuple(Headline(title=title, link=link) for title, link in json.loads(text))


def render_feed_directory(site: Site, feeds: Sequence[FeedListing], *, has_withdrawn: bool) -> bytes:
    """Return the HTML of the feed directory, with feeds in the order of their groups.

    Raises:
        TemplateError: the template is missing or invalid.
    """
    groups = [
        (HEADINGS[kind], list(group)) for kind, group in groupby(feeds, key=lambda listing: listing.definition.kind)
    ]
    values = {
        **_site_values(site),
        "title": site.title,
        "description": site.description,
        "feeds_url": site.feeds_url,
        "has_withdrawn": has_withdrawn,
        "groups": groups,
        "formats": [(form.value, _FORMAT_NAMES[form], FEED_TYPES[form]) for form in site.feeds.formats],
    }
    return render_template(site.templates_dir, "feeds/index.html.j2", values).encode()


def _site_values(site: Site) -> dict[str, Any]:
    return {
        "base_url": site.base_url,
        "language": site.language,
        "light": site.theme.light_palette,
        "dark": site.theme.dark_palette,
    }


def render_autodiscovery(definitions: Sequence[FeedDefinition], formats: Sequence[FeedFormat]) -> bytes:
    """Return the autodiscovery links of feeds as HTML, for the head of the site's own pages."""
    lines = [
        f'<link rel="alternate" type="{FEED_TYPES[form]}" title="{html.escape(f"{definition.title} ({_FORMAT_NAMES[form]})")}" '
        f'href="{html.escape(f"{definition.url}.{form.value}")}">\n'
        for definition in definitions
        for form in formats
    ]
    return "".join(lines).encode()


def render_withdrawn_page(site: Site, title: str, reason: str, when: datetime) -> bytes:
    """Return the page that is served at the URL of an article that was withdrawn at WHEN, in the site's time zone.

    It shows neither title nor reason if the title is empty.

    Raises:
        TemplateError: the template is missing or invalid.
    """
    values = {
        **_site_values(site),
        "title": title,
        "direction": text_direction(title),
        "reason": reason,
        "reason_direction": text_direction(reason),
        "when": when.isoformat(),
        "day": long_date(when, site.language),
        "site_title": site.title,
    }
    return render_template(site.templates_dir, "feeds/gone.html.j2", values).encode()
