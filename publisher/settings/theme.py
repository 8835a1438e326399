"""The settings of the look: colours, type, logo, foot. Colours are checked for contrast when they are read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from publisher.html.colour import MIN_CONTRAST, Palette, readable_colour
from publisher.settings import checks
from publisher.settings.kinds import SettingsTable, Text, Url

__all__ = ["DarkSettings", "FontStack", "LogoImage", "ThemeSettings"]

Colour = Annotated[str, AfterValidator(checks.colour)]
#: Type that is on every machine; no font is loaded.
FontStack = Literal["serif", "book", "sans", "grotesque", "mono"]


class LogoImage(SettingsTable):
    """The picture in an issue's masthead, in place of the site's name."""

    url: Url
    #: Pixels, as it is shown.
    width: Annotated[int, Field(ge=16, le=560)]
    #: Pixels, as it is shown.
    height: Annotated[int, Field(ge=8, le=400)]
    #: What is said where it is not shown; the site's title by default.
    alt: Text | None = None


class DarkSettings(SettingsTable):
    """The colours on a dark screen."""

    page: Colour = "#15130f"
    card: Colour = "#1f1c18"
    ink: Colour = "#f2ede4"
    soft: Colour = "#d8d1c5"
    muted: Colour = "#b3aa9c"
    rule: Colour = "#3a352d"
    #: A tint of the light one by default.
    accent: Colour | None = None


def _palette(of: DarkSettings | ThemeSettings, accent: str) -> Palette:
    return Palette(
        page=of.page,
        card=of.card,
        ink=of.ink,
        soft=of.soft,
        muted=of.muted,
        rule=of.rule,
        accent=accent,
    )


class ThemeSettings(SettingsTable):
    """How issues and pages look."""

    #: Kickers, links, buttons, the masthead's rule.
    accent: Colour = "#9b2335"
    page: Colour = "#f3efe8"
    card: Colour = "#ffffff"
    ink: Colour = "#1d1b18"
    soft: Colour = "#45403a"
    muted: Colour = "#5f584e"
    rule: Colour = "#ddd6ca"
    dark: DarkSettings = DarkSettings()
    #: The type of headlines; the template's own by default.
    headings: FontStack | None = None
    #: The type of everything else; the template's own by default.
    text: FontStack | None = None
    logo: LogoImage | None = None
    #: Lines at the foot of every issue.
    footer: tuple[Text, ...] = ()

    @property
    def light_palette(self) -> Palette:
        """The colours on a light screen."""
        return _palette(self, self.accent)

    @property
    def dark_palette(self) -> Palette:
        """The colours on a dark screen."""
        dark = self.dark
        return _palette(dark, dark.accent or readable_colour(self.accent, dark.card, dark.page))

    @model_validator(mode="after")
    def _can_be_read(self) -> ThemeSettings:
        """Refuse text that cannot be read on its ground, and say what could."""
        lines = [
            f"{prefix}{text} cannot be read: its contrast with {prefix}{ground} is {ratio:.2f}, text needs "
            f"{MIN_CONTRAST} (WCAG 2.2, 1.4.3); {better} would do"
            for prefix, palette in (("", self.light_palette), ("dark.", self.dark_palette))
            for text, ground, ratio, better in palette.low_contrasts()
        ]
        if lines:
            raise ValueError("; ".join(lines))
        return self
