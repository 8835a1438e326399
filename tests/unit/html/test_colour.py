"""Colours: WCAG contrast, and rejected settings with too little contrast."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import SettingsError
from publisher.html.colour import MIN_CONTRAST, contrast, mix_colours, readable_colour, text_colour_on
from publisher.settings import read_site
from publisher.settings.theme import ThemeSettings

COLOUR = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#767676", "#ffffff", 4.54), ("#abcdef", "#abcdef", 1.0)],
)  # fmt: skip
def test_contrast_follows_wcag(one: str, other: str, ratio: float) -> None:
    """The order of the two colours does not matter."""
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@given(COLOUR, COLOUR)
def test_a_readable_colour_has_enough_contrast(colour: str, ground: str) -> None:
    """This holds for any colour on light and on dark backgrounds."""
    assert contrast(readable_colour(colour, ground), ground) >= MIN_CONTRAST
    assert contrast(text_colour_on(ground), ground) >= MIN_CONTRAST
    if contrast(colour, ground) >= MIN_CONTRAST:
        assert readable_colour(colour, ground) == colour


def test_colours_are_mixed() -> None:
    """The shares 0 and 1 give the two colours themselves."""
    assert mix_colours("#000000", "#ffffff", 0) == "#000000"
    assert mix_colours("#000000", "#fffffe", 1) == "#fffffe"


@given(COLOUR)
def test_the_default_dark_accent_has_enough_contrast(accent: str) -> None:
    """It is derived from any light accent."""
    try:
        theme = ThemeSettings(accent=accent)
    except ValueError:
        return
    assert theme.dark_palette.low_contrasts() == theme.light_palette.low_contrasts() == []


def test_a_colour_with_too_little_contrast_is_rejected_with_a_replacement(tmp_path: Path) -> None:
    """The message suggests a readable colour."""
    (tmp_path / "publisher.toml").write_text(
        'title = "T"\nbase_url = "https://a.example"\n[theme]\naccent = "#ffcc00"\n[theme.dark]\nmuted = "#222222"\n'
    )
    with pytest.raises(SettingsError) as error:
        read_site(tmp_path)
    message = str(error.value)
    assert (
        "theme: accent cannot be read: its contrast with page is 1.32, text needs 4.5 (WCAG 2.2, 1.4.3); use #856a00"
        in message
    )
    assert "dark.muted cannot be read: its contrast with dark.card is 1.07" in message
