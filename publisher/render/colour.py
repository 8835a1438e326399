"""Colours as ``#rrggbb``, and what dark mode makes of them."""

from __future__ import annotations

__all__ = ["on_dark"]


def on_dark(colour: str, share: float = 0.55) -> str:
    """Return the colour mixed with white, so that it can be read on a dark ground.

    Args:
        colour: ``#rrggbb``.
        share: how much white, 0 to 1.
    """
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)
