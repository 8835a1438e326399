"""feeds/index.html: every feed, for a person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from publisher.markup import direction
from publisher.model import Channel, FeedFormat
from publisher.render.colour import on_dark
from publisher.render.feed import MEDIA_TYPES
from publisher.render.opml import HEADINGS
from publisher.render.templates import render

__all__ = ["Headline", "Listed", "dump_headlines", "load_headlines", "render_index"]

_NAMES = {FeedFormat.RSS: "RSS", FeedFormat.ATOM: "Atom", FeedFormat.JSON: "JSON"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """An article's title and address, as the page shows it."""

    title: str
    link: str

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return direction(self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A feed, as the page shows it."""

    channel: Channel
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


def render_index(
    feeds: Sequence[Listed],
    *,
    title: str,
    description: str,
    language: str,
    base_url: str,
    accent: str,
    formats: Sequence[FeedFormat],
    templates: Path,
) -> bytes:
    """Return the page.

    Args:
        feeds: in the order of their groups.
        title: the site's.
        description: the site's; may be empty.
        language: the site's.
        base_url: the site's.
        accent: the theme's colour.
        formats: those that are staged, the one to be recommended first.
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
        "accent": accent,
        "accent_on_dark": on_dark(accent),
        "groups": groups,
        "formats": [(one.value, _NAMES[one], MEDIA_TYPES[one]) for one in formats],
    }
    return render(templates, "feeds/index.html.j2", values).encode()
