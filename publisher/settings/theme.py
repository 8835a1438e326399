"""Settings of the look: colours, type, logo, footer; colours are checked for contrast."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from publisher.html.colour import MIN_CONTRAST, Palette, readable_colour
from publisher.settings import validators
from publisher.settings.field_types import SettingsTable, Text, Url

Colour = Annotated[str, AfterValidator(validators.colour)]
#: Font families of every system; no font is loaded.
FontStack = Literal["serif", "book", "sans", "grotesque", "mono"]


class LogoImage(SettingsTable):
    """The image in an issue's masthead, in place of the site's name."""

    url: Url
    #: Displayed size in pixels.
    width: Annotated[int, Field(ge=16, le=560)]
    height: Annotated[int, Field(ge=8, le=400)]
    #: Alternative text; the site's title by default.
    alt: Text | None = None


class DarkSettings(SettingsTable):
    """The colours in dark mode."""

    page: Colour = "#15130f"
    card: Colour = "#1f1c18"
    ink: Colour = "#f2ede4"
    soft: Colour = "#d8d1c5"
    muted: Colour = "#b3aa9c"
    rule: Colour = "#3a352d"
    #: A tint of the light accent by default.
    accent: Colour | None = None


def _palette(colours: DarkSettings | ThemeSettings, accent: str) -> Palette:
    names = {"page", "card", "ink", "soft", "muted", "rule"}
    return Palette(**colours.model_dump(include=names), accent=accent)


class ThemeSettings(SettingsTable):
    """How issues and pages look."""

    #: Kickers, links, buttons and the rule below the masthead.
    accent: Colour = "#9b2335"
    page: Colour = "#f3efe8"
    card: Colour = "#ffffff"
    ink: Colour = "#1d1b18"
    soft: Colour = "#45403a"
    muted: Colour = "#5f584e"
    rule: Colour = "#ddd6ca"
    dark: DarkSettings = DarkSettings()
    #: The font of headlines; the template's own by default.
    headings: FontStack | None = None
    #: The font of all other text; the template's own by default.
    text: FontStack | None = None
    logo: LogoImage | None = None
    #: Lines in the footer of every issue.
    footer: tuple[Text, ...] = ()

    @property
    def light_palette(self) -> Palette:
        """The colours in light mode."""
        return _palette(self, self.accent)

    @property
    def dark_palette(self) -> Palette:
        """The colours in dark mode."""
        dark = self.dark
        return _palette(dark, dark.accent or readable_colour(self.accent, dark.card, dark.page))

    @model_validator(mode="after")
    def _check_contrast(self) -> ThemeSettings:
        """Reject text colours that cannot be read, and name the nearest ones that can."""
        lines = [
            f"{prefix}{text} cannot be read: its contrast with {prefix}{ground} is {ratio:.2f}, text needs "
            f"{MIN_CONTRAST} (WCAG 2.2, 1.4.3); use {better}"
            for prefix, palette in (("", self.light_palette), ("dark.", self.dark_palette))
            for text, ground, ratio, better in palette.low_contrasts()
        ]
        if lines:
            raise ValueError("; ".join(lines))
        return self
