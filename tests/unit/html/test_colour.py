"""Colours: contrast as WCAG counts it, and settings that refuse what cannot be read."""

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
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@given(COLOUR, COLOUR)
def test_what_is_made_readable_can_be_read(colour: str, ground: str) -> None:
    assert contrast(readable_colour(colour, ground), ground) >= MIN_CONTRAST
    assert contrast(text_colour_on(ground), ground) >= MIN_CONTRAST
    if contrast(colour, ground) >= MIN_CONTRAST:
        assert readable_colour(colour, ground) == colour


def test_colours_are_mixed() -> None:
    assert mix_colours("#000000", "#ffffff", 0) == "#000000"
    assert mix_colours("#000000", "#fffffe", 1) == "#fffffe"


@given(COLOUR)
def test_the_dark_accent_can_be_read_whatever_the_light_one_is(accent: str) -> None:
    try:
        theme = ThemeSettings(accent=accent)
    except ValueError:
        return
    assert theme.dark_palette.low_contrasts() == theme.light_palette.low_contrasts() == []


def test_a_colour_that_cannot_be_read_is_refused_with_one_that_can(tmp_path: Path) -> None:
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
