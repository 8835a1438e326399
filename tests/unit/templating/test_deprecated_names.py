"""A site's own templates that use names of earlier versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from publisher.errors import TemplateError
from publisher.feeds.directory import FeedListing
from publisher.model.feeds import FeedDefinition
from publisher.model.taxonomy import FacetKind
from publisher.settings.mail import DigestSettings
from publisher.templating.deprecated import VARIABLES, deprecated_names
from publisher.templating.environment import render_template, render_template_string


def listing(kind: FacetKind) -> FeedListing:
    """Return a feed of a kind."""
    definition = FeedDefinition(
        kind=kind,
        slug="x",
        title="T",
        description="D",
        language="en",
        home_page_url="https://a.example/",
        url="https://a.example/feeds/x",
        archive_url="https://a.example/feeds/archive/x",
    )
    return FeedListing(definition=definition, name="N", about="", articles=1, latest=())


def rendered(text: str, **values: Any) -> str:
    """Return a rendered text."""
    return render_template_string(text, values, "a setting")


@pytest.mark.parametrize(("old", "new"), VARIABLES.items())
def test_a_deprecated_variable_has_the_value_of_its_successor(old: str, new: str) -> None:
    """A copied template is rendered as before."""
    assert rendered(f"{{{{ {old} }}}} {{{{ {new} }}}}", **{new: "value"}) == "value value"


def test_a_deprecated_variable_is_unknown_where_its_successor_is() -> None:
    """A wrong name is still an error that names it."""
    with pytest.raises(TemplateError, match="'letterhead' is undefined"):
        rendered("{{ letterhead }}", other=1)


def test_the_schedule_of_a_digest_has_its_earlier_name() -> None:
    """Pages of newsletters described it as ``digest.rhythm``."""
    digest = DigestSettings(title="T", cadence="0 7 * * mon")
    assert rendered("{{ digest.rhythm }}", digest=digest) == "Every Monday at 07:00"


def test_a_feed_has_its_earlier_names() -> None:
    """The feeds page of a site takes the feed of a label as before."""
    text = "{{ feed.channel.kind.value }} {{ feed.channel.title }} {{ feed.channel.address }} {{ feed.channel.home }}"
    assert rendered(text, feed=listing(FacetKind.TOPIC)) == "topic T https://a.example/feeds/x https://a.example/"
    assert rendered("{{ feed.channel.archive }}", feed=listing(FacetKind.ALL)) == "https://a.example/feeds/archive/x"
    assert rendered("{{ feed.definition.address }}", feed=listing(FacetKind.ALL)) == "https://a.example/feeds/x"


def test_the_kind_of_a_custom_feed_has_its_earlier_name_below_feed_channel() -> None:
    """Otherwise a copied feeds page would silently leave out the autodiscovery links of these feeds."""
    text = "{{ feed.channel.kind.value }} {{ feed.definition.kind.value }}"
    assert rendered(text, feed=listing(FacetKind.CUSTOM)) == "channel custom"


def test_an_unknown_attribute_is_an_error() -> None:
    """Deprecated names belong to some values only."""
    for text in ("{{ feed.rhythm }}", "{{ feed.channel.nothing }}", "{{ feed.definition.rhythm }}"):
        with pytest.raises(TemplateError, match="has no attribute"):
            rendered(text, feed=listing(FacetKind.ALL))


def test_uses_of_deprecated_names_are_listed_with_their_lines(tmp_path: Path) -> None:
    """An operator finds them by file and line."""
    pages = tmp_path / "web"
    pages.mkdir()
    (pages / "join.html.j2").write_text("{{ wish.zone }}\n{{ wish }}{{ own_zone }}\n{{ digest.rhythm }}\n")
    (pages / "feeds.html.j2").write_text("{{ feed.channel.address }}\n{{ placeholders.address }}\n{{ archive }}\n")
    assert [(use.template, str(use)) for use in deprecated_names(tmp_path)] == [
        ("web/feeds.html.j2", ".address is a deprecated name; write .url (line 1)"),
        ("web/feeds.html.j2", ".channel is a deprecated name; write .definition (line 1)"),
        ("web/join.html.j2", ".rhythm is a deprecated name; write .cadence_description (line 3)"),
        ("web/join.html.j2", "own_zone is a deprecated name; write default_zone (line 2)"),
        ("web/join.html.j2", "wish is a deprecated name; write selected (lines 1, 2)"),
    ]


def test_names_that_a_template_sets_itself_are_not_listed(tmp_path: Path) -> None:
    """A macro may have a parameter of such a name."""
    (tmp_path / "own.html.j2").write_text(
        "{% macro choices(wish) %}{{ wish.zone }}{% endmacro %}{% set left = 1 %}{{ left }}"
    )
    (tmp_path / "broken.html.j2").write_text("{% if %}{{ tokens }}")
    (tmp_path / "latin.html.j2").write_bytes(b"\xe9{{ tokens }}")
    assert deprecated_names(tmp_path) == []


def test_shipped_templates_use_no_deprecated_names() -> None:
    """A copy of one would be reported at once."""
    assert deprecated_names(Path(__file__).parents[3] / "templates") == []


def test_a_copied_page_is_rendered_from_a_folder(tmp_path: Path) -> None:
    """Files and texts of the settings have the same names."""
    (tmp_path / "page.html.j2").write_text("{% if can_be_joined %}{{ feed.channel.kind.value }}{% endif %}")
    values = {"accepts_subscriptions": True, "feed": listing(FacetKind.CUSTOM)}
    assert render_template(tmp_path, "page.html.j2", values) == "channel"
