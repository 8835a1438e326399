"""The feed directory (feeds/index.html), feed autodiscovery links, and pages of withdrawn articles."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from publisher.feeds.opml import HEADINGS
from publisher.html.colour import Palette
from publisher.html.dates import long_date
from publisher.html.direction import text_direction
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.media_types import FEED_TYPES
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


def render_feed_directory(
    feeds: Sequence[FeedListing],
    *,
    title: str,
    description: str,
    language: str,
    base_url: str,
    feeds_url: str,
    light: Palette,
    dark: Palette,
    formats: Sequence[FeedFormat],
    has_withdrawn: bool,
    templates: Path,
) -> bytes:
    """Return the HTML of the feed directory.

    Args:
        feeds: in the order of their groups.
        title: of the site.
        description: of the site; may be empty.
        language: of the site.
        base_url: of the site.
        feeds_url: the URL of feeds/.
        light: the theme's colours.
        dark: the theme's colours in dark mode.
        formats: the staged formats, the recommended one first.
        has_withdrawn: whether there is a feed of tombstones.
        templates: the folder of the site's own templates.

    Raises:
        TemplateError: the template is missing or invalid.
    """
    groups = [
        (HEADINGS[kind], list(group)) for kind, group in groupby(feeds, key=lambda listing: listing.definition.kind)
    ]
    values = {
        "title": title,
        "description": description,
        "language": language,
        "base_url": base_url,
        "feeds_url": feeds_url,
        "has_withdrawn": has_withdrawn,
        "light": light,
        "dark": dark,
        "groups": groups,
        "formats": [(form.value, _FORMAT_NAMES[form], FEED_TYPES[form]) for form in formats],
    }
    return render_template(templates, "feeds/index.html.j2", values).encode()


def render_autodiscovery(definitions: Sequence[FeedDefinition], formats: Sequence[FeedFormat]) -> bytes:
    """Return the autodiscovery links of feeds as HTML, for the head of the site's own pages."""
    lines = [
        f'<link rel="alternate" type="{FEED_TYPES[form]}" title="{html.escape(f"{definition.title} ({_FORMAT_NAMES[form]})")}" '
        f'href="{html.escape(f"{definition.url}.{form.value}")}">\n'
        for definition in definitions
        for form in formats
    ]
    return "".join(lines).encode()


def render_withdrawn_page(
    *,
    title: str,
    reason: str,
    when: datetime,
    site_title: str,
    base_url: str,
    language: str,
    light: Palette,
    dark: Palette,
    templates: Path,
) -> bytes:
    """Return the page that is served at the URL of a withdrawn article.

    Args:
        title: of the article; empty to show neither title nor reason.
        reason: why it was withdrawn, plain text.
        when: the time of the withdrawal, in the site's time zone.
        site_title: the site's title.
        base_url: of the site.
        language: of the site.
        light: the theme's colours.
        dark: the theme's colours in dark mode.
        templates: the folder of the site's own templates.

    Raises:
        TemplateError: the template is missing or invalid.
    """
    values = {
        "title": title,
        "direction": text_direction(title),
        "reason": reason,
        "reason_direction": text_direction(reason),
        "when": when.isoformat(),
        "day": long_date(when, language),
        "site_title": site_title,
        "base_url": base_url,
        "language": language,
        "light": light,
        "dark": dark,
    }
    return render_template(templates, "feeds/gone.html.j2", values).encode()
