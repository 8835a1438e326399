"""Colours as ``#rrggbb``, and whether a text can be read on its ground. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MIN_CONTRAST", "Palette", "contrast", "mix_colours", "readable_colour", "text_colour_on"]

#: What text needs against its ground, whatever its size (WCAG 2.2, 1.4.3).
MIN_CONTRAST: Final = 4.5
_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    """Return the relative luminance, 0 to 1 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mix_colours(colour: str, other: str, share: float) -> str:
    """Return the colour with ``share`` (0 to 1) of another one in it."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(mine + (its - mine) * share):02x}" for mine, its in pairs)


def text_colour_on(ground: str) -> str:
    """Return black or white, whichever can be read better on the ground: one of the two always can."""
    return max(_WHITE, _BLACK, key=lambda colour: contrast(colour, ground))


def readable_colour(colour: str, *grounds: str) -> str:
    """Return the colour itself if text in it can be read on every ground, or the nearest tint or shade that can.

    On light grounds it is made darker, on dark ones lighter.

    Args:
        colour: ``#rrggbb``.
        grounds: at least one; all of them light, or all of them dark.
    """
    towards = text_colour_on(grounds[0])
    for step in range(101):
        found = mix_colours(colour, towards, step / 100)
        if all(contrast(found, ground) >= MIN_CONTRAST for ground in grounds):
            return found
    return towards


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a theme, on a light screen or on a dark one."""

    #: Behind everything.
    page: str
    #: Behind the text.
    card: str
    #: Headlines and text.
    ink: str
    #: Summaries: a little quieter.
    soft: str
    #: Bylines, dates, the foot.
    muted: str
    #: Lines between stories.
    rule: str
    #: Kickers, links, buttons.
    accent: str

    @property
    def on_accent(self) -> str:
        """The text of a button, on a ground of the accent."""
        return text_colour_on(self.accent)

    def unreadable(self) -> list[tuple[str, str, float, str]]:
        """Return (text, ground, contrast, a colour that would do) for what cannot be read: the worst ground of each."""
        found = []
        for text in ("ink", "soft", "muted", "accent"):
            colour = getattr(self, text)
            ratio, ground = min((contrast(colour, getattr(self, name)), name) for name in ("card", "page"))
            if ratio < MIN_CONTRAST:
                found.append((text, ground, ratio, readable_colour(colour, self.card, self.page)))
        return found
