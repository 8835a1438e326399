"""Colours as ``#rrggbb``, and the contrast of text on its background. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Minimum contrast ratio of text of any size (WCAG 2.2, success criterion 1.4.3).
MIN_CONTRAST: Final = 4.5
_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(colour), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mix_colours(colour: str, other: str, share: float) -> str:
    """Return a mixture of two colours with a share (0 to 1) of the other one."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(first + (second - first) * share):02x}" for first, second in pairs)


def text_colour_on(background: str) -> str:
    """Return black or white, whichever has more contrast: always at least MIN_CONTRAST."""
    return max(_WHITE, _BLACK, key=lambda colour: contrast(colour, background))


def readable_colour(colour: str, *backgrounds: str) -> str:
    """Return the nearest tint or shade of a colour with enough contrast on all backgrounds.

    The colour is returned unchanged if it has enough contrast. On light backgrounds it is made darker, on dark ones
    lighter. The backgrounds are all light, or all dark.
    """
    target = text_colour_on(backgrounds[0])
    for step in range(101):
        mixed = mix_colours(colour, target, step / 100)
        if all(contrast(mixed, background) >= MIN_CONTRAST for background in backgrounds):
            return mixed
    return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a theme in light or in dark mode."""

    #: Background of the page.
    page: str
    #: Background of the text.
    card: str
    #: Headlines and text.
    ink: str
    #: Summaries.
    soft: str
    #: Bylines, dates, the footer.
    muted: str
    #: Lines between stories.
    rule: str
    #: Kickers, links, buttons.
    accent: str

    @property
    def on_accent(self) -> str:
        """Return the text colour of buttons, whose background is the accent."""
        return text_colour_on(self.accent)

    def low_contrasts(self) -> list[tuple[str, str, float, str]]:
        """Return (text, background, contrast, replacement) of text colours that are unreadable.

        The background is the one with the least contrast.
        """
        failures = []
        for text in ("ink", "soft", "muted", "accent"):
            colour = getattr(self, text)
            ratio, background = min((contrast(colour, getattr(self, name)), name) for name in ("card", "page"))
            if ratio < MIN_CONTRAST:
                failures.append((text, background, ratio, readable_colour(colour, self.card, self.page)))
        return failures
