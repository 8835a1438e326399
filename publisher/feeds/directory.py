"""feeds/index.html, every feed, for a person; the links to feeds for other pages; pages of what is gone."""

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

__all__ = [
    "FeedListing",
    "Headline",
    "dump_headlines",
    "load_headlines",
    "render_autodiscovery",
    "render_feed_directory",
    "render_withdrawn_page",
]

_FORMAT_NAMES = {FeedFormat.RSS: "RSS", FeedFormat.ATOM: "Atom", FeedFormat.JSON: "JSON"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """An article's title and address, as the page shows it."""

    title: str
    link: str

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return text_direction(self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedListing:
    """A feed, as the page shows it."""

    channel: FeedDefinition
    #: What the page calls it: ``Water``, under the heading of topics.
    name: str
    #: A line about it; empty where the name says it all.
    about: str
    #: How many articles it has, in the feed and beyond its limit.
    articles: int
    #: Its newest headlines.
    latest: tuple[Headline, ...]


def dump_headlines(headlines: Sequence[Headline]) -> str:
    """Return headlines as the store keeps them."""
    return json.dumps([[one.title, one.link] for one in headlines], ensure_ascii=False)


def load_headlines(text: str) -> tuple[Headline, ...]:
    """Return what :func:`dump_headlines` wrote."""
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
    """Return the page.

    Args:
        feeds: in the order of their groups.
        title: the site's.
        description: the site's; may be empty.
        language: the site's.
        base_url: the site's.
        feeds_url: where feeds/ can be reached.
        light: the theme's colours.
        dark: those on a dark screen.
        formats: those that are staged, the one to be recommended first.
        has_withdrawn: whether there is a feed of tombstones.
        templates: the site's own templates.

    Raises:
        TemplateError: the template is missing or broken.
    """
    groups = [(HEADINGS[kind], list(group)) for kind, group in groupby(feeds, key=lambda one: one.channel.kind)]
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
        "formats": [(one.value, _FORMAT_NAMES[one], FEED_TYPES[one]) for one in formats],
    }
    return render_template(templates, "feeds/index.html.j2", values).encode()


def render_autodiscovery(channels: Sequence[FeedDefinition], formats: Sequence[FeedFormat]) -> bytes:
    """Return the links by which browsers and reader programs find feeds, for the head of a site's own pages."""
    lines = [
        f'<link rel="alternate" type="{FEED_TYPES[form]}" title="{html.escape(f"{one.title} ({_FORMAT_NAMES[form]})")}" '
        f'href="{html.escape(f"{one.address}.{form.value}")}">\n'
        for one in channels
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
    """Return the page that stands at the address of an article that was withdrawn.

    Args:
        title: the article's; empty to name neither it nor a reason.
        reason: why it was withdrawn, plain text.
        when: on the newsroom's clock.
        site_title: the site's title.
        base_url: the site's.
        language: the site's.
        light: the theme's colours.
        dark: those on a dark screen.
        templates: the site's own templates.

    Raises:
        TemplateError: the template is missing or broken.
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
