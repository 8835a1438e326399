"""The branding of a site's issues."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from publisher.html.colour import Palette
from publisher.settings.theme import LogoImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """The site's names, colours, fonts and texts that all issues share."""

    site: str
    base_url: str
    description: str
    language: str
    light: Palette
    dark: Palette
    #: Keys of ``publisher.digests.render.FONTS``; None for the template's default.
    headings: str | None = None
    text: str | None = None
    #: With its alternative text.
    logo: LogoImage | None = None
    footer: tuple[str, ...] = ()
    postal_address: str = ""
    #: Whether there is a preferences page.
    has_preferences: bool = False
    #: Whether there is a web page of each issue.
    has_web_view: bool = False
    #: The site's time zone.
    zone: tzinfo = UTC
