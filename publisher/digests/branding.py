"""What stands on every issue of a site's digests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from publisher.html.colour import Palette

__all__ = ["Branding", "Logo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The picture in the masthead."""

    url: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """What stands on every issue of a site's digests."""

    site: str
    base_url: str
    description: str
    language: str
    light: Palette
    dark: Palette
    #: Names of ``publisher.digests.render.FONTS``; None for the template's own.
    headings: str | None = None
    text: str | None = None
    logo: Logo | None = None
    footer: tuple[str, ...] = ()
    postal_address: str = ""
    #: Whether there is a page where a reader chooses what comes.
    has_preferences: bool = False
    #: Whether issues can be read on the web.
    has_web_view: bool = False
    #: The newsroom's clock.
    zone: tzinfo = UTC
